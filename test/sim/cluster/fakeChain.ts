/**
 * A chain whose execution is a hash: enough to drive the host. It keeps its blocks in `database`, which survives a
 * crash of the node; derivations do not.
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { checkpointToValueId, payloadToHash } from '#consensus/digests.ts';
import { type Address, concatBytes, type Hash, hexToBytes, ZERO_HASH } from '#consensus/primitives.ts';
import type { Checkpoint, CommitCertificate, Payload } from '#consensus/types.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import type { Chain, CommittedBlock, Derivation, Head } from '#node/chain.ts';
import type { Clock } from '#node/consensus/clock.ts';
import type { BlockRecord } from '#node/storage/records.ts';

export type FakeDatabase = { blocks: BlockRecord[] };

export type FakeExecution = {
  /** Another execution result than everybody else's. */
  divergesAt?: bigint;
  derivationMs?: number;
  importsAt?: bigint;
  gasLimitSum?: bigint;
};

const utf8 = new TextEncoder();
const hashOf = (...parts: readonly Uint8Array[]): Hash => keccak256Hex(concatBytes(...parts));

/** A transaction that begins with it imports the first deposit. */
export const IMPORT_BYTE = 0xd0;

/** The deposit chain after the first import. */
export const DEPOSITS_HASH = hashOf(utf8.encode('deposits'));

const blockOf = (
  checkpoint: Checkpoint,
  payload: Payload,
  certificate: CommitCertificate | null,
): BlockRecord => ({
  height: checkpoint.height,
  hash: checkpoint.blockHash,
  parentHash: payload.parentHash,
  timestamp: payload.timestamp,
  gasUsed: 0n,
  gasLimit: 30_000_000n,
  baseFeePerGas: 0n,
  stateRoot: checkpoint.stateRoot,
  feeRecipient: payload.feeRecipient,
  header: new Uint8Array(0),
  transactions: payload.transactions,
  transactionHashes: payload.transactions.map(keccak256Hex),
  checkpoint,
  valueId: checkpointToValueId(checkpoint),
  certificate,
});

export const genesisDatabase = (set: ValidatorSet, timestamp: bigint): FakeDatabase => {
  const checkpoint: Checkpoint = {
    height: 0n,
    blockHash: hashOf(utf8.encode('genesis')),
    stateRoot: ZERO_HASH,
    outboxRoot: ZERO_HASH,
    outboxCount: 0n,
    importedCount: 0n,
    importedHash: ZERO_HASH,
    nextValidatorsHash: set.hash,
  };
  const payload = {
    parentHash: ZERO_HASH,
    timestamp,
    feeRecipient: `0x${'00'.repeat(20)}` as Address,
    transactions: [],
  };
  return { blocks: [blockOf(checkpoint, payload, null)] };
};

/** The set that votes on a height. */
export type SetSchedule = (height: bigint) => ValidatorSet;

export class FakeChain implements Chain {
  readonly database: FakeDatabase;
  readonly execution: FakeExecution;
  readonly #setAt: SetSchedule;
  readonly #clock: Clock;
  readonly #listeners = new Set<(committed: CommittedBlock) => void>();
  readonly #derived = new Map<Hash, { checkpoint: Checkpoint; payload: Payload }>();
  readonly #isAlive: () => boolean;

  constructor(
    database: FakeDatabase,
    set: ValidatorSet | SetSchedule,
    clock: Clock,
    execution: FakeExecution = {},
    isAlive: () => boolean = () => true,
  ) {
    this.database = database;
    this.#setAt = typeof set === 'function' ? set : () => set;
    this.#clock = clock;
    this.execution = execution;
    this.#isAlive = isAlive;
  }

  head(): Head {
    const block = this.database.blocks.at(-1)!;
    return { block, nextValidators: this.#setAt(block.height + 1n) };
  }

  derive(payload: Payload): Promise<Derivation> {
    return new Promise((resolve) => {
      this.#clock.setTimer(this.execution.derivationMs ?? 1, () => resolve(this.execute(payload)));
    });
  }

  /** What deriving this on the head gives; remembered for `commit`. */
  protected execute(payload: Payload): Derivation {
    const { block } = this.head();
    const payloadHash = payloadToHash(payload);
    if (payload.parentHash !== block.hash || payload.timestamp < block.timestamp)
      return { valid: false, payloadHash, code: 'PARENT', reason: 'not on the head' };
    if (payload.transactions.some((raw) => raw[0] === 0xff))
      return { valid: false, payloadHash, code: 'BAD_TRANSACTION', reason: 'begins with 0xff' };
    const height = block.height + 1n;
    const isImport = payload.transactions.some((raw) => raw[0] === IMPORT_BYTE);
    const imports =
      this.execution.importsAt === height || (isImport && block.checkpoint.importedCount === 0n);
    const salt = this.execution.divergesAt === height ? 'other' : 'same';
    const stateRoot = hashOf(hexToBytes(payloadHash), utf8.encode(salt));
    const checkpoint: Checkpoint = {
      height,
      blockHash: hashOf(hexToBytes(stateRoot)),
      stateRoot,
      outboxRoot: ZERO_HASH,
      outboxCount: 0n,
      importedCount: block.checkpoint.importedCount + (imports ? 1n : 0n),
      importedHash: imports ? DEPOSITS_HASH : block.checkpoint.importedHash,
      nextValidatorsHash: this.#setAt(height + 1n).hash,
    };
    const valueId = checkpointToValueId(checkpoint);
    this.#derived.set(valueId, { checkpoint, payload });
    return {
      valid: true,
      payloadHash,
      valueId,
      checkpoint,
      imports,
      carriesImport: imports,
      gasLimitSum: this.execution.gasLimitSum ?? 21_000n * BigInt(payload.transactions.length),
      timestamp: payload.timestamp,
      included: payload.transactions.length,
      dropped: [],
      gasUsed: 0n,
      receiptHashes: [hashOf(hexToBytes(stateRoot), utf8.encode('receipt'))],
    };
  }

  async commit(valueId: Hash, certificate: CommitCertificate): Promise<CommittedBlock> {
    const known = this.database.blocks[Number(certificate.height)];
    if (known !== undefined) return { block: known, receipts: [], head: this.head() };
    const derived = this.#derived.get(valueId);
    if (derived === undefined) throw new Error(`${valueId} was not derived here`);
    return this.append(blockOf(derived.checkpoint, derived.payload, certificate));
  }

  protected append(block: BlockRecord): CommittedBlock {
    if (!this.#isAlive()) throw new Error('the process is dead');
    this.database.blocks.push(block);
    const committed = { block, receipts: [], head: this.head() };
    for (const listener of this.#listeners) listener(committed);
    return committed;
  }

  /** What block sync does. */
  copyFrom(other: FakeChain): void {
    for (const block of other.database.blocks.slice(this.database.blocks.length)) this.append(block);
  }

  async importBlock(): Promise<CommittedBlock> {
    throw new Error('not part of this fake');
  }

  onCommitted(listener: (committed: CommittedBlock) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async blockAt(height: bigint): Promise<BlockRecord | null> {
    return this.database.blocks[Number(height)] ?? null;
  }
  async blockByHash(hash: Hash): Promise<BlockRecord | null> {
    return this.database.blocks.find((block) => block.hash === hash) ?? null;
  }
  async receiptsAt(): Promise<null> {
    return null;
  }
  async transactionLocation(): Promise<null> {
    return null;
  }
  async validatorsAt(height = 1n): Promise<ValidatorSet> {
    return this.#setAt(height);
  }
  async account(): Promise<null> {
    return null;
  }
  async code(): Promise<Uint8Array> {
    return new Uint8Array(0);
  }
  async storageAt(): Promise<Hash> {
    return ZERO_HASH;
  }
  async close(): Promise<void> {}
}
