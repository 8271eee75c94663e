import { buildCommitCertificate } from '#consensus/certificate.ts';
import type { Evidence } from '#consensus/engine.ts';
import {
  type ConflictingCommit,
  canonicalMisbehaviour,
  type Misbehaviour,
  signersOfBoth,
  verifyEvidence,
  verifyMisbehaviour,
} from '#consensus/evidence.ts';
import type { Signature } from '#consensus/primitives.ts';
import { type CommitCertificate, NIL, type Proposal, type Vote } from '#consensus/types.ts';
import { createKeyPairs, setOfKeys, signProposal, signVote } from '#test/unit/consensus/keys.ts';
import { DOMAIN, payload, value } from '#test/unit/consensus/scenario.ts';

const KEYS = createKeyPairs(3);
const [OFFENDER, OTHER, STRANGER] = KEYS as [(typeof KEYS)[0], (typeof KEYS)[0], (typeof KEYS)[0]];
const SET = setOfKeys([OFFENDER, OTHER]);
const VOTE: Vote = { type: 'precommit', height: 3n, round: 1, valueId: value('a') };
const FRESH: Proposal = { height: 3n, round: 1, polRound: -1, payloadHash: payload('a'), valueId: NIL };

const votes = (change: Partial<Vote>, key = OFFENDER): Evidence => ({
  type: 'duplicateVote',
  first: signVote(DOMAIN, OFFENDER, VOTE),
  second: signVote(DOMAIN, key, { ...VOTE, ...change }),
});
const verdict = (evidence: Evidence): string => {
  const result = verifyEvidence(DOMAIN, SET, evidence);
  return result.valid ? result.offender : result.code;
};

test('two votes of one step for different values convict their signer, nil included', () => {
  expect(verdict(votes({ valueId: value('b') }))).toBe(OFFENDER.address);
  expect(verdict(votes({ valueId: NIL }))).toBe(OFFENDER.address);
});

test('votes of different steps, rounds, heights or signers convict nobody', () => {
  expect(verdict(votes({ valueId: value('b'), type: 'prevote' }))).toBe('NOT_COMPARABLE');
  expect(verdict(votes({ valueId: value('b'), round: 2 }))).toBe('NOT_COMPARABLE');
  expect(verdict(votes({ valueId: value('b'), height: 4n }))).toBe('NOT_COMPARABLE');
  expect(verdict(votes({ valueId: value('b') }, OTHER))).toBe('NOT_COMPARABLE');
});

test('one vote with two signatures or hints convicts nobody: a conflict means different digests', () => {
  const { first, ...rest } = votes({}) as Extract<Evidence, { type: 'duplicateVote' }>;
  expect(verdict({ ...rest, first: { ...first, payloadHash: payload('b') } })).toBe('SAME_MESSAGE');
});

test('a forged signature convicts nobody', () => {
  const forged = votes({ valueId: value('b') }) as Extract<Evidence, { type: 'duplicateVote' }>;
  const zero = `0x${'00'.repeat(65)}` as Signature;
  expect(verdict({ ...forged, second: { ...forged.second, signature: zero } })).toBe('BAD_SIGNATURE');
  const framed = {
    ...signVote(DOMAIN, OTHER, { ...VOTE, valueId: value('b') }),
    validator: OFFENDER.address,
  };
  expect(verdict({ ...forged, second: framed })).toBe('BAD_SIGNATURE');
});

test('a stranger cannot be convicted', () => {
  const first = signVote(DOMAIN, STRANGER, VOTE);
  const second = signVote(DOMAIN, STRANGER, { ...VOTE, valueId: value('b') });
  expect(verdict({ type: 'duplicateVote', first, second })).toBe('NOT_A_MEMBER');
});

test('two proposals of one round convict their signer without executing anything', () => {
  const pair = (change: Partial<Proposal>): Evidence => ({
    type: 'duplicateProposal',
    first: signProposal(DOMAIN, OFFENDER, FRESH),
    second: signProposal(DOMAIN, OFFENDER, { ...FRESH, ...change }),
  });
  expect(verdict(pair({ payloadHash: payload('b') }))).toBe(OFFENDER.address);
  expect(verdict(pair({ polRound: 0, valueId: value('a') }))).toBe(OFFENDER.address);
  expect(verdict(pair({}))).toBe('SAME_MESSAGE');
  expect(verdict(pair({ round: 2, payloadHash: payload('b') }))).toBe('NOT_COMPARABLE');
});

test('two proposals convict nobody when they are of two proposers, a stranger’s or forged', () => {
  const first = signProposal(DOMAIN, OFFENDER, FRESH);
  const second = signProposal(DOMAIN, OFFENDER, { ...FRESH, payloadHash: payload('b') });
  const others = signProposal(DOMAIN, OTHER, { ...FRESH, payloadHash: payload('b') });
  const pair = (one: typeof first, two: typeof first): Evidence => ({
    type: 'duplicateProposal',
    first: one,
    second: two,
  });
  expect(verdict(pair(first, others))).toBe('NOT_COMPARABLE');
  expect(verdict(pair(first, { ...others, proposer: OFFENDER.address }))).toBe('BAD_SIGNATURE');
  expect(verdict(pair({ ...first, signature: second.signature }, second))).toBe('BAD_SIGNATURE');
  const strangers = [FRESH, { ...FRESH, payloadHash: payload('b') }].map((proposal) =>
    signProposal(DOMAIN, STRANGER, proposal),
  );
  expect(verdict(pair(strangers[0]!, strangers[1]!))).toBe('NOT_A_MEMBER');
});

test('what does not convict one validator is no misbehaviour either', () => {
  const result = verifyMisbehaviour(DOMAIN, SET, votes({}));
  expect(result).toEqual({ valid: false, code: 'SAME_MESSAGE' });
});

const certificate = (round: number, name: string, keys = [OFFENDER, OTHER]): CommitCertificate => {
  const vote: Vote = { type: 'precommit', height: 3n, round, valueId: value(name) };
  return buildCommitCertificate(keys.map((key) => signVote(DOMAIN, key, vote)));
};
const commits = (first: CommitCertificate, second: CommitCertificate): ConflictingCommit => ({
  type: 'conflictingCommit',
  first,
  second,
});
const verdictOn = (item: ConflictingCommit): unknown => {
  const result = verifyMisbehaviour(DOMAIN, SET, item);
  return result.valid ? result.offenders : result.code;
};

test('two certificates prove nothing with one value, other heights, no quorum or a stranger', () => {
  expect(verdictOn(commits(certificate(0, 'a'), certificate(1, 'a')))).toBe('SAME_MESSAGE');
  const elsewhere = { ...certificate(0, 'b'), height: 4n };
  expect(verdictOn(commits(certificate(0, 'a'), elsewhere))).toBe('NOT_COMPARABLE');
  expect(verdictOn(commits(certificate(0, 'a'), certificate(0, 'b', [OTHER])))).toBe('BAD_CERTIFICATE');
  expect(verdictOn(commits(certificate(0, 'a', [OFFENDER, STRANGER]), certificate(0, 'b')))).toBe(
    'BAD_CERTIFICATE',
  );
  const renamed = { ...certificate(0, 'a'), valueId: value('b') };
  expect(verdictOn(commits(certificate(0, 'a'), renamed))).toBe('BAD_CERTIFICATE');
});

test('two certificates of one round convict whoever signed both; of two rounds, the set alone', () => {
  const both = [OFFENDER.address, OTHER.address].sort();
  expect(verdictOn(commits(certificate(0, 'a'), certificate(0, 'b')))).toEqual(both);
  const rounds = commits(certificate(0, 'a'), certificate(4, 'b'));
  expect(verdictOn(rounds)).toEqual([]);
  expect(signersOfBoth(rounds)).toEqual(both);
});

test('one conflict has one form, whoever saw it and in whichever order', () => {
  const pairs: readonly Misbehaviour[] = [
    votes({ valueId: value('b') }),
    {
      type: 'duplicateProposal',
      first: signProposal(DOMAIN, OFFENDER, FRESH),
      second: signProposal(DOMAIN, OFFENDER, { ...FRESH, payloadHash: payload('b') }),
    },
    commits(certificate(0, 'a'), certificate(0, 'b')),
    commits(certificate(10, 'a'), certificate(9, 'b')),
  ];
  for (const item of pairs) {
    const swapped = { ...item, first: item.second, second: item.first } as Misbehaviour;
    expect(canonicalMisbehaviour(DOMAIN, swapped)).toEqual(canonicalMisbehaviour(DOMAIN, item));
    expect(verifyMisbehaviour(DOMAIN, SET, canonicalMisbehaviour(DOMAIN, item)).valid).toBe(true);
  }
  const hinted = votes({ valueId: value('b') }) as Extract<Evidence, { type: 'duplicateVote' }>;
  const other = { ...hinted, first: { ...hinted.first, payloadHash: payload('b') } };
  expect(canonicalMisbehaviour(DOMAIN, other)).toEqual(canonicalMisbehaviour(DOMAIN, hinted));
});
