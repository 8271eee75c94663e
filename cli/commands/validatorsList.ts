/** `causeway validators list`: who votes, who is about to, and what the organisations are deciding. */
import { genesisOption, rpcUrlOption } from '#cli/bridge/options.ts';
import { defineCommand } from '#cli/command.ts';
import { formatTable } from '#cli/io.ts';

const ACTIONS = ['approve', 'remove', 'set power', 'upgrade'] as const;
/** Older proposals have been executed or have expired, as a rule. */
const NEWEST_PROPOSALS = 20n;

export const validatorsList = defineCommand({
  path: ['validators', 'list'],
  summary: 'who votes, who is about to, and what is being decided',
  description:
    'Shows the active and the pending set, approved validators that are not ready yet, those that leave for having signed twice, and the proposals that are open.',
  examples: ['validators list --genesis genesis.json --rpc-url http://127.0.0.1:8545'],
  options: { genesis: genesisOption, rpcUrl: rpcUrlOption },
  run: async (sources) => {
    const { openSystem } = await import('#cli/validators/session.ts');
    const { client, governance, validatorSet } = await openSystem(sources);
    const list = async (functionName: 'active' | 'pending' | 'approved' | 'jailed') =>
      (await client.readContract({ ...validatorSet, functionName })).map(({ account, power }) => ({
        address: account.toLowerCase(),
        power,
      }));
    const [active, pending, approved, jailed, epoch, epochEnd, count, votesNeeded, block] = await Promise.all(
      [
        list('active'),
        list('pending'),
        list('approved'),
        list('jailed'),
        client.readContract({ ...validatorSet, functionName: 'epoch' }),
        client.readContract({ ...validatorSet, functionName: 'epochEnd' }),
        client.readContract({ ...governance, functionName: 'proposalCount' }),
        client.readContract({ ...governance, functionName: 'votesNeeded' }),
        client.getBlock(),
      ],
    );
    const first = count > NEWEST_PROPOSALS ? count - NEWEST_PROPOSALS : 0n;
    const ids = Array.from({ length: Number(count - first) }, (_, index) => first + BigInt(index));
    const proposals = await Promise.all(
      ids.map(async (id) => {
        const [change, expiresAt, executed, votes] = await client.readContract({
          ...governance,
          functionName: 'proposal',
          args: [id],
        });
        const action = ACTIONS[change.action] ?? `action ${change.action}`;
        return { id, ...change, account: change.account.toLowerCase(), action, expiresAt, executed, votes };
      }),
    );
    const open = proposals.filter(({ executed, expiresAt }) => !executed && expiresAt >= block.timestamp);
    const rows = (name: string, entries: Awaited<ReturnType<typeof list>>) =>
      entries.map(({ address, power }) => [name, address, power === 0n ? '' : `power ${power}`]);
    return {
      data: { epoch, epochEnd, active, pending, approved, jailed, votesNeeded, proposals: open },
      text: formatTable([
        ['epoch', `${epoch}`, `ends with block ${epochEnd}`],
        ...rows('active', active),
        ...rows('pending', pending),
        ...rows('approved', approved),
        ...rows('jailed', jailed),
        ...open.map(({ id, action, account, value, height, votes }) => [
          `proposal ${id}`,
          action === 'upgrade' ? `rules version ${value} from height ${height}` : `${action} ${account}`,
          `${action === 'remove' || action === 'upgrade' ? '' : `power ${value}, `}${votes} of ${votesNeeded} votes`,
        ]),
      ]),
    };
  },
});
