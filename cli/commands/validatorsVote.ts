/** `causeway validators vote`: an organisation votes for a proposal, and carries it out when that was the last vote needed. */
import { genesisOption, keyOption, rpcUrlOption } from '#cli/bridge/options.ts';
import { defineCommand } from '#cli/command.ts';
import { parseWholeNumber, passphraseFdOption, passphraseFileOption } from '#cli/options.ts';

export const validatorsVote = defineCommand({
  path: ['validators', 'vote'],
  summary: 'vote for a proposal, as an organisation',
  description:
    'Votes for a proposal; not to vote is to be against. When two thirds of the organisations have voted for it, it is carried out at once. Run again after a vote that was cut off, it only carries it out.',
  examples: [
    'validators vote 0 --genesis genesis.json --rpc-url http://127.0.0.1:8545 --key keys/governance.json',
  ],
  argument: { name: 'id', help: 'the number of the proposal', parse: parseWholeNumber },
  options: {
    genesis: genesisOption,
    rpcUrl: rpcUrlOption,
    key: keyOption,
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
  },
  run: async ({ argument, genesis, rpcUrl, key, ...sources }, io) => {
    const { openAccount } = await import('#cli/bridge/session.ts');
    const { openSystem } = await import('#cli/validators/session.ts');
    const { client, governance, govern } = await openSystem({ genesis, rpcUrl });
    const account = await openAccount(key, sources, io);
    const args = [BigInt(argument)] as const;
    const mayVote = await client.readContract({ ...governance, functionName: 'governors' });
    const isGovernor = mayVote.some((governor) => governor.toLowerCase() === account.address.toLowerCase());
    const voted =
      isGovernor &&
      (await client.readContract({
        ...governance,
        functionName: 'hasVoted',
        args: [args[0], account.address],
      }));
    if (!voted) await govern(account, { functionName: 'vote', args });
    const [, , , votes] = await client.readContract({ ...governance, functionName: 'proposal', args });
    const needed = await client.readContract({ ...governance, functionName: 'votesNeeded' });
    if (votes < needed)
      return {
        data: { id: argument, votes, votesNeeded: needed, executed: false },
        text: `proposal ${argument} has ${votes} of ${needed} votes`,
      };
    const hash = await govern(account, { functionName: 'execute', args });
    return {
      data: { id: argument, votes, votesNeeded: needed, executed: true, transaction: hash },
      text: `proposal ${argument} is carried out: ${votes} of ${needed} votes`,
    };
  },
});
