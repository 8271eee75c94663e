/**
 * Words that the status is put together from: who is where, how long ago, how much power.
 *
 * Pure. Lists of validators are cut, so that a sentence stays one with fifty of them.
 */
import type { Hash } from '#consensus/primitives.ts';
import { NIL } from '#consensus/types.ts';
import type { ValidatorStatus } from '#node/consensus/statusTypes.ts';

const MAX_NAMED = 8;

/** @example 0.4 s, 12 s, 3 min, 2 h */
export const formatDuration = (ms: number): string => {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
};

export const shortHash = (hash: string): string => `${hash.slice(0, 10)}…`;

export const nameValue = (valueId: Hash): string => (valueId === NIL ? 'nil' : shortHash(valueId));

export const listNames = (names: readonly string[]): string => {
  if (names.length > MAX_NAMED)
    return `${names.slice(0, MAX_NAMED - 1).join(', ')} and ${names.length - MAX_NAMED + 1} more`;
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
};

const lastHeard = ({ heardAgoMs }: ValidatorStatus): string =>
  heardAgoMs === null
    ? 'never heard since this node started'
    : `last heard ${formatDuration(heardAgoMs)} ago`;

/** Where a validator is as far as this node can tell, for example `not connected, last heard 12 s ago`. */
export const describePresence = (validator: ValidatorStatus): string => {
  if (validator.self) return validator.absence === null ? 'this node' : 'this node, which does not sign';
  switch (validator.absence) {
    case 'disconnected':
      return `not connected, ${lastHeard(validator)}`;
    case 'silent':
      return `connected but silent, ${lastHeard(validator)}`;
    case 'notSigning':
      return 'connected but not signing';
    case 'mute':
      return `connected, at height ${validator.height} round ${validator.round}, but its vote does not come`;
    case null:
      return validator.connected ? `connected, ${lastHeard(validator)}` : `by relay, ${lastHeard(validator)}`;
  }
};

/** Name, power if they differ, and presence of each. */
export const describeEach = (
  validators: readonly ValidatorStatus[],
  all: readonly ValidatorStatus[],
): string => {
  const isUnequal = new Set(all.map(({ power }) => power)).size > 1;
  return listNames(
    validators.map((validator) => {
      const power = isUnequal ? `power ${validator.power}, ` : '';
      return `${validator.name} (${power}${describePresence(validator)})`;
    }),
  );
};
