/**
 * Fetches ranges of blocks and headers from whichever peers have them.
 *
 * Owns requests: whom to ask (with suppliers.ts), a second peer when the first one stalls, and what makes an answer an
 * answer (decodes, right heights); the chain judges the blocks. Bounded: a range is short, each peer serves at most
 * two requests, each peer is asked at most once for one piece, and at most two answers for a piece are on their way
 * by choice. What a peer answers after it was found lying is dropped.
 */
import type { Network, PeerFault } from '#node/network/network.ts';
import type { CertifiedBlock } from '#node/storage/records.ts';
import {
  blockSizeBytes,
  decodeBlocks,
  decodeHeaders,
  encodeBlockRequest,
  MAX_ANSWER_BYTES,
  MAX_BLOCKS_PER_REQUEST,
  MAX_HEADERS_BYTES,
  SyncCodecError,
} from '#node/sync/blockCodec.ts';
import { BLOCKS_PROTOCOL, HEADERS_PROTOCOL } from '#node/sync/blockServer.ts';
import type { Heads } from '#node/sync/heads.ts';
import type { Suppliers } from '#node/sync/suppliers.ts';

export type FetchedBlock = { readonly block: CertifiedBlock; readonly peerId: string };
export type FetchedHeader = { readonly header: Uint8Array; readonly peerId: string };

export type DownloaderOptions = {
  readonly network: Pick<Network, 'request' | 'peers' | 'reportFault'>;
  readonly heads: Pick<Heads, 'claimOf' | 'refute'>;
  readonly suppliers: Suppliers;
  readonly requestTimeoutMs: number;
  readonly nowMs: () => number;
};

export type Downloader = {
  /** The blocks from `from` to `to`, or as many of them as anybody delivers; empty when nobody does. */
  fetch(from: bigint, to: bigint): Promise<readonly FetchedBlock[]>;
  /** All headers of one short range, in order and from one peer; empty when nobody delivers. Nothing is verified. */
  fetchHeaders(from: bigint, to: bigint): Promise<readonly FetchedHeader[]>;
  /** This peer served something wrong: others are asked for a while. Charged once, however much of it was wrong. */
  blame(peerId: string, fault: PeerFault, detail: string): void;
  isDistrusted(peerId: string): boolean;
  /** Every fetch under way ends with nothing. */
  stop(): void;
};

/** A range that grows beyond this is handed on short. */
const MAX_RANGE_BYTES = 4 * 1024 * 1024;
/** Another peer is asked after three times the expected answer time, within these bounds. */
const HEDGE_FACTOR = 3;
const MIN_HEDGE_MS = 300;
/** A claim that three requests in a row could not cash in decays. */
const FAILURES_THAT_REFUTE = 3;

type Piece<T> = {
  readonly protocol: string;
  readonly from: bigint;
  readonly to: bigint;
  readonly maxAnswerBytes: number;
  readonly decode: (bytes: Uint8Array) => readonly T[];
  /** What is wrong with these items, null when nothing is; an answer may come short. */
  readonly fault: (items: readonly T[]) => string | null;
};
type Answer<T> = { readonly peerId: string; readonly items: readonly T[] };

export const createDownloader = (options: DownloaderOptions): Downloader => {
  const { network, heads, suppliers, requestTimeoutMs, nowMs } = options;
  const waiting = new Set<() => void>();
  let stopped = false;

  const blame: Downloader['blame'] = (peerId, fault, detail) => {
    if (suppliers.distrust(peerId)) network.reportFault(peerId, fault, detail);
  };

  const choose = (height: bigint, asked: ReadonlySet<string>): string | null =>
    suppliers.choose(
      network
        .peers()
        .map(({ peerId }) => peerId)
        .filter((peerId) => !asked.has(peerId) && heads.claimOf(peerId) >= height),
    );

  /** @returns at least one item, or none when the peer failed (and then is not asked again soon) */
  const ask = async <T>(peerId: string, piece: Piece<T>): Promise<readonly T[]> => {
    const { from, to } = piece;
    const startedMs = nowMs();
    suppliers.began(peerId);
    try {
      const request = encodeBlockRequest({ from, count: Number(to - from) + 1 });
      const { maxAnswerBytes } = piece;
      const bytes = await network.request(peerId, piece.protocol, request, {
        timeoutMs: requestTimeoutMs,
        maxAnswerBytes,
      });
      if (suppliers.isDistrusted(peerId)) return [];
      const items = piece.decode(bytes);
      if (items.length === 0) {
        heads.refute(peerId, from - 1n);
        blame(peerId, 'invalid', `it claimed to have block ${from} and served none`);
        return [];
      }
      const fault = piece.fault(items);
      if (fault !== null) {
        blame(peerId, 'invalid', fault);
        return [];
      }
      suppliers.answered(peerId, nowMs() - startedMs, items.length);
      return items;
    } catch (error) {
      if (error instanceof SyncCodecError) blame(peerId, 'malformed', error.message);
      else if (suppliers.failed(peerId) >= FAILURES_THAT_REFUTE) heads.refute(peerId, from - 1n);
      return [];
    } finally {
      suppliers.ended(peerId);
    }
  };

  /** One peer after the other until one delivers; two at once when the first takes too long. */
  const askAnyone = <T>(piece: Piece<T>): Promise<Answer<T> | null> =>
    new Promise((resolve) => {
      const asked = new Set<string>();
      let open = 0;
      let hedge: NodeJS.Timeout | undefined;
      const finish = (answer: Answer<T> | null): void => {
        clearTimeout(hedge);
        waiting.delete(giveUp);
        resolve(answer);
      };
      const giveUp = (): void => finish(null);
      const askNext = (): boolean => {
        const peerId = stopped ? null : choose(piece.from, asked);
        if (peerId === null) return false;
        asked.add(peerId);
        open++;
        void ask(peerId, piece).then((items) => {
          open--;
          if (items.length > 0) finish({ peerId, items });
          else if (open === 0 && !askNext()) finish(null);
        });
        const blocks = Number(piece.to - piece.from) + 1;
        const expectedMs = HEDGE_FACTOR * suppliers.expectedMs(peerId, blocks);
        const hedgeMs = Math.min(requestTimeoutMs / 2, Math.max(MIN_HEDGE_MS, expectedMs));
        clearTimeout(hedge);
        hedge = setTimeout(() => open === 1 && askNext(), hedgeMs);
        return true;
      };
      waiting.add(giveUp);
      if (!askNext()) finish(null);
    });

  const blocksPiece = (from: bigint, to: bigint): Piece<CertifiedBlock> => ({
    protocol: BLOCKS_PROTOCOL,
    from,
    to: to - from >= BigInt(MAX_BLOCKS_PER_REQUEST) ? from + BigInt(MAX_BLOCKS_PER_REQUEST) - 1n : to,
    maxAnswerBytes: MAX_ANSWER_BYTES,
    decode: decodeBlocks,
    fault: (blocks) => {
      const isWrong = blocks.some(({ checkpoint }, index) => checkpoint.height !== from + BigInt(index));
      return isWrong || BigInt(blocks.length) > to - from + 1n
        ? `it served other blocks than ${from} to ${to}`
        : null;
    },
  });

  return {
    async fetch(from, to) {
      const fetched: FetchedBlock[] = [];
      let bytes = 0;
      while (from + BigInt(fetched.length) <= to && bytes < MAX_RANGE_BYTES) {
        const answer = await askAnyone(blocksPiece(from + BigInt(fetched.length), to));
        if (answer === null) break;
        for (const block of answer.items) {
          fetched.push({ block, peerId: answer.peerId });
          bytes += blockSizeBytes(block);
        }
      }
      return fetched;
    },
    async fetchHeaders(from, to) {
      const expected = Number(to - from) + 1;
      const answer = await askAnyone<Uint8Array>({
        protocol: HEADERS_PROTOCOL,
        from,
        to,
        maxAnswerBytes: MAX_HEADERS_BYTES,
        decode: decodeHeaders,
        fault: ({ length }) =>
          length === expected
            ? null
            : `expected headers ${from} to ${to}, all of them: it claimed them, and served ${length}`,
      });
      return (answer?.items ?? []).map((header) => ({ header, peerId: answer!.peerId }));
    },
    blame,
    isDistrusted: suppliers.isDistrusted,
    stop() {
      stopped = true;
      for (const giveUp of [...waiting]) giveUp();
    },
  };
};
