/**
 * What an operator may do to a sign guard: close heights, and take over what the same key signed elsewhere.
 *
 * Pure. Invariant: every change only ever forbids more. A height in which two histories of the key meet is closed
 * (`learned`), because neither knows all that the other signed in it.
 */
import { ZERO_HASH } from '#consensus/primitives.ts';
import { NIL } from '#consensus/types.ts';
import { MAX_ROUND } from '#node/consensus/fields.ts';
import { compareSigningOrder, GuardError, type GuardLock, type GuardState } from '#node/consensus/guard.ts';

/** Nothing at or below this height is signed any more; the state itself when that is so already. */
export const closeHeight = (state: GuardState, height: bigint): GuardState => {
  if (state.height > height) return state;
  if (state.height === height)
    return state.learned && state.round === MAX_ROUND ? state : closed(height, state.lock);
  return closed(height, null);
};

const closed = (height: bigint, lock: GuardLock | null): GuardState => ({
  height,
  round: MAX_ROUND,
  step: 'precommit',
  valueId: NIL,
  digest: ZERO_HASH,
  signature: null,
  lock,
  learned: true,
});

const isSameSignature = (a: GuardState, b: GuardState): boolean =>
  compareSigningOrder(a, b) === 0 && a.digest === b.digest;

const newerLock = (a: GuardLock | null, b: GuardLock | null): GuardLock | null =>
  a === null || (b !== null && b.round > a.round) ? b : a;

/**
 * The higher of two states of one key, with the higher lock of one height.
 * @throws GuardError GUARD_CONFLICT when both signed different things at one place: the key has equivocated
 */
export const mergeGuardStates = (own: GuardState, found: GuardState): GuardState => {
  if (own.height !== found.height) return own.height > found.height ? own : found;
  const order = compareSigningOrder(own, found);
  if (order === 0 && own.signature !== null && found.signature !== null && own.digest !== found.digest)
    throw new GuardError(
      'GUARD_CONFLICT',
      `expected one signature for the ${own.step} of height ${own.height} round ${own.round}, found two with the digests ${own.digest} and ${found.digest}: ` +
        'this key signed twice; keep both files and tell the other operators. Nothing was changed',
    );
  const lock = newerLock(own.lock, found.lock);
  const isClosed = own.learned === true || found.learned === true || !isSameSignature(own, found);
  const newest = order >= 0 ? own : found;
  if (isSameState(newest, lock, isClosed)) return newest;
  const { learned: _, ...state } = newest;
  return { ...state, lock, ...(isClosed ? { learned: true as const } : {}) };
};

const isSameState = (state: GuardState, lock: GuardLock | null, isClosed: boolean): boolean =>
  (state.learned === true) === isClosed &&
  state.lock?.round === lock?.round &&
  state.lock?.valueId === lock?.valueId;
