/**
 * What a committed height leaves behind, as the rest of the node reads it.
 *
 * Owns the shapes; layout and encoding are schema.ts and codec.ts beside it. Bytes are kept where the exact bytes
 * matter (headers, transactions), parsed values elsewhere.
 */
import type { Address, Hash, Hex } from '#consensus/primitives.ts';
import type { Checkpoint, CommitCertificate } from '#consensus/types.ts';

export type BlockRecord = {
  readonly height: bigint;
  readonly hash: Hash;
  readonly parentHash: Hash;
  readonly timestamp: bigint;
  readonly gasUsed: bigint;
  readonly gasLimit: bigint;
  readonly baseFeePerGas: bigint;
  readonly stateRoot: Hash;
  readonly feeRecipient: Address;
  /** RLP of the standard header. */
  readonly header: Uint8Array;
  /**
   * EIP-2718 bytes, in order; what was dropped from the payload is not here (RULES 2). Of a pruned block these two
   * throw ChainError HISTORY_PRUNED, so that nobody takes it for an empty block; `isPruned` asks first.
   */
  readonly transactions: readonly Uint8Array[];
  readonly transactionHashes: readonly Hash[];
  /** Present if transactions and receipts of this height are no longer here; header and certificate always are. */
  readonly isPruned?: true;
  readonly checkpoint: Checkpoint;
  readonly valueId: Hash;
  /** Null for block 0 only. */
  readonly certificate: CommitCertificate | null;
};

export type LogRecord = { readonly address: Address; readonly topics: readonly Hash[]; readonly data: Hex };

export type ReceiptRecord = {
  readonly transactionHash: Hash;
  readonly type: number;
  readonly from: Address;
  readonly to: Address | null;
  readonly status: 0 | 1;
  readonly gasUsed: bigint;
  readonly cumulativeGasUsed: bigint;
  readonly effectiveGasPrice: bigint;
  readonly contractAddress: Address | null;
  readonly logsBloom: Hex;
  readonly logs: readonly LogRecord[];
};

export type AccountRecord = {
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly codeHash: Hash;
  readonly storageRoot: Hash;
};

/** A block with what proves it final: what peers send each other when one is behind. */
export type CertifiedBlock = {
  readonly header: Uint8Array;
  readonly transactions: readonly Uint8Array[];
  readonly checkpoint: Checkpoint;
  readonly certificate: CommitCertificate;
};
