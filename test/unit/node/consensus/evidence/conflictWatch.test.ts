import { handle } from '#consensus/heightMachine.ts';
import { createHeight } from '#consensus/heightState.ts';
import type { SignedVote } from '#consensus/types.ts';
import { conflictsIn, conflictWithChain } from '#node/consensus/evidence/conflictWatch.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { hashOf, KEYS } from '#test/sim/cluster/samples.ts';
import { certificateBy, NEWCOMER, SET, voteBy } from '#test/unit/node/consensus/evidence/support.ts';

const HEIGHT = 5n;
const COMMITTED = certificateBy(KEYS.slice(0, 3), HEIGHT, 0, hashOf(1));

const stateWith = (...votes: readonly SignedVote[]) => {
  const start = createHeight({ height: HEIGHT, set: SET, domain: DOMAIN, self: null });
  return votes.reduce((state, vote) => handle(state, { type: 'vote', vote }).state, start);
};
const precommit = (index: number, byte: number, round = 0): SignedVote =>
  voteBy(KEYS[index]!, { type: 'precommit', height: HEIGHT, round, valueId: hashOf(byte) });

test('a height whose votes agree with its certificate has no conflict', () => {
  expect(conflictsIn(stateWith(precommit(0, 1), precommit(1, 1), precommit(3, 0)), COMMITTED)).toEqual([]);
});

test('a seal and a precommit heard here, of one validator in one round for two values, are evidence', () => {
  const found = conflictsIn(stateWith(precommit(0, 2), precommit(1, 1), precommit(2, 2, 1)), COMMITTED);
  expect(found).toMatchObject([
    { type: 'duplicateVote', first: { valueId: hashOf(1) }, second: { valueId: hashOf(2) } },
  ]);
  expect(found[0]!.first).toMatchObject({ validator: KEYS[0]!.address });
});

test('a second quorum among this height’s own precommits is a conflicting commit', () => {
  const votes = [1, 2, 3].map((index) => precommit(index, 2, 1));
  const found = conflictsIn(stateWith(...votes), COMMITTED);
  expect(found).toMatchObject([
    { type: 'conflictingCommit', first: { valueId: hashOf(1) }, second: { round: 1, valueId: hashOf(2) } },
  ]);
});

test('a peer’s certificate conflicts with the chain only with another value and a quorum of that height’s set', async () => {
  const block = { valueId: hashOf(1), certificate: COMMITTED };
  const chain = {
    blockAt: async (height: bigint) => (height === HEIGHT ? block : null),
    validatorsAt: async () => SET,
  } as unknown as Parameters<typeof conflictWithChain>[0];
  const keys = KEYS.slice(0, 3);
  expect(await conflictWithChain(chain, certificateBy(keys, HEIGHT, 3, hashOf(1)))).toBeNull();
  expect(await conflictWithChain(chain, certificateBy(keys, 4n, 0, hashOf(2)))).toBeNull();
  expect(await conflictWithChain(chain, certificateBy(KEYS.slice(0, 2), HEIGHT, 0, hashOf(2)))).toBeNull();
  expect(await conflictWithChain(chain, certificateBy([...keys, NEWCOMER], HEIGHT, 0, hashOf(2)))).toBeNull();
  const other = certificateBy(keys, HEIGHT, 0, hashOf(2));
  expect(await conflictWithChain(chain, other)).toEqual({
    type: 'conflictingCommit',
    first: COMMITTED,
    second: other,
  });
});
