/** `causeway genesis inspect`: rebuilds a genesis file and shows what everyone agrees on. */
import { defineCommand } from '#cli/command.ts';
import { formatEth, formatTable } from '#cli/io.ts';
import { parsePath } from '#cli/options.ts';
import type { Genesis } from '#genesis/spec.ts';

export const describeGenesis = ({ spec, specHash, genesisHash, stateRoot, l1, backedWei }: Genesis): string =>
  formatTable([
    ['chain', `${spec.name}, chain id ${spec.chainId}, on L1 chain id ${spec.l1ChainId}`],
    ['genesis hash', genesisHash],
    ['spec hash', specHash],
    ['state root', stateRoot],
    ['timestamp', new Date(Number(spec.timestamp) * 1_000).toISOString()],
    ['epoch', `${spec.epochLength} blocks`],
    ['gas a block', String(spec.blockGasLimit)],
    ['base fee', `${spec.feePolicy.mode}, ${spec.feePolicy.baseFeeWei} wei`],
    ['backed', `${formatEth(backedWei)} in ${spec.balances.length} accounts`],
    ...spec.validators.map(({ name, address, power }) => [
      'validator',
      `${address}  power ${power}  ${name}`,
    ]),
    ...spec.relayers.map(({ name, address }) => ['relayer', `${address}  ${name}`]),
    ['threshold', `${spec.relayerThreshold} of ${spec.relayers.length} relayers`],
    ...spec.governors.map(({ name, address }) => ['governor', `${address}  ${name}`]),
    ['deployer', spec.deployer],
    ...Object.entries(l1).map(([name, address]) => [`L1 ${name}`, address]),
  ]);

export const genesisInspect = defineCommand({
  path: ['genesis', 'inspect'],
  summary: 'rebuild a genesis file, compare, and show it',
  description:
    'Rebuilds block 0 from the specification inside the file and compares every hash and address. Exit code 5 if the file does not follow from its inputs.',
  examples: ['genesis inspect genesis.json', 'genesis inspect genesis.json --json'],
  argument: { name: 'file', help: 'the genesis file', parse: parsePath },
  options: {},
  run: async ({ argument: file }) => {
    const { genesisToJson, loadGenesis } = await import('#genesis/genesisFile.ts');
    const genesis = await loadGenesis(file);
    return { data: genesisToJson(genesis), text: describeGenesis(genesis) };
  },
});
