import { authenticateProposal, authenticateVote } from '#consensus/authenticate.ts';
import { type Hash, type Signature, ZERO_HASH } from '#consensus/primitives.ts';
import { NIL, type Proposal, type Vote } from '#consensus/types.ts';
import { createKeyPairs, signProposal, signVote } from '#test/unit/consensus/keys.ts';
import { DOMAIN, payload, value } from '#test/unit/consensus/scenario.ts';

const KEY = createKeyPairs(1)[0]!;
const VOTE: Vote = { type: 'prevote', height: 5n, round: 2, valueId: value('a') };
const FRESH: Proposal = { height: 5n, round: 2, polRound: -1, payloadHash: payload('a'), valueId: NIL };

test('a vote is credited to whoever signed it', () => {
  const { signature } = signVote(DOMAIN, KEY, VOTE);
  expect(authenticateVote(DOMAIN, VOTE, signature, payload('a'))).toEqual({
    ...VOTE,
    validator: KEY.address,
    signature,
    payloadHash: payload('a'),
  });
});

test('a nil vote carries no hint', () => {
  const nil: Vote = { ...VOTE, valueId: NIL };
  const { signature } = signVote(DOMAIN, KEY, nil);
  expect(authenticateVote(DOMAIN, nil, signature, payload('a'))?.payloadHash).toBeNull();
});

test('a vote of another domain, type, round or value is not the signer’s (scenario 17)', () => {
  const { signature } = signVote(DOMAIN, KEY, VOTE);
  const authors = [
    authenticateVote({ ...DOMAIN, chainId: 1n }, VOTE, signature, null),
    authenticateVote({ ...DOMAIN, genesisHash: ZERO_HASH }, VOTE, signature, null),
    authenticateVote(DOMAIN, { ...VOTE, type: 'precommit' }, signature, null),
    authenticateVote(DOMAIN, { ...VOTE, round: 3 }, signature, null),
    authenticateVote(DOMAIN, { ...VOTE, valueId: value('b') }, signature, null),
  ];
  for (const author of authors) expect(author?.validator).not.toBe(KEY.address);
});

test('fields out of range and signatures that are none give null', () => {
  const { signature } = signVote(DOMAIN, KEY, VOTE);
  const outOfRange: readonly Partial<Vote>[] = [
    { round: -1 },
    { round: 0.5 },
    { round: Number.NaN },
    { round: 2 ** 32 },
    { height: 0n },
    { height: -1n },
    { height: 2n ** 64n },
  ];
  for (const bad of outOfRange)
    expect(authenticateVote(DOMAIN, { ...VOTE, ...bad }, signature, null)).toBeNull();
  for (const bad of [`0x${'00'.repeat(65)}`, signature.slice(0, -2)])
    expect(authenticateVote(DOMAIN, VOTE, bad as Signature, null)).toBeNull();
});

test('a proposal is credited to whoever signed it', () => {
  const { signature } = signProposal(DOMAIN, KEY, FRESH);
  expect(authenticateProposal(DOMAIN, FRESH, signature)).toEqual({
    ...FRESH,
    proposer: KEY.address,
    signature,
  });
});

test('a proposal names a value exactly when it names an earlier round (RULES 8)', () => {
  const isAccepted = (change: Partial<Proposal>): boolean => {
    const proposal = { ...FRESH, ...change };
    return authenticateProposal(DOMAIN, proposal, signProposal(DOMAIN, KEY, proposal).signature) !== null;
  };
  const valueId: Hash = value('a');
  expect(isAccepted({ polRound: 1, valueId })).toBe(true);
  expect(isAccepted({ polRound: -1, valueId })).toBe(false);
  expect(isAccepted({ polRound: 1, valueId: NIL })).toBe(false);
  expect(isAccepted({ polRound: 2, valueId })).toBe(false);
  expect(isAccepted({ polRound: 3, valueId })).toBe(false);
  expect(isAccepted({ polRound: -2, valueId })).toBe(false);
  expect(isAccepted({ round: 2 ** 32 })).toBe(false);
});
