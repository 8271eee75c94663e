/**
 * Transactions that wait for a block, as the rest of the node sees them.
 *
 * Owns the interface; pool.ts implements it. Admission: signature, chain id, type, size, gas, fee, nonce, balance,
 * permission (always yes for now). Bounded per sender and in total; survives nothing (a restart starts empty).
 */
import type { Address, Hash } from '#consensus/primitives.ts';

/** geth's words for geth's refusals, so that tools recognise them (rpc answers −32000 with `message`). */
export type AdmissionCode =
  | 'UNDECODABLE'
  | 'BAD_SIGNATURE'
  | 'WRONG_CHAIN_ID'
  | 'BLOB_REFUSED'
  | 'TOO_LARGE'
  | 'GAS_LIMIT'
  | 'INTRINSIC_GAS'
  | 'ALREADY_KNOWN'
  | 'NONCE_TOO_LOW'
  | 'NONCE_TOO_HIGH'
  | 'UNDERPRICED'
  | 'REPLACEMENT_UNDERPRICED'
  | 'INSUFFICIENT_FUNDS'
  | 'SENDER_IS_CONTRACT'
  | 'NOT_PERMITTED'
  | 'SENDER_LIMIT'
  | 'POOL_FULL'
  | 'DELEGATION_PENDING';

export type Admission =
  | { readonly admitted: true; readonly hash: Hash }
  | {
      readonly admitted: false;
      readonly hash: Hash | null;
      readonly code: AdmissionCode;
      readonly message: string;
    };

export type PooledTransaction = {
  readonly hash: Hash;
  readonly raw: Uint8Array;
  readonly sender: Address;
  readonly nonce: bigint;
  readonly gasLimit: bigint;
};

export type PickLimits = {
  readonly maxGas: bigint;
  readonly maxBytes: number;
  readonly maxCount: number;
  readonly allowImport: boolean;
};

export type PoolContents = {
  /** Executable on the head, and imports. */
  readonly pending: readonly PooledTransaction[];
  /** These wait for an earlier nonce. */
  readonly queued: readonly PooledTransaction[];
};

/** For those who show what waits. */
export interface PoolView {
  /** Everything that waits, nonces of a sender in order. @param sender only of this one */
  contents(sender?: Address): PoolContents;
}

export interface Mempool {
  add(raw: Uint8Array, source: 'local' | 'gossip'): Promise<Admission>;
  /** Executable transactions for a payload: an import first if allowed, then by effective tip, nonces in order. */
  pick(limits: PickLimits): readonly Uint8Array[];
  /** True if `pick` would find something (RULES 17). */
  hasWork(): boolean;
  onWork(listener: () => void): () => void;
  /** Leaves these out of `pick` for this many heights: they missed a polka or were dropped (RULES 4, 17). */
  backOff(hashes: readonly Hash[], heights: number): void;
  get(hash: Hash): PooledTransaction | null;
  /** The next nonce after the sender's executable pending transactions, or null if it has none pending. */
  pendingNonce(sender: Address): bigint | null;
  size(): number;
  onAdmitted(listener: (transaction: PooledTransaction) => void): () => void;
}
