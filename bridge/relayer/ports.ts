/**
 * What the relayer needs from outside bridge/, as narrow as it uses it.
 *
 * The composition root wires `OwnChain` to the full node in the same process: everything it answers was executed
 * there, never only heard (RULES 25).
 */
import type { Address, Hash } from '#consensus/primitives.ts';
import type { Checkpoint, CommitCertificate } from '#consensus/types.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';

export type OwnBlock = {
  readonly height: bigint;
  readonly hash: Hash;
  readonly parentHash: Hash;
  readonly stateRoot: Hash;
  /** Whole seconds. */
  readonly timestamp: bigint;
  readonly checkpoint: Checkpoint;
  readonly valueId: Hash;
  /** Null for block 0 only. */
  readonly certificate: CommitCertificate | null;
};

export type SubmitOutcome =
  | { readonly admitted: true; readonly hash: Hash }
  | { readonly admitted: false; readonly code: string; readonly message: string };

export interface OwnChain {
  /** The newest committed block. */
  head(): OwnBlock;
  blockAt(height: bigint): Promise<OwnBlock | null>;
  /** The set that voted on this height. */
  validatorsAt(height: bigint): Promise<ValidatorSet | null>;
  /** Storage and account after this height. */
  storageAt(address: Address, slot: Hash, height: bigint): Promise<Hash>;
  account(
    address: Address,
    height: bigint,
  ): Promise<{ readonly nonce: bigint; readonly balance: bigint } | null>;
  /** Into the own node's mempool. */
  submit(raw: Uint8Array): Promise<SubmitOutcome>;
  receipt(hash: Hash): Promise<{ readonly height: bigint; readonly status: 0 | 1 } | null>;
  /** @returns unsubscribe */
  onCommitted(listener: () => void): () => void;
}
