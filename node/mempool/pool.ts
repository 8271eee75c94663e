/**
 * The mempool: who may wait, in which order they leave, and what a committed block changes.
 *
 * Owns admission beyond the shared checks (node/execution/transactionChecks.ts decides everything that derivation
 * decides too), replacement, limits, eviction and the choice for a payload. Does not own gossip (gossip.ts beside
 * it) or the rules of a block.
 *
 * Invariants: the limits hold at every moment; a signature is recovered once; what `pick` returns is executable on
 * the head in that order; changes to the pool happen between two awaits, never across one.
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import type { Chain, CommittedBlock } from '#node/chain.ts';
import {
  type CheckFailure,
  checkAccount,
  checkRules,
  type DecodedTransaction,
  decodeTransaction,
  maxCostWei,
  type SenderState,
  type TransactionRules,
} from '#node/execution/transactionChecks.ts';
import { createRelayerLookup, readSender, type StateSource } from '#node/mempool/accounts.ts';
import { BoundedMap } from '#node/mempool/boundedMap.ts';
import { createEviction } from '#node/mempool/eviction.ts';
import { glanceAt } from '#node/mempool/glance.ts';
import { createHeap } from '#node/mempool/heap.ts';
import { createImportSlots, importFirstNonce, type PendingImport } from '#node/mempool/importSlot.ts';
import { DEFAULT_LIMITS, type PoolLimits } from '#node/mempool/limits.ts';
import type {
  Admission,
  AdmissionCode,
  Mempool,
  PooledTransaction,
  PoolView,
} from '#node/mempool/mempool.ts';
import {
  costBefore,
  createSenderQueue,
  type Entry,
  entryAt,
  executableCount,
  insertEntry,
  removeEntry,
  type SenderQueue,
} from '#node/mempool/senderQueue.ts';
import { measureOften, measurePiece } from '#node/telemetry/stages.ts';

export type PoolOptions = {
  readonly rules: TransactionRules;
  readonly limits?: Partial<PoolLimits>;
  /** Account permission (always yes for now). */
  readonly isPermitted?: (transaction: DecodedTransaction) => boolean;
  readonly nowMs?: () => number;
};

export type PoolDependencies = {
  readonly chain: StateSource & Pick<Chain, 'onCommitted'>;
  readonly onFault?: (error: unknown) => void;
};

export type Pool = Mempool &
  PoolView & {
    /** As `onAdmitted`, for those that this node's own clients sent. */
    onLocal(listener: (transaction: PooledTransaction) => void): () => void;
    /**
     * What waits: imports, then what can be next, then the rest; with `localSinceMs` only what our own clients sent at
     * least so long ago. Where not all fits, the next call goes on `after` the `last` of this one.
     */
    waiting(what: { readonly localSinceMs?: number; readonly maxBytes: number; readonly after?: number }): {
      readonly transactions: readonly Uint8Array[];
      readonly last: number;
    };
    /** Bytes of the ordinary transactions; imports have slots of their own, one per relayer. */
    sizeBytes(): number;
    /** What the signature of a transaction that waits here recovered to, 64 bytes. */
    publicKeyOf(hash: Hash): Uint8Array | null;
    /** Resolves when the accounts that the last block touched have been read again. */
    settled(): Promise<void>;
    close(): void;
  };

/** Replacing costs at least this much more, on both fee caps. */
const PRICE_BUMP_PERCENT = 110n;
const REMEMBERED_REFUSALS = 8_192;
const REMEMBERED_INCLUDED = 16_384;
const REMEMBERED_BACK_OFFS = 16_384;
const EIP7702_TYPE = 0x04;
/** A state read that races with commits is repeated this often before the sender is told to try again. */
const MAX_READS = 8;

/** Refusals that hold whatever the state is: not worth another recovery. */
const LASTING: ReadonlySet<AdmissionCode> = new Set([
  'UNDECODABLE',
  'BAD_SIGNATURE',
  'WRONG_CHAIN_ID',
  'BLOB_REFUSED',
]);

type Fees = Pick<DecodedTransaction, 'maxFeePerGas' | 'maxPriorityFeePerGas'>;

export const createPool = (options: PoolOptions, { chain, onFault }: PoolDependencies): Pool => {
  const { rules, isPermitted = () => true, nowMs = () => performance.now() } = options;
  const limits: PoolLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const queues = new Map<Address, SenderQueue>();
  const byHash = new Map<Hash, Entry>();
  const imports = createImportSlots();
  const importsByHash = new Map<Hash, PendingImport>();
  const refused = new BoundedMap<Hash, CheckFailure>(REMEMBERED_REFUSALS);
  const included = new BoundedMap<Hash, true>(REMEMBERED_INCLUDED);
  const heldBackUntil = new BoundedMap<Hash, bigint>(REMEMBERED_BACK_OFFS);
  const checking = new Set<Hash>();
  const workListeners = new Set<() => void>();
  const admittedListeners = new Set<(transaction: PooledTransaction) => void>();
  const localListeners = new Set<(transaction: PooledTransaction) => void>();
  const relayersAtHead = createRelayerLookup(chain);
  const toRefresh = new Set<Address>();
  let refreshing: Promise<void> = Promise.resolve();
  let isRefreshing = false;
  let readySender: Address | null = null;
  let totalBytes = 0;
  let lastSequence = 0;
  let closed = false;

  const tipOf = ({ maxFeePerGas, maxPriorityFeePerGas }: Fees): bigint => {
    const room = maxFeePerGas - rules.baseFeePerGas;
    return room < maxPriorityFeePerGas ? room : maxPriorityFeePerGas;
  };

  const eviction = createEviction({
    queues: () => queues.values(),
    isHere: ({ transaction }) => byHash.has(transaction.hash),
    tipOf: ({ transaction }) => tipOf(transaction),
    maxExecutablePerSender: limits.maxExecutablePerSender,
  });

  const isHeldBack = (hash: Hash): boolean => (heldBackUntil.get(hash) ?? 0n) > chain.head().block.height;

  const refuse = (hash: Hash | null, code: AdmissionCode, message: string): Admission => ({
    admitted: false,
    hash,
    code,
    message,
  });
  const refuseFull = (hash: Hash, local: boolean): Admission =>
    local
      ? refuse(hash, 'POOL_FULL', 'txpool is full')
      : refuse(hash, 'UNDERPRICED', 'transaction underpriced');
  const pass = ({ hash, code, message }: CheckFailure): Admission => refuse(hash, code, message);

  // --- what is in the pool ---

  const addEntry = (queue: SenderQueue, entry: Entry): void => {
    insertEntry(queue, entry);
    queues.set(entry.transaction.sender, queue);
    byHash.set(entry.transaction.hash, entry);
    totalBytes += entry.transaction.raw.length;
    eviction.noteChanged(queue);
  };

  const dropEntry = (queue: SenderQueue, entry: Entry): void => {
    removeEntry(queue, entry);
    byHash.delete(entry.transaction.hash);
    totalBytes -= entry.transaction.raw.length;
    if (queue.entries.length === 0) queues.delete(entry.transaction.sender);
    else eviction.noteChanged(queue);
  };

  const dropImport = (relayer: Address): void => {
    const pending = imports.remove(relayer);
    if (pending === null) return;
    importsByHash.delete(pending.transaction.hash);
  };

  const poolSize = (): number => byHash.size + importsByHash.size;

  const executableOf = (queue: SenderQueue): readonly Entry[] =>
    queue.entries.slice(0, executableCount(queue, limits.maxExecutablePerSender));

  // --- admission ---

  /** Calls back with the sender's state at the head of that very moment, even if blocks are committed while it is read. */
  const withSender = async (
    address: Address,
    use: (state: SenderState) => Admission,
  ): Promise<Admission | null> => {
    for (let reads = 0; reads < MAX_READS && !closed; reads++) {
      const known = queues.get(address)?.state ?? imports.get(address)?.state;
      if (known !== undefined && !toRefresh.has(address)) return use(known);
      const { height } = chain.head().block;
      const state = await readSender(chain, address, height);
      if (chain.head().block.height === height && !closed) return use(state);
    }
    return null;
  };

  const admit = async (hash: Hash, raw: Uint8Array, local: boolean): Promise<Admission> => {
    const decoded = measureOften('admission', () => decodeTransaction(raw, rules));
    if (!decoded.ok) {
      if (LASTING.has(decoded.code)) refused.set(hash, decoded);
      return pass(decoded);
    }
    const { transaction } = decoded;
    const relayers = transaction.isImport ? await relayersAtHead() : null;
    const ruled = checkRules(transaction, rules, (address) => relayers?.has(address) ?? false);
    if (!ruled.ok) return pass(ruled);
    if (!isPermitted(transaction))
      return refuse(hash, 'NOT_PERMITTED', `account ${transaction.sender} is not permitted to transact`);
    const admission = await withSender(transaction.sender, (state) => {
      const arrival = { local, sequence: ++lastSequence, arrivedMs: nowMs() };
      return measureOften('admission', () =>
        transaction.isImport
          ? admitImport(transaction, state, arrival)
          : admitOrdinary(transaction, state, arrival),
      );
    });
    return admission ?? refuse(hash, 'POOL_FULL', 'txpool is busy: send it again');
  };

  type Arrival = Pick<Entry, 'local' | 'sequence' | 'arrivedMs'>;

  const admitImport = (transaction: DecodedTransaction, state: SenderState, arrival: Arrival): Admission => {
    const { hash, nonce, sender } = transaction;
    // a nonce ahead of the account's is still to come: the relayer's earlier transaction is on its way
    const checked = checkAccount(transaction, nonce > state.nonce ? { ...state, nonce } : state);
    if (!checked.ok) return pass(checked);
    const firstNonce = importFirstNonce(transaction);
    const { importedCount } = chain.head().block.checkpoint;
    if (firstNonce === null || firstNonce < importedCount)
      return refuse(
        hash,
        'NOT_PERMITTED',
        `expected an import from deposit ${importedCount} on, found one from ${firstNonce ?? 'nowhere'}`,
      );
    dropImport(sender);
    const pending: PendingImport = { transaction, firstNonce, state, ...arrival };
    imports.put(pending);
    importsByHash.set(hash, pending);
    return admitted(transaction, true, arrival.local);
  };

  const admitOrdinary = (
    transaction: DecodedTransaction,
    state: SenderState,
    arrival: Arrival,
  ): Admission => {
    const { hash, nonce, sender } = transaction;
    const queue = queues.get(sender) ?? createSenderQueue(state);
    queue.state = state;
    const before = entryAt(queue, nonce);
    const failure = whyNot(transaction, queue, before);
    if (failure !== null) return failure;
    if (before !== null) dropEntry(queue, before);
    const entry: Entry = { transaction, ...arrival };
    insertEntry(queue, entry);
    const executable = executableOf(queue).includes(entry);
    removeEntry(queue, entry);
    if (!makeRoom(transaction, executable)) {
      if (before !== null) addEntry(queue, before);
      return refuseFull(hash, arrival.local);
    }
    addEntry(queue, entry);
    return admitted(transaction, executable, arrival.local);
  };

  const admitted = (transaction: DecodedTransaction, executable: boolean, local: boolean): Admission => {
    const pooled = toPooled(transaction);
    for (const listener of admittedListeners) listener(pooled);
    if (local) for (const listener of localListeners) listener(pooled);
    if (executable) announceWorkOf(transaction);
    return { admitted: true, hash: transaction.hash };
  };

  /** Null when the sender's own state and queue allow it. */
  const whyNot = (
    transaction: DecodedTransaction,
    queue: SenderQueue,
    before: Entry | null,
  ): Admission | null => {
    const { hash, nonce } = transaction;
    const { state } = queue;
    const waits = nonce > state.nonce;
    const checked = checkAccount(transaction, waits ? { ...state, nonce } : state);
    if (!checked.ok) return pass(checked);
    if (nonce > state.nonce + limits.maxNonceGap)
      return refuse(hash, 'NONCE_TOO_HIGH', `nonce too high: next nonce ${state.nonce}, tx nonce ${nonce}`);
    if (before !== null && !outbids(transaction, before.transaction))
      return refuse(hash, 'REPLACEMENT_UNDERPRICED', 'replacement transaction underpriced');
    if (state.code === 'delegation' && (waits || queue.entries.some((entry) => entry !== before)))
      return refuse(hash, 'DELEGATION_PENDING', 'in-flight transaction limit reached for delegated accounts');
    const queuedCost = costBefore(queue, nonce);
    if (queuedCost + maxCostWei(transaction) > state.balance)
      return refuse(
        hash,
        'INSUFFICIENT_FUNDS',
        `insufficient funds for gas * price + value: balance ${state.balance}, queued cost ${queuedCost}, tx cost ${maxCostWei(transaction)}`,
      );
    return before === null ? senderLimit(transaction, queue) : null;
  };

  const senderLimit = ({ hash, nonce }: DecodedTransaction, queue: SenderQueue): Admission | null => {
    const executable = executableCount(queue, limits.maxExecutablePerSender);
    const next = queue.state.nonce + BigInt(executable);
    const joinsExecutable = nonce === next && executable < limits.maxExecutablePerSender;
    const full = queue.entries.length >= limits.maxExecutablePerSender + limits.maxQueuedPerSender;
    if (!full && (joinsExecutable || queue.entries.length - executable < limits.maxQueuedPerSender))
      return null;
    return refuse(
      hash,
      'SENDER_LIMIT',
      `account limit exceeded: ${queue.entries.length} transactions of this sender wait already`,
    );
  };

  const outbids = (transaction: DecodedTransaction, before: DecodedTransaction): boolean =>
    transaction.maxFeePerGas > before.maxFeePerGas &&
    100n * transaction.maxFeePerGas >= PRICE_BUMP_PERCENT * before.maxFeePerGas &&
    100n * transaction.maxPriorityFeePerGas >= PRICE_BUMP_PERCENT * before.maxPriorityFeePerGas;

  // --- eviction ---

  const isFullFor = (sizeBytes: number): boolean =>
    byHash.size >= limits.maxTransactions || totalBytes + sizeBytes > limits.maxBytes;

  /**
   * A pool that is full of better ones says so before it recovers a signature: under a load beyond what blocks can hold,
   * what is refused must not take the processor from what is executed.
   */
  const isHopeless = (raw: Uint8Array, local: boolean): boolean => {
    // a client may still replace its own, which needs no room
    if (local || !isFullFor(raw.length)) return false;
    const victim = eviction.cheapest();
    if (victim !== null && !victim.executable) return false;
    const glance = glanceAt(raw);
    if (glance === null || glance.isImport) return false;
    return victim === null || tipOf(glance) <= tipOf(victim.entry.transaction);
  };

  /** False when everything that could go is worth as much. */
  const makeRoom = (transaction: DecodedTransaction, executable: boolean): boolean => {
    while (isFullFor(transaction.raw.length)) {
      const victim = eviction.cheapest();
      if (victim === null) return false;
      const outranks =
        (executable && !victim.executable) ||
        (executable === victim.executable && tipOf(transaction) > tipOf(victim.entry.transaction));
      if (!outranks) return false;
      dropEntry(victim.queue, victim.entry);
    }
    return true;
  };

  // --- choice ---

  const bestImport = (): PendingImport | null =>
    imports.best(chain.head().block.checkpoint.importedCount, isHeldBack);

  type Run = { readonly entries: readonly Entry[]; at: number };
  const headOf = (run: Run): Entry => run.entries[run.at]!;
  const leavesFirst = (a: Run, b: Run): boolean => {
    const [first, second] = [headOf(a), headOf(b)];
    const [tipA, tipB] = [tipOf(first.transaction), tipOf(second.transaction)];
    return tipA === tipB ? first.sequence < second.sequence : tipA > tipB;
  };

  const pick: Mempool['pick'] = ({ maxGas, maxBytes, maxCount, allowImport }) => {
    const chosen: Uint8Array[] = [];
    let gas = 0n;
    let bytes = 0;
    let importer: Address | null = null;
    const pending = allowImport ? bestImport() : null;
    if (pending !== null && maxCount > 0 && pending.transaction.raw.length <= maxBytes) {
      chosen.push(pending.transaction.raw);
      bytes += pending.transaction.raw.length;
      importer = pending.transaction.sender;
      imports.proposed(importer);
    }
    const runs = createHeap(leavesFirst);
    for (const [sender, queue] of queues) {
      const entries = sender === importer ? [] : executableOf(queue);
      if (entries.length > 0) runs.push({ entries, at: 0 });
    }
    for (let run = runs.pop(); run !== undefined && chosen.length < maxCount; run = runs.pop()) {
      const { transaction } = headOf(run);
      // the rest of this sender waits for this one
      if (isHeldBack(transaction.hash)) continue;
      if (gas + transaction.gasLimit > maxGas || bytes + transaction.raw.length > maxBytes) continue;
      chosen.push(transaction.raw);
      gas += transaction.gasLimit;
      bytes += transaction.raw.length;
      run.at++;
      if (run.at < run.entries.length) runs.push(run);
    }
    return chosen;
  };

  const isReady = (queue: SenderQueue | undefined): boolean =>
    queue !== undefined &&
    !isHeldBack(queue.entries[0]!.transaction.hash) &&
    executableCount(queue, limits.maxExecutablePerSender) > 0;

  /** Asked at each admission: while thousands are held back, whoever had work last is asked first. */
  const hasWork = (): boolean => {
    if (bestImport() !== null) return true;
    if (readySender !== null && isReady(queues.get(readySender))) return true;
    for (const [sender, queue] of queues)
      if (isReady(queue)) {
        readySender = sender;
        return true;
      }
    return false;
  };

  const announceWork = (): void => {
    if (!hasWork()) return;
    for (const listener of workListeners) listener();
  };

  /** What was work before this admission was announced before; so the others are not looked at. */
  const announceWorkOf = ({ isImport, sender }: DecodedTransaction): void => {
    if (!isImport) {
      if (!isReady(queues.get(sender))) return;
      readySender = sender;
    }
    announceWork();
  };

  // --- what a committed block changes ---

  const prune = (queue: SenderQueue): void => {
    const { state } = queue;
    for (const entry of [...queue.entries]) {
      const isPast = entry.transaction.nonce < state.nonce;
      const isOneTooMany = state.code === 'delegation' && queue.entries.indexOf(entry) > 0;
      if (isPast || isOneTooMany || state.code === 'contract') dropEntry(queue, entry);
    }
  };

  const isShortOfMoney = (queue: SenderQueue): boolean => {
    const executable = executableOf(queue).length;
    const next = queue.entries[executable];
    return (
      next !== undefined &&
      executable < limits.maxExecutablePerSender &&
      next.transaction.nonce === queue.state.nonce + BigInt(executable)
    );
  };

  const pruneImports = (): void => {
    const { importedCount } = chain.head().block.checkpoint;
    for (const { transaction, firstNonce, state } of imports.all())
      if (firstNonce < importedCount || transaction.nonce < state.nonce) dropImport(transaction.sender);
  };

  const onCommitted = ({ block, receipts }: CommittedBlock): void => {
    for (const hash of block.transactionHashes) included.set(hash, true);
    for (const { from } of receipts) {
      const advance = (state: SenderState): SenderState => ({ ...state, nonce: state.nonce + 1n });
      const queue = queues.get(from);
      if (queue !== undefined) queue.state = advance(queue.state);
      const pending = imports.get(from);
      if (pending !== null) pending.state = advance(pending.state);
      if (queue !== undefined || pending !== null) toRefresh.add(from);
    }
    // an authorisation moves its authority's nonce and code, whoever sent it
    if (block.transactions.some((raw) => raw[0] === EIP7702_TYPE)) {
      for (const sender of queues.keys()) toRefresh.add(sender);
      for (const { transaction } of imports.all()) toRefresh.add(transaction.sender);
    }
    for (const sender of toRefresh) {
      const queue = queues.get(sender);
      if (queue !== undefined) prune(queue);
    }
    // whoever waits for money may have received it, in ways that receipts do not show
    for (const [sender, queue] of queues) if (isShortOfMoney(queue)) toRefresh.add(sender);
    pruneImports();
    eviction.forget();
    startRefresh();
  };

  const startRefresh = (): void => {
    if (isRefreshing || toRefresh.size === 0 || closed) return;
    isRefreshing = true;
    refreshing = refresh()
      .catch((error: unknown) => onFault?.(error))
      .finally(() => {
        isRefreshing = false;
        announceWork();
      });
  };

  /** Reads the touched senders again; one that is touched meanwhile is read once more. */
  const refresh = async (): Promise<void> => {
    for (const sender of toRefresh) {
      if (closed) return;
      const { height } = chain.head().block;
      const state = await readSender(chain, sender, height);
      if (chain.head().block.height !== height) continue; // stays in the set, which is walked to its end again
      toRefresh.delete(sender);
      const queue = queues.get(sender);
      if (queue !== undefined) {
        queue.state = state;
        prune(queue);
        eviction.noteChanged(queue);
      }
      const pending = imports.get(sender);
      if (pending !== null) pending.state = state;
      pruneImports();
    }
    if (toRefresh.size > 0) return refresh();
  };

  const unsubscribe = chain.onCommitted(onCommitted);

  return {
    async add(raw, source) {
      const hash = keccak256Hex(raw);
      if (byHash.has(hash) || importsByHash.has(hash) || checking.has(hash))
        return refuse(hash, 'ALREADY_KNOWN', 'already known');
      const before = source === 'gossip' ? refused.get(hash) : undefined;
      if (before !== undefined) return pass(before);
      if (source === 'gossip' && included.has(hash)) return refuse(hash, 'ALREADY_KNOWN', 'already known');
      if (closed || checking.size >= limits.maxInFlight) return refuse(hash, 'POOL_FULL', 'txpool is full');
      if (isHopeless(raw, source === 'local')) return refuse(hash, 'POOL_FULL', 'txpool is full');
      checking.add(hash);
      try {
        return await admit(hash, raw, source === 'local');
      } finally {
        checking.delete(hash);
      }
    },
    pick: (limits) => measurePiece('payload', () => pick(limits)),
    hasWork,
    onWork(listener) {
      workListeners.add(listener);
      return () => workListeners.delete(listener);
    },
    backOff(hashes, heights) {
      const until = chain.head().block.height + BigInt(heights);
      for (const hash of hashes) {
        const sender = (byHash.get(hash) ?? importsByHash.get(hash))?.transaction.sender;
        if (sender === undefined) continue;
        heldBackUntil.set(hash, until);
        // it was refused for a reason that its state may show
        toRefresh.add(sender);
      }
      startRefresh();
    },
    publicKeyOf(hash) {
      return (byHash.get(hash) ?? importsByHash.get(hash))?.transaction.publicKey ?? null;
    },
    get(hash) {
      const found = byHash.get(hash) ?? importsByHash.get(hash);
      return found === undefined ? null : toPooled(found.transaction);
    },
    pendingNonce(sender) {
      const queue = queues.get(sender);
      const executable = queue === undefined ? 0 : executableOf(queue).length;
      const pending = imports.get(sender);
      const state = queue?.state ?? pending?.state;
      if (state === undefined) return null;
      if (executable > 0) return state.nonce + BigInt(executable);
      return pending?.transaction.nonce === state.nonce ? state.nonce + 1n : null;
    },
    size: poolSize,
    contents(sender) {
      const [pending, queued]: PooledTransaction[][] = [[], []];
      for (const { transaction } of importsByHash.values())
        if (sender === undefined || transaction.sender === sender) pending!.push(toPooled(transaction));
      const own = sender === undefined ? undefined : queues.get(sender);
      const wanted = sender === undefined ? queues.values() : own === undefined ? [] : [own];
      for (const queue of wanted) {
        const executable = executableCount(queue, limits.maxExecutablePerSender);
        for (const [place, { transaction }] of queue.entries.entries())
          (place < executable ? pending : queued)!.push(toPooled(transaction));
      }
      return { pending: pending!, queued: queued! };
    },
    sizeBytes: () => totalBytes,
    onAdmitted(listener) {
      admittedListeners.add(listener);
      return () => admittedListeners.delete(listener);
    },
    onLocal(listener) {
      localListeners.add(listener);
      return () => localListeners.delete(listener);
    },
    waiting({ localSinceMs, maxBytes, after = 0 }) {
      const untilMs = localSinceMs === undefined ? null : nowMs() - localSinceMs;
      const isMeant = ({ local, arrivedMs }: Pick<Entry, 'local' | 'arrivedMs'>): boolean =>
        untilMs === null || (local && arrivedMs <= untilMs);
      const due = [...queues.values()].flatMap((queue) => {
        const executable = executableOf(queue).length;
        return queue.entries
          .map((entry, at) => ({ entry, isLater: at >= executable }))
          .filter(({ entry }) => isMeant(entry));
      });
      // one round through all of them, from where the last one ended; those that can be next before those that cannot
      due.sort(
        (a, b) =>
          Number(a.isLater) - Number(b.isLater) ||
          Number(a.entry.sequence <= after) - Number(b.entry.sequence <= after) ||
          a.entry.sequence - b.entry.sequence,
      );
      const first = [...importsByHash.values()].filter(isMeant);
      const chosen: Uint8Array[] = [];
      let bytes = 0;
      let last = after;
      for (const { transaction, sequence } of [...first, ...due.map(({ entry }) => entry)]) {
        if (bytes + transaction.raw.length > maxBytes) continue;
        bytes += transaction.raw.length;
        chosen.push(transaction.raw);
        if (!transaction.isImport) last = sequence;
      }
      return { transactions: chosen, last };
    },
    async settled() {
      while (isRefreshing) await refreshing;
    },
    close() {
      closed = true;
      unsubscribe();
      workListeners.clear();
      admittedListeners.clear();
      localListeners.clear();
    },
  };
};

const toPooled = ({ hash, raw, sender, nonce, gasLimit }: DecodedTransaction): PooledTransaction => ({
  hash,
  raw,
  sender,
  nonce,
  gasLimit,
});
