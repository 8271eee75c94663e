/**
 * The chain as the rest of the node sees it: one committed head, what is below it, and the only two ways forward.
 *
 * Owns the interface. execution/ implements it (derivation in a worker thread, one atomic batch per block);
 * consensus/ moves it by `commit`, sync/ by `importBlock`; rpc/, mempool/ and the relayer read it.
 *
 * Invariants: the published head only grows; a block, its receipts, indexes and state become visible together,
 * when `onCommitted` listeners run; nothing above the published head is ever returned by a read.
 */
import type { Address, Hash, Hex } from '#consensus/primitives.ts';
import type { Checkpoint, CommitCertificate, Payload } from '#consensus/types.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import type { Authorization } from '#node/execution/tracing/authorizations.ts';
import type { CallJob, JobOutcome } from '#node/execution/tracing/jobs.ts';
import type { BlockOverrides, StateOverrides } from '#node/execution/tracing/overrides.ts';
import type { AccountRecord, BlockRecord, CertifiedBlock, ReceiptRecord } from '#node/storage/records.ts';

export type DroppedTransaction = { readonly hash: Hash; readonly code: string };

export type ChainErrorCode =
  /** The data folder belongs to another genesis, or was written in another format. */
  | 'WRONG_DATA_FOLDER'
  /** Native crypto is missing or computes something else (RULES 5). */
  | 'CRYPTO_UNAVAILABLE'
  /** A peer's block: malformed, or not what its certificate is about. */
  | 'BAD_BLOCK'
  | 'BAD_CERTIFICATE'
  /** The block is not the next one: an earlier one must come first. */
  | 'NOT_NEXT'
  /** `derive` never produced this value here, or so many since that it was let go: derive its payload again. */
  | 'UNKNOWN_VALUE'
  /** Fatal: a final block differs from what this node computes. */
  | 'DIVERGED'
  /** Fatal: execution failed where it must not (RULES 3). */
  | 'EXECUTION_FAULT'
  /** Fatal: the chain's next height has rules that this release does not know. */
  | 'UPGRADE_REQUIRED'
  /** Fatal: the database cannot be read or written, or says something impossible. */
  | 'STORAGE_FAULT'
  /** The state of that height was deleted here, as `pruned` mode allows. */
  | 'STATE_PRUNED'
  /** The transactions and receipts of that height were deleted here. */
  | 'HISTORY_PRUNED'
  /** A folder without all heights was opened as an archive. */
  | 'NOT_AN_ARCHIVE'
  | 'CLOSED';

const FATAL_CODES: ReadonlySet<ChainErrorCode> = new Set([
  'DIVERGED',
  'EXECUTION_FAULT',
  'UPGRADE_REQUIRED',
  'STORAGE_FAULT',
]);

/** @see Chain */
export class ChainError extends Error {
  override readonly name = 'ChainError';
  readonly code: ChainErrorCode;
  /** This node must stop voting, and say why. */
  readonly fatal: boolean;
  constructor(code: ChainErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.fatal = FATAL_CODES.has(code);
  }
}

/** The result of `derive(parent state, rules, payload)`; RULES A. */
export type Derivation =
  | { readonly valid: false; readonly payloadHash: Hash; readonly code: string; readonly reason: string }
  | {
      readonly valid: true;
      readonly payloadHash: Hash;
      readonly valueId: Hash;
      readonly checkpoint: Checkpoint;
      /** True if the gateway's imported count moved: the own L1 view then has a say in line 22. */
      readonly imports: boolean;
      /** True if the payload carries an import transaction at all, reverted or not (RULES 10). */
      readonly carriesImport: boolean;
      /** Sum of the gas limits of the payload's transactions, the import's own reserved gas left out (RULES 4, 31). */
      readonly gasLimitSum: bigint;
      readonly timestamp: bigint;
      readonly included: number;
      readonly dropped: readonly DroppedTransaction[];
      readonly gasUsed: bigint;
      /** For explaining a divergence: hash of each receipt, in order (RULES 19). */
      readonly receiptHashes: readonly Hash[];
    };

export type Head = {
  readonly block: BlockRecord;
  /** The set that votes on head + 1. */
  readonly nextValidators: ValidatorSet;
};

/** What a committed block carries to listeners, all of it already readable. */
export type CommittedBlock = {
  readonly block: BlockRecord;
  readonly receipts: readonly ReceiptRecord[];
  readonly head: Head;
};

export interface ChainReader {
  head(): Head;
  blockAt(height: bigint): Promise<BlockRecord | null>;
  blockByHash(hash: Hash): Promise<BlockRecord | null>;
  /** @throws ChainError HISTORY_PRUNED */
  receiptsAt(height: bigint): Promise<readonly ReceiptRecord[] | null>;
  /** Where a committed transaction is. */
  transactionLocation(hash: Hash): Promise<{ height: bigint; index: number } | null>;
  /** The set that voted on this height. */
  validatorsAt(height: bigint): Promise<ValidatorSet | null>;
  /** State after this height. These three @throws ChainError STATE_PRUNED */
  account(address: Address, height: bigint): Promise<AccountRecord | null>;
  code(address: Address, height: bigint): Promise<Uint8Array>;
  storageAt(address: Address, slot: Hash, height: bigint): Promise<Hash>;
}

export interface Chain extends ChainReader {
  /** Executes against the head; keeps the result for `commit`. Rejects only on a fault of this node (RULES 3). */
  derive(payload: Payload): Promise<Derivation>;
  /**
   * Commits a value that `derive` produced here, in one synchronous atomic batch, then publishes it.
   * The certificate must be verified already. A height at or below the head resolves to the committed block.
   */
  commit(valueId: Hash, certificate: CommitCertificate): Promise<CommittedBlock>;
  /** Verifies certificate and parent, derives, compares, commits. @throws ChainError with a code */
  importBlock(block: CertifiedBlock): Promise<CommittedBlock>;
  /** Listeners run in commit order, after publication. @returns unsubscribe */
  onCommitted(listener: (committed: CommittedBlock) => void): () => void;
  close(): Promise<void>;
}

export type CallRequest = {
  readonly from?: Address;
  readonly to?: Address | null;
  readonly data?: Uint8Array;
  readonly valueWei?: bigint;
  readonly gas?: bigint;
  readonly gasPrice?: bigint;
  readonly maxFeePerGas?: bigint;
  readonly maxPriorityFeePerGas?: bigint;
  readonly nonce?: bigint;
  readonly accessList?: readonly { readonly address: Address; readonly storageKeys: readonly Hash[] }[];
  readonly authorizationList?: readonly Authorization[];
  readonly stateOverrides?: StateOverrides;
  readonly blockOverrides?: BlockOverrides;
};

export type CallOutcome =
  | { readonly status: 'success'; readonly data: Hex; readonly gasUsed: bigint }
  | { readonly status: 'revert'; readonly data: Hex; readonly gasUsed: bigint }
  | { readonly status: 'error'; readonly code: string; readonly message: string; readonly gasUsed: bigint };

/** Execution that changes nothing, in a thread of its own so that it cannot delay a vote. */
export interface CallRunner {
  call(request: CallRequest, height: bigint): Promise<CallOutcome>;
  /** The smallest gas limit with which the call succeeds, by binary search. */
  estimateGas(request: CallRequest, height: bigint): Promise<CallOutcome>;
  /** Traces, proofs and simulations, answered as JSON text. */
  perform(job: CallJob): Promise<JobOutcome>;
  close(): Promise<void>;
}
