/**
 * Keeps the chain up with its peers: a gap detector that never stops, and the import of what is missing.
 *
 * Owns when to fetch and in which order blocks reach the chain, which verifies them. A full node follows every
 * announcement at once; a validator commits by consensus and syncs only when it is two blocks behind, or one for
 * longer than `patienceMs`, or when the consensus host says so. Does not own what is true: claims of peers decide whom
 * to ask, certificates what is committed, the L1 what may not be contradicted.
 *
 * Invariants: one import at a time, in order; at most `parallelRanges` ranges of `rangeBlocks` blocks wait in memory;
 * a peer that served a bad block is charged once, the rest of what it sent is dropped, another one is asked; a fault
 * of this node, or a majority that contradicts the L1, ends sync for good.
 */
import type { AcceptedCheckpoint } from '#bridge/l1/view.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import { type Chain, ChainError } from '#node/chain.ts';
import type { SigningLease } from '#node/consensus/hostPorts.ts';
import type { Logger } from '#node/network/logger.ts';
import type { Network } from '#node/network/network.ts';
import { errorMessage } from '#node/network/networkError.ts';
import { ContradictionError, createAncestry, STRIDE_BLOCKS } from '#node/sync/ancestry.ts';
import { createBlockImport, type ImportResult } from '#node/sync/blockImport.ts';
import { serveBlocks } from '#node/sync/blockServer.ts';
import { createDownloader, type FetchedBlock } from '#node/sync/downloader.ts';
import { createHeads } from '#node/sync/heads.ts';
import { createLease, credibleHeight } from '#node/sync/lease.ts';
import { createSuppliers } from '#node/sync/suppliers.ts';

export type SyncTuning = {
  /** How long a validator lets consensus close a gap of one block. */
  readonly patienceMs: number;
  readonly tickMs: number;
  readonly rangeBlocks: number;
  readonly parallelRanges: number;
  readonly requestTimeoutMs: number;
  /** How long the signing lease lasts without a block. */
  readonly leaseMs: number;
  /** Blocks below an accepted checkpoint that are proven at a time (ancestry.ts). */
  readonly strideBlocks: bigint;
};

export const DEFAULT_SYNC_TUNING: SyncTuning = {
  patienceMs: 1_000,
  tickMs: 500,
  rangeBlocks: 32,
  parallelRanges: 3,
  requestTimeoutMs: 5_000,
  leaseMs: 10_000,
  strideBlocks: STRIDE_BLOCKS,
};

/** Why sync has ended for good: a fatal ChainError's code, or L1_CONTRADICTION. */
export type SyncFault = { readonly code: string; readonly message: string };

export type SyncOptions = {
  readonly network: Network;
  readonly chain: Pick<Chain, 'head' | 'blockAt' | 'importBlock' | 'onCommitted'>;
  readonly domain: ConsensusDomain;
  /** Takes part in consensus: gives it the first try at closing a gap. */
  readonly isValidator: boolean;
  /** Checkpoints that the L1 accepted above a height, ascending, as far as the own view of it reaches. */
  readonly acceptedAbove: (height: bigint) => readonly AcceptedCheckpoint[];
  readonly logger: Logger;
  /** The node must stop and say why. Called once. */
  readonly onFatal: (fault: SyncFault) => void;
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
  /** For the consensus host: held while what is final elsewhere is not here. */
  readonly signingLease: SigningLease;
};

type Range = {
  readonly from: bigint;
  readonly to: bigint;
  readonly blocks: Promise<readonly FetchedBlock[]>;
};

export const createSync = (options: SyncOptions): Sync => {
  const { network, chain, domain, isValidator, acceptedAbove, logger, onFatal } = options;
  const { nowMs = () => performance.now() } = options;
  const tuning: SyncTuning = { ...DEFAULT_SYNC_TUNING, ...options.tuning };
  const unsubscribe: (() => void)[] = [];
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> | null = null;
  let stopped = false;
  let hinted = 0n;
  /** Since when somebody has been ahead of this head of ours. */
  let behind: { readonly head: bigint; readonly sinceMs: number } | null = null;

  const ownHeight = (): bigint => chain.head().block.height;
  const heads = createHeads({ network, ownHeight, nowMs, onClaim: () => evaluate() });
  const suppliers = createSuppliers(nowMs);
  const { requestTimeoutMs } = tuning;
  const downloader = createDownloader({ network, heads, suppliers, requestTimeoutMs, nowMs });
  const { strideBlocks } = tuning;
  const ancestry = createAncestry({ chain, domain, acceptedAbove, downloader, logger, strideBlocks });
  const lease = createLease({
    boundMs: tuning.leaseMs,
    nowMs,
    onLapsed: (head, target) =>
      logger.warn({ head, target }, 'peers do not deliver what they claim: signing again'),
  });
  const importBlock = createBlockImport({
    chain,
    domain,
    isValidator,
    downloader,
    ancestry,
    lease,
    logger,
  });

  const updateLease = (): void =>
    lease.update(ownHeight(), credibleHeight(chain.head().nextValidators, heads.validatorClaims()));

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
    if (stopped) return;
    updateLease();
    if (running !== null || !isDue(ownHeight(), heads.highest())) return;
    const before = ownHeight();
    running = run()
      .catch(fail)
      .finally(() => {
        running = null;
        // without progress the next tick is soon enough
        if (ownHeight() > before) evaluate();
      });
  };

  const fail = (error: unknown): void => {
    const isFatal = error instanceof ContradictionError || (error instanceof ChainError && error.fatal);
    if (!isFatal) {
      logger.error({ error: errorMessage(error) }, 'sync failed');
      return;
    }
    halt();
    logger.error({ code: error.code, error: error.message }, 'sync stops: this node cannot go on');
    onFatal({ code: error.code, message: error.message });
  };

  const halt = (): void => {
    stopped = true;
    downloader.stop();
    lease.stop();
  };

  const startRange = (from: bigint, to: bigint): Range => ({ from, to, blocks: downloader.fetch(from, to) });

  /** Ranges are fetched side by side and imported one after the other. */
  const run = async (): Promise<void> => {
    const startedAt = ownHeight();
    const ahead: Range[] = [];
    try {
      let nextFrom = startedAt + 1n;
      while (!stopped && (await ancestry.prove()) !== 'unproven') {
        const target = heads.highest();
        while (ahead.length < tuning.parallelRanges && nextFrom <= target) {
          const last = nextFrom + BigInt(tuning.rangeBlocks) - 1n;
          ahead.push(startRange(nextFrom, last < target ? last : target));
          nextFrom = ahead.at(-1)!.to + 1n;
        }
        const range = nextRange(ahead);
        if (range === null) break;
        const fetched = await range.blocks;
        if (fetched.length === 0) break;
        const result = await importAll(fetched);
        if (result !== 'imported' && result !== 'refetch') break;
      }
    } finally {
      if (stopped) downloader.stop();
      await Promise.allSettled(ahead.map(({ blocks }) => blocks));
    }
    if (ownHeight() > startedAt)
      logger.info({ from: startedAt, to: ownHeight(), target: heads.highest() }, 'caught up with peers');
  };

  /** When the range before came short, its rest goes first. */
  const nextRange = (ahead: Range[]): Range | null => {
    const missing = ownHeight() + 1n;
    while (ahead[0] !== undefined && ahead[0].to < missing) ahead.shift();
    const first = ahead[0];
    if (first === undefined) return null;
    return missing < first.from ? startRange(missing, first.from - 1n) : ahead.shift()!;
  };

  const importAll = async (fetched: readonly FetchedBlock[]): Promise<ImportResult> => {
    for (const one of fetched) {
      if (stopped) return 'closed';
      if (one.block.checkpoint.height <= ownHeight()) continue; // consensus was faster
      if (!ancestry.isSettled()) return 'refetch'; // the L1 accepted a block meanwhile: proven first
      const result = await importBlock(one);
      if (result !== 'imported') return result;
    }
    return 'imported';
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
      halt();
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
    signingLease: lease,
  };
};
