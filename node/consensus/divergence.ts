/**
 * Does this node's execution differ from what the others certified? (RULES 19, scenario 41)
 *
 * Pure. It differs when a value has a quorum of precommits (or a certificate), validators with more than 1/3 of the
 * power say that this value comes from a payload, and that payload derived to something else here. The hints are
 * unsigned, so intake.ts keeps one only as its own validator sent it; then one of more than 1/3 is honest.
 */
import type { DerivedValue } from '#consensus/engine.ts';
import { type HeightState, keptRounds, keptVotes, payloadOf } from '#consensus/heightState.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import { NIL } from '#consensus/types.ts';
import { isHonestMinority, isQuorum, powerOf } from '#consensus/validatorSet.ts';
import type { Derivation } from '#node/chain.ts';
import type { ValueAnswer } from '#node/consensus/messages.ts';

/** Who said, in a vote or in answer to a request, that a value comes from a payload. */
export type PayloadClaim = {
  readonly validator: Address;
  readonly valueId: Hash;
  readonly payloadHash: Hash;
};

export type Divergence = {
  readonly valueId: Hash;
  readonly payloadHash: Hash;
  readonly ours: DerivedValue;
  readonly claimants: readonly Address[];
};

const certifiedValues = (state: HeightState): readonly Hash[] => {
  const values = new Set<Hash>(state.certificate === null ? [] : [state.certificate.valueId]);
  for (const { precommit } of state.votes.rounds.values())
    for (const [valueId, power] of precommit.powerByValue)
      if (valueId !== NIL && isQuorum(state.context.set, power)) values.add(valueId);
  return [...values];
};

const claimsInVotes = (state: HeightState): readonly PayloadClaim[] =>
  keptRounds(state).flatMap((round) =>
    (['prevote', 'precommit'] as const).flatMap((type) =>
      keptVotes(state, round, type).flatMap(({ validator, valueId, payloadHash }) =>
        payloadHash === null ? [] : [{ validator, valueId, payloadHash }],
      ),
    ),
  );

export const findDivergence = (state: HeightState, answered: readonly PayloadClaim[]): Divergence | null => {
  const { set } = state.context;
  for (const valueId of certifiedValues(state)) {
    if (payloadOf(state, valueId) !== null) continue;
    const byPayload = new Map<Hash, Set<Address>>();
    for (const claim of [...claimsInVotes(state), ...answered])
      if (claim.valueId === valueId)
        byPayload.set(
          claim.payloadHash,
          (byPayload.get(claim.payloadHash) ?? new Set<Address>()).add(claim.validator),
        );
    for (const [payloadHash, claimants] of byPayload) {
      const ours = state.derived.get(payloadHash);
      const power = [...claimants].reduce((sum, validator) => sum + powerOf(set, validator), 0n);
      if (ours !== undefined && isHonestMinority(set, power))
        return { valueId, payloadHash, ours, claimants: [...claimants] };
    }
  }
  return null;
};

const firstDifference = (ours: readonly Hash[], theirs: readonly Hash[]): string => {
  const length = Math.max(ours.length, theirs.length);
  for (let index = 0; index < length; index++)
    if (ours[index] !== theirs[index])
      return `the first differing receipt is ${index}: ours ${ours[index] ?? 'missing'}, theirs ${theirs[index] ?? 'missing'}`;
  return 'all receipts agree';
};

const MAX_LISTED = 16;
const listOf = (hashes: readonly Hash[]): string =>
  `[${hashes.slice(0, MAX_LISTED).join(', ')}${hashes.length > MAX_LISTED ? ', …' : ''}]`;

/** One paragraph for the operator. @param theirs what a claimant answered, null if none did */
export const explainDivergence = (
  height: bigint,
  divergence: Divergence,
  ours: Derivation | null,
  theirs: ValueAnswer['derived'],
): string => {
  const { valueId, payloadHash } = divergence;
  const own = divergence.ours.valid ? divergence.ours.valueId : `invalid (${divergence.ours.reason})`;
  const parts = [
    `expected payload ${payloadHash} of height ${height} to derive to the certified value ${valueId}, found ${own}`,
  ];
  if (ours?.valid && theirs !== null) {
    const fields = (Object.keys(theirs.checkpoint) as (keyof typeof theirs.checkpoint)[]).filter(
      (field) => theirs.checkpoint[field] !== ours.checkpoint[field],
    );
    parts.push(
      ...fields.map(
        (field) => `${field}: ours ${ours.checkpoint[field]}, theirs ${theirs.checkpoint[field]}`,
      ),
      firstDifference(ours.receiptHashes, theirs.receiptHashes),
      `receipt hashes: ours ${listOf(ours.receiptHashes)}, theirs ${listOf(theirs.receiptHashes)}`,
    );
  }
  parts.push(
    'execution differs here: compare the software versions of the validators, then restart this node',
  );
  return parts.join('; ');
};
