/**
 * The devnet's network on disk: specification, genesis, keystores, one configuration per node.
 *
 * Specification and keys are written once. Configurations follow the ports and are written at every start.
 */
import { access, mkdir, writeFile } from 'node:fs/promises';
import {
  type DevnetAccounts,
  GOVERNOR_SIDECHAIN_WEI,
  type NodeRole,
  USER_SIDECHAIN_WEI,
} from '#cli/devnet/accounts.ts';
import { L1_CHAIN_ID } from '#cli/devnet/l1.ts';
import { type DevnetLayout, type NodeFiles, nodeFiles } from '#cli/devnet/layout.ts';
import { type DevnetPorts, HOST } from '#cli/devnet/ports.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { compareHex } from '#consensus/primitives.ts';
import { GenesisError } from '#genesis/errors.ts';
import { buildGenesis } from '#genesis/genesis.ts';
import { loadGenesis, serialiseGenesis } from '#genesis/genesisFile.ts';
import type { ChainSpec, Genesis } from '#genesis/spec.ts';
import { specToJson } from '#genesis/specFile.ts';
import { checkSpec } from '#genesis/specRules.ts';
import { replaceFileDurably } from '#node/keys/durableFile.ts';
import { LIGHT_COST } from '#node/keys/keystore.ts';
import { writeKeystoreFile } from '#node/keys/keystoreFile.ts';
import { seedToPeerId } from '#node/keys/nodeIdentity.ts';

export const SIDECHAIN_ID = 42_424n;
const PASSPHRASE = 'devnet';

const byAddress = <T extends { readonly address: `0x${string}` }>(list: readonly T[]): T[] =>
  [...list].sort((a, b) => compareHex(a.address, b.address));

const devnetSpec = async (accounts: DevnetAccounts, timestamp: bigint): Promise<ChainSpec> => {
  const member = async ({ name, address, nodeSeed }: NodeRole) => ({
    name,
    address,
    peerId: await seedToPeerId(nodeSeed),
  });
  const validators = await Promise.all(accounts.validators.map(member));
  const relayers = await Promise.all(accounts.relayers.map(member));
  return {
    version: 1,
    name: 'devnet',
    chainId: SIDECHAIN_ID,
    l1ChainId: L1_CHAIN_ID,
    timestamp,
    epochLength: 100n,
    blockGasLimit: 30_000_000n,
    importGas: 15_000_000n,
    feePolicy: { mode: 'fixed', baseFeeWei: 1_000_000_000n },
    validators: byAddress(validators.map((validator) => ({ ...validator, power: 1n }))),
    relayerThreshold: 2,
    relayers: byAddress(relayers),
    governors: byAddress(accounts.governors.map(({ name, address }) => ({ name, address }))),
    balances: byAddress([
      ...accounts.users.map((address) => ({ address, amountWei: USER_SIDECHAIN_WEI })),
      ...accounts.governors.map(({ address }) => ({ address, amountWei: GOVERNOR_SIDECHAIN_WEI })),
    ]),
    deployer: accounts.deployer.address,
  };
};

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Another release's contracts or formats give another genesis: the folder cannot be continued. */
const loadOwnGenesis = async (layout: DevnetLayout): Promise<Genesis> => {
  try {
    return await loadGenesis(layout.genesis);
  } catch (error) {
    if (!(error instanceof GenesisError)) throw error;
    throw new CliError(`expected a devnet that this release can continue, found: ${error.message}`, {
      code: 'OTHER_FORMAT',
      exitCode: EXIT.config,
      hint: 'Delete it and begin again: causeway devnet down --purge',
      cause: error,
    });
  }
};

/** @throws CliError OTHER_FORMAT */
export const prepareGenesis = async (layout: DevnetLayout, accounts: DevnetAccounts): Promise<Genesis> => {
  if (await exists(layout.genesis)) return loadOwnGenesis(layout);
  const spec = await devnetSpec(accounts, BigInt(Math.floor(Date.now() / 1_000)));
  checkSpec(spec);
  const genesis = await buildGenesis(spec);
  await replaceFileDurably(layout.spec, `${JSON.stringify(specToJson(spec), null, 2)}\n`, 0o644);
  await replaceFileDurably(layout.genesis, serialiseGenesis(genesis), 0o644);
  return genesis;
};

const writeKeys = async (files: NodeFiles, role: NodeRole): Promise<void> => {
  await mkdir(`${files.folder}/keys`, { recursive: true });
  await writeFile(files.passphrase, `${PASSPHRASE}\n`, { mode: 0o600 });
  if (!(await exists(files.nodeKey)))
    await writeKeystoreFile(files.nodeKey, 'ed25519', role.nodeSeed, PASSPHRASE, LIGHT_COST);
  if (!(await exists(files.roleKey)))
    await writeKeystoreFile(files.roleKey, 'secp256k1', role.privateKey, PASSPHRASE, LIGHT_COST);
};

type Dialable = { readonly name: string; readonly peerId: string; readonly p2pPort: number };

type ConfigInput = {
  readonly name: string;
  readonly self: Dialable;
  readonly peers: readonly Dialable[];
  readonly l1Url: string;
  readonly rpcPort: number | null;
  readonly relayer: {
    readonly exchangePort: number;
    readonly peers: readonly { readonly address: string; readonly port: number }[];
  } | null;
};

const configToml = ({ name, self, peers, l1Url, rpcPort, relayer }: ConfigInput): string =>
  [
    '# Written by causeway devnet up at every start.',
    `name = "${name}"`,
    'genesis = "../genesis.json"',
    'data_dir = "data"',
    '',
    '[keys]',
    'node = "keys/node.json"',
    relayer === null ? 'consensus = "keys/consensus.json"' : 'relayer = "keys/relayer.json"',
    'passphrase_file = "keys/passphrase"',
    '',
    '[p2p]',
    `listen = "/ip4/${HOST}/tcp/${self.p2pPort}"`,
    ...peers.flatMap(({ name: peerName, peerId, p2pPort }) => [
      `[[p2p.peers]] # ${peerName}`,
      `peer_id = "${peerId}"`,
      `address = "/ip4/${HOST}/tcp/${p2pPort}"`,
    ]),
    '',
    ...(rpcPort === null
      ? []
      : ['[rpc]', `host = "${HOST}"`, `port = ${rpcPort}`, 'anonymous_role = "operator"', '']),
    '[l1]',
    `urls = ["${l1Url}"]`,
    'poll_ms = 500',
    '',
    '[consensus]',
    'block_interval_ms = 500',
    'empty_block_interval_ms = 2000',
    'import_lag_ms = 1000',
    '',
    ...(relayer === null
      ? []
      : [
          '[relayer]',
          `exchange_listen = "${HOST}:${relayer.exchangePort}"`,
          ...relayer.peers.flatMap(({ address, port }) => [
            '[[relayer.peers]]',
            `address = "${address}"`,
            `url = "http://${HOST}:${port}"`,
          ]),
          '',
        ]),
    '[storage]',
    'mode = "archive"',
    '',
    '[log]',
    'level = "info"',
    '',
  ].join('\n');

/** Keystores at the first start, configurations at every start. @returns the config file of each node by name */
export const writeNodes = async (
  layout: DevnetLayout,
  accounts: DevnetAccounts,
  ports: DevnetPorts,
  l1Url: string,
): Promise<void> => {
  const { validators, relayers } = accounts;
  const p2pPorts = [...ports.validatorP2p, ...ports.relayerP2p];
  const everyone = await Promise.all(
    [...validators, ...relayers].map(async ({ name, nodeSeed }, index) => ({
      name,
      peerId: await seedToPeerId(nodeSeed),
      p2pPort: p2pPorts[index]!,
    })),
  );
  const exchanges = relayers.map(({ address }, index) => ({ address, port: ports.relayerExchange[index]! }));
  for (const [index, role] of [...validators, ...relayers].entries()) {
    const files = nodeFiles(layout, role.name);
    await writeKeys(files, role);
    const self = everyone[index]!;
    const toml = configToml({
      name: role.name,
      self,
      peers: everyone.filter((other) => other !== self),
      l1Url,
      rpcPort: ports.validatorRpc[index] ?? null,
      relayer:
        index < validators.length
          ? null
          : {
              exchangePort: ports.relayerExchange[index - validators.length]!,
              peers: exchanges.filter(({ address }) => address !== role.address),
            },
    });
    await replaceFileDurably(files.config, toml, 0o644);
  }
};
