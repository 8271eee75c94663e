/**
 * Is a payload worth executing yet? Execution is the scarce thing, and a proposal alone buys little of it (RULES 4).
 *
 * Pure. A payload is executed if a fresh proposal of a round that has come, or comes next, may carry its weight, or if
 * it matters for another reason, however heavy it is: a re-proposal names it together with a polka, more than 1/3
 * voted for a value and name it as the payload, or a peer gave it for a value that is supported here (votes of more
 * than 1/3, a certificate, a lock, a valid value; lines 36, 49). Until then it is withheld, and asked about again
 * after each input. The names in votes are unsigned, so one voter's word is not enough.
 */
import { type HeightState, hasPolka } from '#consensus/heightState.ts';
import type { Hash } from '#consensus/primitives.ts';
import { powerFor, votesFor } from '#consensus/tally.ts';
import { NIL, type SignedProposal } from '#consensus/types.ts';
import { isHonestMinority, powerOf } from '#consensus/validatorSet.ts';
import { findRoundFault, type PayloadWeight } from '#node/consensus/payloadWeight.ts';

export type PayloadInHand = {
  readonly payloadHash: Hash;
  /** Null: undecodable, so that refusing it costs no execution. */
  readonly weight: PayloadWeight | null;
  /** What peers said that it derives to. */
  readonly claimedValues: readonly Hash[];
};

/** Null when it is worth executing; otherwise why not. */
export const whyWithheld = (
  state: HeightState,
  { payloadHash, weight, claimedValues }: PayloadInHand,
  blockGasLimit: bigint,
): string | null => {
  if (weight === null) return null;
  const proposals = proposalsOf(state, payloadHash).filter(({ round }) => round <= state.round.round + 1);
  const rounds = proposals.map(({ round }) => round);
  if (claimedValues.length > 0) rounds.push(Math.max(0, state.round.round));
  const faults = rounds.map((round) => findRoundFault(weight, round, blockGasLimit));
  const isNeeded =
    proposals.some(({ polRound, valueId }) => polRound >= 0 && hasPolka(state, polRound, valueId)) ||
    claimedValues.some((valueId) => isSupported(state, valueId)) ||
    namedValues(state, payloadHash).length > 0;
  if (isNeeded || faults.includes(null)) return null;
  return faults[0] ?? 'expected a proposal of a round that has come, found none';
};

const proposalsOf = (state: HeightState, payloadHash: Hash): readonly SignedProposal[] =>
  [...state.proposals.values()]
    .map(({ first }) => first)
    .filter((proposal) => proposal.payloadHash === payloadHash);

/** At least one honest validator vouches for it, or it is our own lock. */
export const isSupported = ({ context, certificate, round, votes }: HeightState, valueId: Hash): boolean =>
  [certificate, round.locked, round.valid, context.restoredLock].some((held) => held?.valueId === valueId) ||
  [...votes.rounds.values()].some(({ prevote, precommit }) =>
    [prevote, precommit].some((tally) => isHonestMinority(context.set, powerFor(tally, valueId))),
  );

/** The values that voters with more than 1/3 of the power say, in one step of one round, come from this payload. */
export const namedValues = ({ context, votes }: HeightState, payloadHash: Hash): readonly Hash[] =>
  [...votes.rounds.values()].flatMap(({ prevote, precommit }) =>
    [prevote, precommit].flatMap((tally) =>
      [...tally.powerByValue.keys()].filter((valueId) => {
        if (valueId === NIL) return false;
        const power = votesFor(tally, valueId)
          .filter((vote) => vote.payloadHash === payloadHash)
          .reduce((sum, { validator }) => sum + powerOf(context.set, validator), 0n);
        return isHonestMinority(context.set, power);
      }),
    ),
  );
