/**
 * Commit certificates: built from precommits, verified by anybody who knows the height's set.
 *
 * A certificate is accepted or refused whole: one bad signature makes it worthless, so that two nodes never disagree
 * about one, and what PegVerifier would refuse is refused here. Signatures of another type, height, round, value,
 * chain or genesis recover to somebody else, hence `BAD_SIGNATURE` covers them all.
 */
import { isRound, isVotableHeight } from '#consensus/authenticate.ts';
import { recoverAddress } from '#consensus/crypto/secp256k1.ts';
import { voteDigest } from '#consensus/digests.ts';
import { compareHex, type Hash } from '#consensus/primitives.ts';
import {
  type CommitCertificate,
  type ConsensusDomain,
  NIL,
  type SignedVote,
  type Vote,
} from '#consensus/types.ts';
import { isQuorum, powerOf, type ValidatorSet } from '#consensus/validatorSet.ts';

export type CertificateFault =
  | 'WRONG_HEIGHT'
  | 'WRONG_VALUE'
  | 'OUT_OF_RANGE'
  | 'NIL_VALUE'
  | 'DUPLICATE_SIGNER'
  | 'NOT_ASCENDING'
  | 'UNKNOWN_SIGNER'
  | 'BAD_SIGNATURE'
  | 'NO_QUORUM';

export type CertificateResult =
  | { readonly valid: true; readonly power: bigint }
  | { readonly valid: false; readonly code: CertificateFault; readonly reason: string };

/** What the caller knows about the block that the certificate should be for. */
export type ExpectedCommit = { readonly height?: bigint; readonly valueId?: Hash };

const refuse = (code: CertificateFault, reason: string): CertificateResult => ({
  valid: false,
  code,
  reason,
});

/** @param set the set of the certificate's height; the certificate itself cannot say which that is. */
export const verifyCommitCertificate = (
  domain: ConsensusDomain,
  set: ValidatorSet,
  certificate: CommitCertificate,
  expected: ExpectedCommit = {},
): CertificateResult => {
  const { height, round, valueId } = certificate;
  if (expected.height !== undefined && height !== expected.height)
    return refuse('WRONG_HEIGHT', `expected a certificate for height ${expected.height}, found ${height}`);
  if (expected.valueId !== undefined && valueId !== expected.valueId)
    return refuse('WRONG_VALUE', `expected a certificate for value ${expected.valueId}, found ${valueId}`);
  const members = checkCertificateMembers(set, certificate);
  if (!members.valid) return members;
  const precommit: Vote = { type: 'precommit', height, round, valueId };
  const digest = voteDigest(domain, precommit);
  for (const { validator, signature } of certificate.signatures) {
    const signer = recoverAddress(digest, signature);
    if (signer !== validator)
      return refuse(
        'BAD_SIGNATURE',
        `expected a precommit seal of ${validator}, found one of ${signer ?? 'nobody'}`,
      );
  }
  return members;
};

/** Everything about a certificate except its signatures. */
export const checkCertificateMembers = (
  set: ValidatorSet,
  { height, round, valueId, signatures }: CommitCertificate,
): CertificateResult => {
  if (!isVotableHeight(height) || !isRound(round))
    return refuse(
      'OUT_OF_RANGE',
      `expected a uint64 height ≥ 1 and a uint32 round, found ${height} and ${round}`,
    );
  if (valueId === NIL) return refuse('NIL_VALUE', 'expected a certificate for a value, found one for nil');
  let power = 0n;
  for (const [index, { validator }] of signatures.entries()) {
    const previous = signatures[index - 1];
    const order = previous === undefined ? -1 : compareHex(previous.validator, validator);
    if (order === 0) return refuse('DUPLICATE_SIGNER', `expected each signer once, found ${validator} twice`);
    if (order > 0)
      return refuse('NOT_ASCENDING', `expected signers in ascending order, found ${validator} late`);
    const signerPower = powerOf(set, validator);
    if (signerPower === 0n)
      return refuse('UNKNOWN_SIGNER', `expected members of set ${set.hash} only, found ${validator}`);
    power += signerPower;
  }
  if (!isQuorum(set, power))
    return refuse('NO_QUORUM', `expected more than 2/3 of ${set.totalPower} power, found ${power}`);
  return { valid: true, power };
};

/** @param precommits of one (height, round, value), one for each validator, a quorum together; any order. */
export const buildCommitCertificate = (precommits: readonly SignedVote[]): CommitCertificate => {
  const first = precommits[0];
  if (first === undefined) throw new Error('expected the precommits of a quorum, found none');
  return {
    height: first.height,
    round: first.round,
    valueId: first.valueId,
    signatures: precommits
      .map(({ validator, signature }) => ({ validator, signature }))
      .sort((a, b) => compareHex(a.validator, b.validator)),
  };
};
