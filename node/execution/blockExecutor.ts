/**
 * The chain's only writer: derives on the head, keeps the candidates, commits one of them in one atomic batch.
 *
 * Runs in the execution thread, one operation at a time (executionWorker.ts). Invariants: the head moves only by
 * `commit`; a batch is synchronous and holds everything of its height, so a crash leaves the height before or the
 * height after, never a mixture; a fault of this node is remembered and ends the work (RULES 3).
 */
import { setImmediate } from 'node:timers/promises';
import { verifyCommitCertificate } from '#consensus/certificate.ts';
import { checkpointToValueId, payloadToHash } from '#consensus/digests.ts';
import { type Address, type Hash, hexToBytes } from '#consensus/primitives.ts';
import type { CommitCertificate, Payload } from '#consensus/types.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import type { Genesis } from '#genesis/spec.ts';
import { ChainError, type Derivation } from '#node/chain.ts';
import { createChainCommon } from '#node/execution/chainCommon.ts';
import { loadCryptoLibraries } from '#node/execution/cryptoLibraries.ts';
import {
  type DerivedBlock,
  deriveBlock,
  type InvalidDerivation,
  type Parent,
} from '#node/execution/deriveBlock.ts';
import { initialiseChain } from '#node/execution/genesisState.ts';
import { requireKnownRules } from '#node/execution/knownRules.ts';
import { createMachine, type Machine } from '#node/execution/machine.ts';
import { orderedTrieRoot } from '#node/execution/orderedTrie.ts';
import { createExecutionRules, type ExecutionRules, SUPPORTED_RULES_VERSION } from '#node/execution/rules.ts';
import { runSelfTest } from '#node/execution/selfTest.ts';
import { createCodeReader, createTrieReader, type StateReader } from '#node/execution/stateReader.ts';
import { writeState } from '#node/execution/stateTrie.ts';
import type { PublicKeyOf } from '#node/execution/transactionChecks.ts';
import { createStoredNodes, type NodeCache } from '#node/execution/trieNodes.ts';
import { type ChainStore, createChainStore } from '#node/storage/chainStore.ts';
import {
  encodeBlock,
  encodeBody,
  encodeLocation,
  encodeReceipts,
  encodeValidators,
  partsToBlock,
} from '#node/storage/codec.ts';
import { type Database, openDatabase } from '#node/storage/database.ts';
import { decodeHeader, type Header, hashHeader } from '#node/storage/headerCodec.ts';
import { ARCHIVE, applyMode, type StorageOptions } from '#node/storage/mode.ts';
import { createPruner, type Pruner } from '#node/storage/pruner.ts';
import type { BlockRecord, CertifiedBlock, ReceiptRecord } from '#node/storage/records.ts';
import {
  blockHeightKey,
  blockKey,
  bodyKey,
  HEAD_KEY,
  heightToBytes,
  NEEDED_FROM_KEY,
  type NodeId,
  receiptsKey,
  transactionKey,
  validatorsKey,
} from '#node/storage/schema.ts';

/** What a commit made visible. */
export type Committed = {
  readonly block: BlockRecord;
  readonly receipts: readonly ReceiptRecord[];
  readonly nextValidators: ValidatorSet;
  /** Block and receipts again, as they are stored: what goes between threads. */
  readonly encoded: EncodedHeight;
};

export type EncodedHeight = {
  readonly block: Uint8Array;
  readonly body: Uint8Array;
  readonly receipts: Uint8Array;
};

const encodeHeight = (block: BlockRecord, receipts: readonly ReceiptRecord[]): EncodedHeight => ({
  block: encodeBlock(block),
  body: encodeBody(block),
  receipts: encodeReceipts(receipts),
});

export type ExecutorOptions = {
  readonly dataDir: string;
  readonly genesis: Genesis;
  /** The newest rules that may be executed; by default what this release knows. */
  readonly supportedRules?: bigint;
  /** By default an archive. */
  readonly storage?: StorageOptions;
};

/** Candidates of one height that are kept; a round brings one, so this is far more than a healthy height needs. */
const MAX_CANDIDATES = 32;

export class BlockExecutor {
  readonly #genesis: Genesis;
  readonly #database: Database;
  readonly #store: ChainStore;
  readonly #machine: Machine;
  readonly #rules: ExecutionRules;
  readonly #supportedRules: bigint;
  readonly #nodes: NodeCache;
  readonly #code: StateReader['code'];
  #parent: Parent;
  /** By valueId, in the order of derivation. */
  #candidates = new Map<Hash, DerivedBlock>();
  /** By payloadHash: nothing is executed twice. */
  #derivations = new Map<Hash, Derivation>();
  #fault: ChainError | null = null;
  readonly #pruner: Pruner | null;
  #pruning: Promise<void> | null = null;
  #isClosing = false;

  private constructor(
    { genesis, supportedRules = SUPPORTED_RULES_VERSION, storage = ARCHIVE }: ExecutorOptions,
    database: Database,
    store: ChainStore,
    machine: Machine,
    rules: ExecutionRules,
  ) {
    this.#genesis = genesis;
    this.#supportedRules = supportedRules;
    this.#database = database;
    this.#store = store;
    this.#machine = machine;
    this.#rules = rules;
    this.#nodes = createStoredNodes(store);
    this.#code = createCodeReader(store);
    this.#pruner = storage.mode === 'pruned' ? createPruner(database, storage.window, store) : null;
    this.#parent = this.#loadParent();
  }

  /** @throws ChainError STORAGE_FAULT, WRONG_DATA_FOLDER, CRYPTO_UNAVAILABLE */
  static async open(options: ExecutorOptions): Promise<BlockExecutor> {
    const { dataDir, genesis } = options;
    const database = await openDatabase(dataDir);
    try {
      const store = createChainStore(database);
      const libraries = await loadCryptoLibraries();
      const common = createChainCommon(genesis.spec.chainId, libraries.kzg);
      const machine = await createMachine(common, libraries, (height) => store.block(height)?.hash ?? null);
      await runSelfTest(machine);
      await initialiseChain(database, store, genesis);
      await applyMode(database, store, (options.storage ?? ARCHIVE).mode);
      const rules = createExecutionRules(genesis.spec, common);
      return new BlockExecutor(options, database, store, machine, rules);
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#pruning;
    await this.#database.close();
  }

  /**
   * RULES 42: the L1 may need the state of this height and of those above. An archive notes it too, for the day on which
   * it is pruned. It only rises.
   */
  async keepStateFrom(height: bigint): Promise<void> {
    if (height <= (this.#store.neededFrom() ?? -1n)) return;
    await this.#guard(() => this.#database.put(NEEDED_FROM_KEY, heightToBytes(height)));
  }

  /** Resolves when the deletions that the last commit paid for are done. */
  async pruned(): Promise<void> {
    await this.#pruning;
  }

  /**
   * Behind the commit's answer, and never two at once: deletions touch no key that a commit writes, so the next height
   * need not wait for them.
   */
  #prune(): void {
    const pruner = this.#pruner;
    if (pruner === null || this.#pruning !== null) return;
    const work = async (): Promise<void> => {
      await setImmediate();
      if (!this.#isClosing) await this.#guard(() => pruner.afterCommit());
    };
    this.#pruning = work()
      .catch(() => undefined) // remembered as the fault of this node: the next derivation says it
      .finally(() => {
        this.#pruning = null;
      });
  }

  head(): Committed {
    const { block, validators } = this.#parent;
    return this.#committed(block, validators);
  }

  #committed(block: BlockRecord, nextValidators: ValidatorSet): Committed {
    const receipts = this.#store.receipts(block.height) ?? [];
    return { block, receipts, nextValidators, encoded: encodeHeight(block, receipts) };
  }

  /** At the head, wei. */
  async balanceOf(address: Address): Promise<bigint> {
    return this.#parent.reader.account(hexToBytes(address))?.balance ?? 0n;
  }

  #loadParent(): Parent {
    const height = this.#store.headHeight();
    const block = height === null ? null : this.#store.block(height);
    const validators = block === null ? null : this.#store.validators(block.checkpoint.nextValidatorsHash);
    if (block === null || validators === null)
      throw new ChainError('STORAGE_FAULT', `expected block ${height} and its set: the database is damaged`);
    return this.#parentOf(block, validators, this.#store.stateRoot(block.height));
  }

  #parentOf(block: BlockRecord, validators: ValidatorSet, rootId: NodeId | null): Parent {
    const reader = createTrieReader(this.#store, this.#nodes, block.height, this.#code);
    const { get } = this.#nodes;
    return { block, validators, reader, nodes: { get, rootId, height: block.height } };
  }

  /** @throws ChainError EXECUTION_FAULT, UPGRADE_REQUIRED, STORAGE_FAULT */
  async derive(payload: Payload, publicKeyOf?: PublicKeyOf): Promise<Derivation> {
    this.#requireHealthy();
    const payloadHash = payloadToHash(payload);
    const known = this.#derivations.get(payloadHash);
    if (known !== undefined) return known;
    const { reader, block: parent } = this.#parent;
    await this.#guard(() => requireKnownRules(reader, parent.height + 1n, this.#supportedRules));
    const result = await this.#guard(() =>
      deriveBlock(this.#machine, this.#rules, this.#parent, payload, publicKeyOf),
    );
    const derivation = result.valid ? this.#keep(result.block) : withoutBlock(result);
    this.#derivations.set(payloadHash, derivation);
    forgetOldest(this.#derivations);
    return derivation;
  }

  #keep(block: DerivedBlock): Derivation {
    this.#candidates.set(block.derivation.valueId, block);
    const forgotten = forgetOldest(this.#candidates);
    if (forgotten !== null) this.#derivations.delete(forgotten.derivation.payloadHash);
    return block.derivation;
  }

  /** @throws ChainError UNKNOWN_VALUE, NOT_NEXT, DIVERGED, STORAGE_FAULT */
  async commit(valueId: Hash, certificate: CommitCertificate): Promise<Committed> {
    this.#requireHealthy();
    const height = this.#parent.block.height + 1n;
    if (certificate.height < height) return this.#committedBefore(certificate.height, valueId);
    if (certificate.height > height || certificate.valueId !== valueId)
      throw new ChainError(
        'NOT_NEXT',
        `expected a certificate for ${valueId} at height ${height}, found one for ${certificate.valueId} at ${certificate.height}`,
      );
    const candidate = this.#candidates.get(valueId);
    if (candidate === undefined)
      throw new ChainError(
        'UNKNOWN_VALUE',
        `expected a derived block for ${valueId} at height ${height}, found none: derive its payload again`,
      );
    return this.#guard(() => this.#write(candidate, certificate));
  }

  /** A value that is final already; another one at that height is a fork. */
  #committedBefore(height: bigint, valueId: Hash): Committed {
    const block = this.#store.block(height);
    if (block === null || block.valueId !== valueId)
      throw this.#fail(
        new ChainError(
          'DIVERGED',
          `expected ${block?.valueId} at height ${height}, which is committed here, found a certificate for ${valueId}: stop and compare the nodes`,
        ),
      );
    const nextValidators = this.#store.validators(block.checkpoint.nextValidatorsHash);
    if (nextValidators === null)
      throw new ChainError('STORAGE_FAULT', `expected the set of height ${height + 1n}, found none`);
    return this.#committed(block, nextValidators);
  }

  async #write(candidate: DerivedBlock, certificate: CommitCertificate): Promise<Committed> {
    const transactionHashes = candidate.transactions.map(({ hash }) => hash);
    const block = partsToBlock(
      {
        header: candidate.header,
        checkpoint: candidate.derivation.checkpoint,
        valueId: candidate.derivation.valueId,
        certificate,
      },
      { transactions: candidate.transactions.map(({ raw }) => raw), transactionHashes },
    );
    const { height } = block;
    const encoded = encodeHeight(block, candidate.receipts);
    const batch = this.#database.batch();
    const put = (key: Uint8Array, value: Uint8Array): unknown => batch.put(key, value);
    writeState(candidate.update, put);
    put(blockKey(height), encoded.block);
    put(bodyKey(height), encoded.body);
    put(receiptsKey(height), encoded.receipts);
    put(blockHeightKey(block.hash), heightToBytes(height));
    transactionHashes.forEach((hash, index) => {
      put(transactionKey(hash), encodeLocation(height, index));
    });
    put(validatorsKey(candidate.nextValidators.hash), encodeValidators(candidate.nextValidators));
    put(HEAD_KEY, heightToBytes(height));
    await batch.write({ sync: true });
    for (const [id, record] of candidate.update.nodes.entries()) this.#nodes.put(id, record);
    this.#parent = this.#parentOf(block, candidate.nextValidators, candidate.update.rootId);
    this.#prune();
    this.#candidates = new Map();
    this.#derivations = new Map();
    return { block, receipts: candidate.receipts, nextValidators: candidate.nextValidators, encoded };
  }

  /** @throws ChainError NOT_NEXT, BAD_BLOCK, BAD_CERTIFICATE, DIVERGED, EXECUTION_FAULT, STORAGE_FAULT */
  async importBlock(certified: CertifiedBlock): Promise<Committed> {
    this.#requireHealthy();
    const header = checkCertifiedBlock(certified);
    const head = this.#parent.block;
    if (header.height > head.height + 1n)
      throw new ChainError(
        'NOT_NEXT',
        `expected block ${head.height + 1n}, found ${header.height}: fetch the blocks between first`,
      );
    this.#checkCertificate(certified, header.height);
    checkTransactions(certified, header);
    const { certificate } = certified;
    if (header.height <= head.height) return this.#committedBefore(header.height, certificate.valueId);
    if (header.parentHash !== head.hash)
      throw this.#fail(
        diverged(certified, `its parent is ${header.parentHash}, the head here is ${head.hash}`),
      );
    const derivation = await this.derive({
      parentHash: header.parentHash,
      timestamp: header.timestamp,
      feeRecipient: header.feeRecipient,
      transactions: certified.transactions,
    });
    if (!derivation.valid)
      throw this.#fail(diverged(certified, `its payload is invalid: ${derivation.reason}`));
    if (derivation.valueId !== certificate.valueId)
      throw this.#fail(
        diverged(
          certified,
          `its payload derives here to ${derivation.valueId} with block hash ${derivation.checkpoint.blockHash}`,
        ),
      );
    return this.commit(certificate.valueId, certificate);
  }

  #checkCertificate(certified: CertifiedBlock, height: bigint): void {
    const domain = { chainId: this.#genesis.spec.chainId, genesisHash: this.#genesis.genesisHash };
    const set = this.#setOf(height);
    const expected = { height, valueId: checkpointToValueId(certified.checkpoint) };
    const verdict =
      set === null ? null : verifyCommitCertificate(domain, set, certified.certificate, expected);
    if (verdict === null || !verdict.valid)
      throw new ChainError(
        'BAD_CERTIFICATE',
        `block ${height}: ${verdict === null ? 'no set is known for it' : verdict.reason}`,
      );
  }

  /** The set that votes on a height at most one above the head. */
  #setOf(height: bigint): ValidatorSet | null {
    if (height === this.#parent.block.height + 1n) return this.#parent.validators;
    const before = height > 0n ? this.#store.block(height - 1n) : null;
    return before === null ? null : this.#store.validators(before.checkpoint.nextValidatorsHash);
  }

  #requireHealthy(): void {
    if (this.#fault !== null) throw this.#fault;
  }

  #fail(fault: ChainError): ChainError {
    if (fault.fatal) this.#fault ??= fault;
    return fault;
  }

  /** Whatever goes wrong inside is a fault of this node. */
  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#fail(
        error instanceof ChainError
          ? error
          : new ChainError(
              'STORAGE_FAULT',
              `expected the database to take the block: ${error instanceof Error ? error.message : String(error)}`,
              { cause: error },
            ),
      );
    }
  }
}

const withoutBlock = ({ valid, payloadHash, code, reason }: InvalidDerivation): InvalidDerivation => ({
  valid,
  payloadHash,
  code,
  reason,
});

const forgetOldest = <T>(entries: Map<Hash, T>): T | null => {
  if (entries.size <= MAX_CANDIDATES) return null;
  for (const [key, value] of entries) {
    entries.delete(key);
    return value;
  }
  return null;
};

const diverged = ({ checkpoint, certificate }: CertifiedBlock, what: string): ChainError =>
  new ChainError(
    'DIVERGED',
    `block ${checkpoint.blockHash} at height ${certificate.height} is final, but ${what}: stop and compare the nodes`,
  );

const bad = (reason: string): ChainError => new ChainError('BAD_BLOCK', reason);

/** What a peer can get wrong by itself: parts that do not belong together. Cheap, so it comes first. */
const checkCertifiedBlock = ({ checkpoint, ...certified }: CertifiedBlock): Header => {
  let header: Header;
  try {
    header = decodeHeader(certified.header);
  } catch (error) {
    throw bad(error instanceof Error ? error.message : 'not a header');
  }
  const hash = hashHeader(certified.header);
  if (checkpoint.blockHash !== hash || checkpoint.height !== header.height)
    throw bad(
      `expected the checkpoint of block ${hash}, found that of ${checkpoint.blockHash} at ${checkpoint.height}`,
    );
  return header;
};

/** After the certificate: hashing a whole block is work that only a quorum may ask for. */
const checkTransactions = ({ transactions }: CertifiedBlock, header: Header): void => {
  const transactionsRoot = orderedTrieRoot(transactions);
  if (transactionsRoot !== header.transactionsRoot)
    throw bad(`expected transactions with root ${header.transactionsRoot}, found ${transactionsRoot}`);
};
