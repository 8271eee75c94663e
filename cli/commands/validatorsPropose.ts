/** `causeway validators propose-add | propose-remove`: an organisation proposes a change, and votes for it. */
import { genesisOption, keyOption, rpcUrlOption } from '#cli/bridge/options.ts';
import { type CommandResult, defineCommand } from '#cli/command.ts';
import type { Io } from '#cli/io.ts';
import {
  defaultedOption,
  parseAddressOption,
  parseWholeNumber,
  passphraseFdOption,
  passphraseFileOption,
} from '#cli/options.ts';
import type { PassphraseSources } from '#cli/passphrase.ts';
import type { Address } from '#consensus/primitives.ts';

const options = {
  genesis: genesisOption,
  rpcUrl: rpcUrlOption,
  key: keyOption,
  passphraseFile: passphraseFileOption,
  passphraseFd: passphraseFdOption,
};
type Sources = PassphraseSources & {
  readonly genesis: string;
  readonly rpcUrl: string;
  readonly key: string;
};

const propose = async (
  { genesis, rpcUrl, key, ...sources }: Sources,
  change: { readonly action: number; readonly account: Address; readonly value: bigint },
  io: Io,
): Promise<CommandResult> => {
  const { openAccount } = await import('#cli/bridge/session.ts');
  const { openSystem } = await import('#cli/validators/session.ts');
  const { parseEventLogs } = await import('viem');
  const system = await openSystem({ genesis, rpcUrl });
  const account = await openAccount(key, sources, io);
  const hash = await system.govern(account, { functionName: 'propose', args: [{ ...change, height: 0n }] });
  const { logs } = await system.client.getTransactionReceipt({ hash });
  const [proposed] = parseEventLogs({ abi: system.governance.abi, logs, eventName: 'Proposed' });
  const { id, expiresAt } = proposed!.args;
  return {
    data: { id, transaction: hash, expiresAt },
    text: `proposal ${id}, open until ${new Date(Number(expiresAt) * 1_000).toISOString()}: the other organisations vote with causeway validators vote ${id}`,
  };
};

export const validatorsProposeAdd = defineCommand({
  path: ['validators', 'propose-add'],
  summary: 'propose a new validator, as an organisation',
  description:
    'Proposes a validator by the address of its consensus key, and votes for it. With two thirds of the organisations it is approved; it enters at the end of the epoch in which it says that it is ready.',
  examples: [
    'validators propose-add 0x1f9840a85d5af5bf1d1762f925bdaddc4201f984 --genesis genesis.json --rpc-url http://127.0.0.1:8545 --key keys/governance.json',
  ],
  argument: { name: 'address', help: 'the address of its consensus key', parse: parseAddressOption },
  options: {
    ...options,
    power: defaultedOption('--power <number>', 'its voting power', parseWholeNumber, 1),
  },
  run: async ({ argument, power, ...sources }, io) =>
    propose(sources, { action: 0, account: argument, value: BigInt(power) }, io),
});

export const validatorsProposeRemove = defineCommand({
  path: ['validators', 'propose-remove'],
  summary: 'propose to take a validator out, as an organisation',
  description:
    'Proposes to take a validator out at the end of the epoch, or to withdraw an approval, and votes for it.',
  examples: [
    'validators propose-remove 0x1f9840a85d5af5bf1d1762f925bdaddc4201f984 --genesis genesis.json --rpc-url http://127.0.0.1:8545 --key keys/governance.json',
  ],
  argument: { name: 'address', help: 'the address of its consensus key', parse: parseAddressOption },
  options,
  run: async ({ argument, ...sources }, io) =>
    propose(sources, { action: 1, account: argument, value: 0n }, io),
});
