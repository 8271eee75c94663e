/**
 * What a Byzantine validator is made of: a real host whose network and clock are wrapped by a named fault, which may
 * use the validator's own key as it likes.
 *
 * Works with any `Network` and any `Clock`: in the simulator and in a real process. A fault uses nothing but its tools:
 * no global state, no real time, no real randomness; its timers run on `clock` and end with `stop`.
 */
import type { Address } from '#consensus/primitives.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import type { Clock } from '#node/consensus/clock.ts';
import type { Network } from '#node/network/network.ts';

export type FaultName =
  | 'equivocator'
  | 'amnesiac'
  | 'silent'
  | 'withholder'
  | 'forger'
  | 'flooder'
  | 'futureVoter'
  | 'timeShifter'
  | 'payloadSplitter'
  | 'replayer'
  | 'impersonator';

export type FaultTools = {
  /** What would be the honest host's network. */
  readonly network: Network;
  readonly key: { readonly privateKey: Uint8Array; readonly address: Address };
  readonly domain: ConsensusDomain;
  readonly clock: Clock;
  /** Seeded, [0, 1). */
  readonly random: () => number;
  /** Where the host is; null before it started. */
  readonly position: () => FaultPosition | null;
};

export type FaultPosition = {
  readonly height: bigint;
  readonly round: number;
  readonly set: ValidatorSet;
};

/** What the host is given instead. `stop` ends timers of the fault. */
export type Faulty = { readonly network: Network; readonly clock: Clock; readonly stop: () => void };

export type Fault = { readonly name: FaultName; readonly create: (tools: FaultTools) => Faulty };
