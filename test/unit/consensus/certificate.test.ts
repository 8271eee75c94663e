import { buildCommitCertificate, verifyCommitCertificate } from '#consensus/certificate.ts';
import type { Signature } from '#consensus/primitives.ts';
import { type CommitCertificate, NIL, type Vote, type VoteType } from '#consensus/types.ts';
import { createKeyPairs, setOfKeys, signVote } from '#test/unit/consensus/keys.ts';
import { DOMAIN, value } from '#test/unit/consensus/scenario.ts';

const KEYS = createKeyPairs(5);
const SET = setOfKeys(KEYS.slice(0, 4));
const VALUE = value('a');

const seals = (
  signers: readonly number[],
  change: { type?: VoteType; height?: bigint; round?: number; valueId?: typeof VALUE } = {},
) =>
  signers.map((index) => {
    const vote: Vote = { type: 'precommit', height: 9n, round: 1, valueId: VALUE, ...change };
    const { validator, signature } = signVote(DOMAIN, KEYS[index]!, vote);
    return { validator, signature };
  });
const certificate = (change: Partial<CommitCertificate> = {}): CommitCertificate => ({
  height: 9n,
  round: 1,
  valueId: VALUE,
  signatures: seals([0, 1, 3]),
  ...change,
});
const verify = (change: Partial<CommitCertificate>, expected = {}): string => {
  const result = verifyCommitCertificate(DOMAIN, SET, certificate(change), expected);
  return result.valid ? 'VALID' : result.code;
};

test('a certificate built from precommits in any order verifies', () => {
  const precommits = [3, 0, 1].map((index) =>
    signVote(DOMAIN, KEYS[index]!, { type: 'precommit', height: 9n, round: 1, valueId: VALUE }),
  );
  const built = buildCommitCertificate(precommits);
  expect(built).toEqual(certificate());
  expect(verifyCommitCertificate(DOMAIN, SET, built, { height: 9n, valueId: VALUE })).toEqual({
    valid: true,
    power: 3n,
  });
});

test('one duplicate, unknown or late signer makes it worthless (scenario 9)', () => {
  expect(verify({ signatures: seals([0, 1, 1, 2]) })).toBe('DUPLICATE_SIGNER');
  expect(verify({ signatures: seals([0, 1, 3, 2]) })).toBe('NOT_ASCENDING');
  expect(verify({ signatures: seals([0, 1, 2, 4]) })).toBe('UNKNOWN_SIGNER');
});

test('one seal of another type, round, height, value or chain makes it worthless', () => {
  const good = seals([0, 1, 2]);
  const mixed = [{ type: 'prevote' as const }, { round: 0 }, { height: 8n }, { valueId: value('b') }].map(
    (change) => [...good, ...seals([3], change)],
  );
  for (const signatures of mixed) expect(verify({ signatures })).toBe('BAD_SIGNATURE');
  const foreign = verifyCommitCertificate({ ...DOMAIN, chainId: 1n }, SET, certificate());
  expect(foreign).toMatchObject({ valid: false, code: 'BAD_SIGNATURE' });
});

test('a seal that is no signature makes it worthless', () => {
  const [first, ...rest] = seals([0, 1, 2, 3]);
  const broken = { ...first!, signature: `0x${'00'.repeat(65)}` as Signature };
  expect(verify({ signatures: [broken, ...rest] })).toBe('BAD_SIGNATURE');
});

test('exactly 2/3 of the power is not a quorum', () => {
  expect(verify({ signatures: seals([0, 1]) })).toBe('NO_QUORUM');
  expect(verify({ signatures: [] })).toBe('NO_QUORUM');
  const heavy = setOfKeys(KEYS.slice(0, 4), [1n, 1n, 1n, 6n]);
  const result = (signers: readonly number[]) =>
    verifyCommitCertificate(DOMAIN, heavy, certificate({ signatures: seals(signers) })).valid;
  expect(result([3])).toBe(false);
  expect(result([0, 3])).toBe(true);
  expect(result([0, 1, 2])).toBe(false);
});

test('a certificate for nil, another height or another value than expected is refused', () => {
  expect(verify({ valueId: NIL, signatures: seals([0, 1, 2], { valueId: NIL }) })).toBe('NIL_VALUE');
  expect(verify({}, { height: 10n })).toBe('WRONG_HEIGHT');
  expect(verify({}, { height: 8n })).toBe('WRONG_HEIGHT');
  expect(verify({}, { valueId: value('b') })).toBe('WRONG_VALUE');
});

test('numbers out of range are an answer, not an exception', () => {
  for (const change of [
    { round: -1 },
    { round: 0.5 },
    { round: 2 ** 40 },
    { height: 0n },
    { height: 2n ** 300n },
  ])
    expect(verify(change)).toBe('OUT_OF_RANGE');
});

test('a certificate is not built from nothing', () => {
  expect(() => buildCommitCertificate([])).toThrow('expected the precommits of a quorum, found none');
});
