/**
 * Commit certificates beside the committed block: is there a second one for its height?
 *
 * Owns what is compared with the block: the certificates that peers send, those that the height's own precommits make,
 * and each seal with the precommit heard from its signer. Does not own the proof (#consensus/evidence.ts). A certificate for
 * the value that was committed says nothing new, and is dropped before its signatures are looked at.
 */
import { buildCommitCertificate, checkCertificateMembers } from '#consensus/certificate.ts';
import type { ConflictingCommit, Misbehaviour } from '#consensus/evidence.ts';
import type { HeightState } from '#consensus/heightState.ts';
import { votesFor } from '#consensus/tally.ts';
import { type CommitCertificate, NIL, type SignedVote } from '#consensus/types.ts';
import { isQuorum } from '#consensus/validatorSet.ts';
import type { ChainReader } from '#node/chain.ts';

/** Two quorums with different values at one height, for a height that is over. */
export const conflictsIn = (state: HeightState, committed: CommitCertificate): readonly Misbehaviour[] => {
  const other = certificatesIn(state).find(({ valueId }) => valueId !== committed.valueId);
  return [
    ...(other === undefined ? [] : [conflictOf(committed, other)]),
    ...sealsAgainstVotes(state, committed),
  ];
};

const conflictOf = (first: CommitCertificate, second: CommitCertificate): ConflictingCommit => ({
  type: 'conflictingCommit',
  first,
  second,
});

/** What this height's own precommits certify. */
const certificatesIn = (state: HeightState): readonly CommitCertificate[] => {
  const found: CommitCertificate[] = [];
  for (const { precommit } of state.votes.rounds.values())
    for (const [valueId, power] of precommit.powerByValue)
      if (valueId !== NIL && isQuorum(state.context.set, power))
        found.push(buildCommitCertificate(votesFor(precommit, valueId)));
  return found;
};

/** A seal of the certificate and a precommit heard here, of one signer in one round, for different values. */
const sealsAgainstVotes = (state: HeightState, certificate: CommitCertificate): readonly Misbehaviour[] => {
  const { height, round, valueId } = certificate;
  const heard = state.votes.rounds.get(round)?.precommit.first;
  if (heard === undefined) return [];
  return certificate.signatures.flatMap(({ validator, signature }) => {
    const second = heard.get(validator);
    if (second === undefined || second.valueId === valueId) return [];
    const first: SignedVote = {
      type: 'precommit',
      height,
      round,
      valueId,
      validator,
      signature,
      payloadHash: null,
    };
    return [{ type: 'duplicateVote' as const, first, second }];
  });
};

/** A peer's certificate for a height that is committed here; null when it does not contradict the block. */
export const conflictWithChain = async (
  chain: Pick<ChainReader, 'blockAt' | 'validatorsAt'>,
  certificate: CommitCertificate,
): Promise<ConflictingCommit | null> => {
  const block = await chain.blockAt(certificate.height);
  if (block === null || block.certificate === null || block.valueId === certificate.valueId) return null;
  const set = await chain.validatorsAt(certificate.height);
  // Whatever has no quorum of that set is no certificate; its sender is judged where it is verified.
  if (set === null || !checkCertificateMembers(set, certificate).valid) return null;
  return conflictOf(block.certificate, certificate);
};
