/** What the user needs once the devnet is up: endpoints, accounts, and how to restart each node. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getAddress } from 'viem';
import { type DevnetAccounts, MNEMONIC, USER_L1_WEI, USER_SIDECHAIN_WEI } from '#cli/devnet/accounts.ts';
import { type DevnetLayout, nodeFiles } from '#cli/devnet/layout.ts';
import { nodeNames } from '#cli/devnet/leftovers.ts';
import { type DevnetPorts, HOST } from '#cli/devnet/ports.ts';
import { formatEth, formatTable } from '#cli/io.ts';
import type { Genesis } from '#genesis/spec.ts';

const shortPath = (path: string): string => {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : fromHere;
};

/** The exact command that runs one node of this devnet on its own. */
export const restartCommand = (layout: DevnetLayout, name: string): string => {
  const bin = shortPath(fileURLToPath(new URL('../bin.mjs', import.meta.url)));
  const group = name.startsWith('relayer') ? 'relayer' : 'node';
  return `node ${bin} ${group} run --config ${shortPath(nodeFiles(layout, name).config)}`;
};

export type TableInput = {
  readonly layout: DevnetLayout;
  readonly ports: DevnetPorts;
  readonly accounts: DevnetAccounts;
  readonly genesis: Genesis;
  readonly staysUp: boolean;
};

export const describeDevnet = ({ layout, ports, accounts, genesis, staysUp }: TableInput): string => {
  const endpoints = formatTable([
    ['L1', `http://${HOST}:${ports.l1}`, `chain id ${genesis.spec.l1ChainId}, vault ${genesis.l1.vault}`],
    ...ports.validatorRpc.map((port, index) => [
      `validator-${index + 1}`,
      `http://${HOST}:${port}`,
      `chain id ${genesis.spec.chainId}, JSON-RPC by HTTP and WebSocket`,
    ]),
    ...ports.relayerExchange.map((port, index) => [
      `relayer-${index + 1}`,
      `http://${HOST}:${port}/v1/status`,
      'signature exchange',
    ]),
  ]);
  const users = formatTable(accounts.users.map((address, index) => [String(index), getAddress(address)]));
  const restarts = formatTable(nodeNames().map((name) => [name, restartCommand(layout, name)]));
  return [
    '',
    'Endpoints',
    endpoints,
    '',
    `Accounts, each with ${formatEth(USER_L1_WEI)} on the L1 and ${formatEth(USER_SIDECHAIN_WEI)} on the sidechain at genesis`,
    users,
    `Mnemonic: ${MNEMONIC}`,
    'Everybody knows it: never send anything of value to these accounts.',
    '',
    staysUp ? 'Restart a node that ended' : 'Run one node on its own',
    restarts,
    `Logs in ${shortPath(layout.logs)}`,
  ].join('\n');
};
