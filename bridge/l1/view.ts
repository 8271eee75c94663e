/**
 * A node's own view of the L1, as consensus and relayers see it.
 *
 * Owns the interface; watcher.ts implements it with viem. Everything here is at the L1's `finalized` block.
 * The view gates prevotes only (RULES 31): it never decides what is locked or committed.
 */
import type { Hash } from '#consensus/primitives.ts';

export type FinalizedL1 = {
  readonly blockNumber: bigint;
  readonly blockHash: Hash;
  readonly timestamp: bigint;
  /** How many deposits the vault had taken, and the hash chain over them. */
  readonly depositCount: bigint;
  readonly depositHash: Hash;
};

export type AcceptedCheckpoint = {
  readonly height: bigint;
  readonly valueId: Hash;
  readonly l1BlockNumber: bigint;
};

export type L1Status =
  | { readonly state: 'connecting'; readonly reason: string }
  /** Contracts not there yet, or not yet final (RULES 33). */
  | { readonly state: 'unverified'; readonly reason: string }
  | { readonly state: 'ready' }
  /** For good: wrong contracts, or a reorganisation past finality. */
  | { readonly state: 'halted'; readonly reason: string };

export interface L1View {
  start(): Promise<void>;
  stop(): Promise<void>;
  status(): L1Status;
  /** Null until the first finalised block was read. */
  finalized(): FinalizedL1 | null;
  /** The folded chain after `count` deposits; null when the finalised view does not reach so far. */
  depositHashAt(count: bigint): Hash | null;
  /** Host milliseconds since the finalised view first covered `count` deposits; null when it does not (RULES 10, importLag). */
  heldForMs(count: bigint): number | null;
  /** Newest checkpoint that PegVerifier has accepted in a finalised L1 block; null if none beyond genesis. */
  latestAccepted(): AcceptedCheckpoint | null;
  /** Called whenever anything above changes. */
  onChange(listener: () => void): () => void;
}
