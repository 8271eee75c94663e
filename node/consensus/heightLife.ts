/**
 * What belongs to one height and ends with it.
 *
 * Owns the shape. The parts of the host that work beside the loop hold on to the life they began with, and look at `over`
 * after every await: a result of an earlier height changes nothing.
 */
import type { Timeout } from '#consensus/engine.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { Derivation } from '#node/chain.ts';
import type { CancelTimer } from '#node/consensus/clock.ts';
import type { ValueAnswer } from '#node/consensus/messages.ts';
import { PayloadStore } from '#node/consensus/payloads.ts';
import type { PayloadWeight } from '#node/consensus/payloadWeight.ts';
import { ValueClaims } from '#node/consensus/valueClaims.ts';

/** A proposal that this node does not accept, or not yet. */
export type Refusal = { readonly round: number; readonly reason: string };

export type HeightLife = {
  readonly height: bigint;
  over: boolean;
  readonly payloads: PayloadStore;
  /** Payloads that are in the WAL. */
  readonly durable: Set<Hash>;
  readonly deriving: Map<Hash, Promise<Derivation>>;
  /** Payloads here that nothing makes worth executing yet. */
  readonly withheld: Map<Hash, PayloadWeight>;
  readonly timers: Map<string, CancelTimer>;
  /** Propose timeouts that fired while their payload was being derived (RULES 4). */
  suspended: Timeout[];
  readonly unjudged: Map<string, { readonly round: number; readonly payloadHash: Hash }>;
  readonly unknownValues: Set<Hash>;
  readonly claims: ValueClaims;
  readonly answers: Map<Hash, NonNullable<ValueAnswer['derived']>>;
  /** The newest, for the status. */
  refusal: Refusal | null;
  proposedImport: boolean;
  explaining: boolean;
};

export const createLife = (height: bigint): HeightLife => ({
  height,
  over: false,
  payloads: new PayloadStore(),
  durable: new Set(),
  deriving: new Map(),
  withheld: new Map(),
  timers: new Map(),
  suspended: [],
  unjudged: new Map(),
  unknownValues: new Set(),
  claims: new ValueClaims(),
  answers: new Map(),
  refusal: null,
  proposedImport: false,
  explaining: false,
});

export const endLife = (life: HeightLife): void => {
  life.over = true;
  for (const cancel of life.timers.values()) cancel();
  life.timers.clear();
};
