/**
 * Keeps the chain up with its peers: a gap detector that never stops, and the import of what is missing.
 *
 * Owns when to fetch and in which order blocks reach `chain.importBlock`, which verifies them. A full node follows
 * every announcement at once; a validator commits by consensus and syncs only when it is two blocks behind, or one
 * for longer than `patienceMs`, or when the consensus host says so. Does not own what is true: claims of peers decide
 * whom to ask, certificates what is committed.
 *
 * Invariants: one import at a time, in order; at most `parallelRanges` ranges of `rangeBlocks` blocks are in memory;
 * a peer that served a bad block is reported and another one is asked; a fault of this node ends sync for good.
 */
import { type Chain, ChainError } from '#node/chain.ts';
import type { Logger } from '#node/network/logger.ts';
import type { Network } from '#node/network/network.ts';
import { errorMessage } from '#node/network/networkError.ts';
import { serveBlocks } from '#node/sync/blockServer.ts';
import { createDownloader, type FetchedBlock } from '#node/sync/downloader.ts';
import { createHeads } from '#node/sync/heads.ts';

export type SyncTuning = {
  /** How long a validator lets consensus close a gap of one block. */
  readonly patienceMs: number;
  readonly tickMs: number;
  readonly rangeBlocks: number;
  readonly parallelRanges: number;
  readonly requestTimeoutMs: number;
};

export const DEFAULT_SYNC_TUNING: SyncTuning = {
  patienceMs: 1_000,
  tickMs: 500,
  rangeBlocks: 32,
  parallelRanges: 3,
  requestTimeoutMs: 5_000,
};

export type SyncOptions = {
  readonly network: Network;
  readonly chain: Pick<Chain, 'head' | 'blockAt' | 'importBlock' | 'onCommitted'>;
  /** Takes part in consensus: gives it the first try at closing a gap. */
  readonly isValidator: boolean;
  readonly logger: Logger;
  /** A final block differs from what this node computes, or the node cannot go on: it must stop and say why. */
  readonly onFatal: (error: ChainError) => void;
  readonly tuning?: Partial<SyncTuning>;
  readonly nowMs?: () => number;
};

export type SyncStatus = { readonly head: bigint; readonly target: bigint; readonly importing: boolean };

export type Sync = {
  start(): void;
  stop(): Promise<void>;
  /** The peer works at this height, above ours (HostListeners.onBehind): it has committed the one before. */
  hint(peerId: string, height: bigint): void;
  status(): SyncStatus;
};

type ImportResult = 'imported' | 'retry' | 'stop';

export const createSync = (options: SyncOptions): Sync => {
  const { network, chain, isValidator, logger, onFatal, nowMs = () => performance.now() } = options;
  const tuning: SyncTuning = { ...DEFAULT_SYNC_TUNING, ...options.tuning };
  const unsubscribe: (() => void)[] = [];
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> | null = null;
  let stopped = false;
  let hinted = 0n;
  /** Since when somebody has been ahead of this head of ours. */
  let behind: { readonly head: bigint; readonly sinceMs: number } | null = null;

  const ownHeight = (): bigint => chain.head().block.height;
  const heads = createHeads({ network, ownHeight, onClaim: () => evaluate() });
  const downloader = createDownloader({ network, heads, requestTimeoutMs: tuning.requestTimeoutMs, nowMs });

  const isDue = (head: bigint, target: bigint): boolean => {
    if (target <= head) {
      behind = null;
      return false;
    }
    if (behind?.head !== head) behind = { head, sinceMs: nowMs() };
    if (!isValidator || target >= head + 2n || hinted > head) return true;
    return nowMs() - behind.sinceMs >= tuning.patienceMs;
  };

  const evaluate = (): void => {
    if (stopped || running !== null) return;
    if (!isDue(ownHeight(), heads.highest())) return;
    const before = ownHeight();
    running = run()
      .catch((error: unknown) => logger.error({ error: errorMessage(error) }, 'sync failed'))
      .finally(() => {
        running = null;
        // without progress the next tick is soon enough
        if (ownHeight() > before) evaluate();
      });
  };

  type Range = {
    readonly from: bigint;
    readonly to: bigint;
    readonly blocks: Promise<readonly FetchedBlock[]>;
  };
  const startRange = (from: bigint, to: bigint): Range => ({ from, to, blocks: downloader.fetch(from, to) });

  /** Ranges are fetched side by side and imported one after the other. */
  const run = async (): Promise<void> => {
    const startedAt = ownHeight();
    const ahead: Range[] = [];
    let nextFrom = startedAt + 1n;
    while (!stopped) {
      const target = heads.highest();
      while (ahead.length < tuning.parallelRanges && nextFrom <= target) {
        const last = nextFrom + BigInt(tuning.rangeBlocks) - 1n;
        ahead.push(startRange(nextFrom, last < target ? last : target));
        nextFrom = ahead.at(-1)!.to + 1n;
      }
      const missing = ownHeight() + 1n;
      const first = ahead[0];
      if (first === undefined) break;
      // the range before came short: its rest goes first
      const range = missing < first.from ? startRange(missing, first.from - 1n) : ahead.shift()!;
      const fetched = await range.blocks;
      if (fetched.length === 0 || (await importAll(fetched)) !== 'imported') break;
    }
    await Promise.allSettled(ahead.map(({ blocks }) => blocks));
    if (ownHeight() > startedAt)
      logger.info({ from: startedAt, to: ownHeight(), target: heads.highest() }, 'caught up with peers');
  };

  const importAll = async (fetched: readonly FetchedBlock[]): Promise<ImportResult> => {
    for (const one of fetched) {
      if (stopped) return 'stop';
      if (one.block.checkpoint.height <= ownHeight()) continue; // consensus was faster
      const result = await importOne(one);
      if (result !== 'imported') return result;
    }
    return 'imported';
  };

  const importOne = async ({ block, peerId }: FetchedBlock): Promise<ImportResult> => {
    try {
      await chain.importBlock(block);
      return 'imported';
    } catch (error) {
      if (!(error instanceof ChainError)) throw error;
      if (error.fatal) {
        stopped = true;
        logger.error(
          { code: error.code, peerId, error: error.message },
          'sync stops: this node cannot go on',
        );
        onFatal(error);
        return 'stop';
      }
      if (error.code === 'BAD_BLOCK' || error.code === 'BAD_CERTIFICATE') {
        logger.warn(
          { code: error.code, peerId, height: block.checkpoint.height, error: error.message },
          'a peer served a bad block, asking another',
        );
        downloader.blame(peerId, 'invalid', error.message);
        return 'retry';
      }
      logger.debug({ code: error.code, error: error.message }, 'a synced block was not imported');
      return error.code === 'CLOSED' ? 'stop' : 'retry';
    }
  };

  return {
    start() {
      serveBlocks(network, chain);
      heads.start();
      unsubscribe.push(
        chain.onCommitted(() => {
          heads.announce();
          evaluate();
        }),
      );
      timer = setInterval(() => {
        heads.retry();
        evaluate();
      }, tuning.tickMs);
      evaluate();
    },
    async stop() {
      stopped = true;
      if (timer !== null) clearInterval(timer);
      for (const leave of unsubscribe) leave();
      heads.stop();
      await running;
    },
    hint(peerId, height) {
      if (height - 1n > hinted && network.peers().some((peer) => peer.peerId === peerId))
        hinted = height - 1n;
      heads.raise(peerId, height - 1n);
      evaluate();
    },
    status: () => ({ head: ownHeight(), target: heads.highest(), importing: running !== null }),
  };
};
