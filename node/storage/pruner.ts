/**
 * Deletes what `pruned` mode gives up, height by height, without a search and without waiting for anybody.
 *
 * Owns which heights may go, the order of deletions, and the two marks `oldestState` and `oldestHistory`. Each commit
 * listed the nodes it replaced (`x` height) and a node's place is never used twice, so that deleting is blind: no reads
 * of nodes, no counts, no race with a commit that writes the same bytes again. Does not own when it runs
 * (blockExecutor.ts), or which height the L1 still needs (`neededFrom`, which node.ts knows; until it is known nothing
 * goes).
 *
 * Invariants: a mark moves before or with the first deletion below it, and the list of a height goes with the last one,
 * so after a crash at any moment every state from `oldestState` on is whole, and what was left undone is done again.
 * One step deletes at most `MAX_DELETIONS` keys. Headers, checkpoints, certificates, sets and code stay.
 */
import { type ChainStore, createChainStore } from '#node/storage/chainStore.ts';
import type { BatchOperation, Database } from '#node/storage/database.ts';
import {
  bodyKey,
  heightToBytes,
  OLDEST_HISTORY_KEY,
  OLDEST_STATE_KEY,
  receiptsKey,
  staleNodesKey,
  stateRootKey,
  transactionKey,
  trieNodeKey,
  unpackNodeIds,
} from '#node/storage/schema.ts';

export type PruningWindow = {
  /** States below the head that are kept at least. */
  readonly stateBlocks: bigint;
  /** Heights below the head whose transactions and receipts are kept at least; never fewer than `stateBlocks`. */
  readonly historyBlocks: bigint;
};

export const DEFAULT_WINDOW: PruningWindow = { stateBlocks: 1_024n, historyBlocks: 100_000n };

export const MAX_DELETIONS = 4_096;
/** Heights that one commit pays for: two, so that a backlog shrinks by one with each block. */
const HEIGHTS_PER_COMMIT = 2;

export type PruningStep = {
  /** Deleted by this step. */
  readonly keys: number;
  /** False when nothing is left to do below the limits. */
  readonly more: boolean;
};

export type Pruner = {
  /** One batch of at most `MAX_DELETIONS` keys. */
  step(): Promise<PruningStep>;
  /** The steps of at most `HEIGHTS_PER_COMMIT` heights of state, and as many of history. */
  afterCommit(): Promise<void>;
  /** Heights whose state, and whose history, may go at this moment. */
  backlog(): { readonly states: bigint; readonly histories: bigint };
};

const smaller = (a: bigint, b: bigint): bigint => (a > b ? b : a);

const larger = (a: bigint, b: bigint): bigint => (a < b ? b : a);

export const createPruner = (
  database: Database,
  { stateBlocks, historyBlocks }: PruningWindow,
  store: ChainStore = createChainStore(database),
  maxDeletions = MAX_DELETIONS,
): Pruner => {
  /** Of the stale list at work, the first one that is still there; null between lists. */
  let progress: { readonly height: bigint; readonly rest: readonly number[] } | null = null;

  const limitOf = (blocks: bigint): bigint => {
    const head = store.headHeight() ?? 0n;
    const needed = store.neededFrom() ?? 0n;
    return head < blocks ? 0n : smaller(head - blocks, needed);
  };
  const stateLimit = (): bigint => limitOf(stateBlocks);
  const historyLimit = (): bigint => limitOf(larger(historyBlocks, stateBlocks));

  const del = (key: Uint8Array): BatchOperation => ({ type: 'del', key });
  const put = (key: Uint8Array, value: Uint8Array): BatchOperation => ({ type: 'put', key, value });

  /** A list at or below the mark is one that a crash left: the mark moved, its deletions did not all happen. */
  const nextList = (): { readonly height: bigint; readonly rest: readonly number[] } | null => {
    const oldest = store.oldestState();
    const left = store.get(staleNodesKey(oldest));
    if (left !== null) return { height: oldest, rest: unpackNodeIds(left) };
    const height = oldest + 1n;
    if (height > stateLimit()) return null;
    const stale = store.get(staleNodesKey(height));
    return { height, rest: stale === null ? [] : unpackNodeIds(stale) };
  };

  /** The nodes that the states before `height` had and it has not. */
  const pruneState = async (): Promise<PruningStep | null> => {
    progress ??= nextList();
    if (progress === null) return null;
    const { height, rest } = progress;
    const now = rest.slice(0, maxDeletions);
    const later = rest.slice(maxDeletions);
    await database.batch([
      ...(height > store.oldestState()
        ? [put(OLDEST_STATE_KEY, heightToBytes(height)), del(stateRootKey(height - 1n))]
        : []),
      ...now.map((id) => del(trieNodeKey(id))),
      ...(later.length === 0 ? [del(staleNodesKey(height))] : []),
    ]);
    progress = later.length === 0 ? null : { height, rest: later };
    return { keys: now.length, more: true };
  };

  const pruneHistory = async (): Promise<PruningStep | null> => {
    const height = store.oldestHistory();
    if (height >= historyLimit()) return null;
    const block = store.block(height);
    const hashes = block === null || block.isPruned ? [] : block.transactionHashes;
    await database.batch([
      put(OLDEST_HISTORY_KEY, heightToBytes(height + 1n)),
      del(bodyKey(height)),
      del(receiptsKey(height)),
      ...hashes.map((hash) => del(transactionKey(hash))),
    ]);
    return { keys: hashes.length + 2, more: true };
  };

  const step = async (): Promise<PruningStep> =>
    (await pruneState()) ?? (await pruneHistory()) ?? { keys: 0, more: false };

  return {
    step,
    afterCommit: async () => {
      for (let heights = 0; heights < HEIGHTS_PER_COMMIT && (await pruneState()) !== null; )
        if (progress === null) heights++;
      for (let heights = 0; heights < HEIGHTS_PER_COMMIT && (await pruneHistory()) !== null; ) heights++;
    },
    backlog: () => ({
      states: larger(stateLimit() - store.oldestState(), 0n),
      histories: larger(historyLimit() - store.oldestHistory(), 0n),
    }),
  };
};
