/**
 * Fetches a range of blocks from whichever peers have it.
 *
 * Owns the choice of peers and their exclusion for a while after a fault. Checks only what makes an answer an answer
 * (decodes, right heights); the chain judges the blocks. Bounded: a range is short, and each peer serves at most two.
 */
import type { Network, PeerFault } from '#node/network/network.ts';
import type { CertifiedBlock } from '#node/storage/records.ts';
import {
  blockSizeBytes,
  decodeBlocks,
  encodeBlockRequest,
  MAX_ANSWER_BYTES,
  SyncCodecError,
} from '#node/sync/blockCodec.ts';
import { BLOCKS_PROTOCOL } from '#node/sync/blockServer.ts';
import type { Heads } from '#node/sync/heads.ts';

export type FetchedBlock = { readonly block: CertifiedBlock; readonly peerId: string };

export type DownloaderOptions = {
  readonly network: Pick<Network, 'request' | 'peers' | 'reportFault'>;
  readonly heads: Pick<Heads, 'claimOf' | 'lower'>;
  readonly requestTimeoutMs: number;
  readonly nowMs: () => number;
};

export type Downloader = {
  /** The blocks from `from` to `to`, or as many of them as anybody delivers; empty when nobody does. */
  fetch(from: bigint, to: bigint): Promise<readonly FetchedBlock[]>;
  /** This peer served something wrong: others are asked for a while. */
  blame(peerId: string, fault: PeerFault, detail: string): void;
};

const MAX_REQUESTS_PER_PEER = 2;
/** A range that grows beyond this is handed on short. */
const MAX_RANGE_BYTES = 4 * 1024 * 1024;
const EXCLUDED_MS = 30_000;
const SLOW_MS = 3_000;

export const createDownloader = (options: DownloaderOptions): Downloader => {
  const { network, heads, requestTimeoutMs, nowMs } = options;
  const busy = new Map<string, number>();
  const excludedUntilMs = new Map<string, number>();

  const exclude = (peerId: string, forMs: number): void => {
    for (const [other, until] of excludedUntilMs) if (until <= nowMs()) excludedUntilMs.delete(other);
    excludedUntilMs.set(peerId, nowMs() + forMs);
  };

  const blame: Downloader['blame'] = (peerId, fault, detail) => {
    exclude(peerId, EXCLUDED_MS);
    network.reportFault(peerId, fault, detail);
  };

  /** The least busy peer that claims to have this height. */
  const choose = (height: bigint): string | null => {
    let best: string | null = null;
    for (const { peerId } of network.peers()) {
      const load = busy.get(peerId) ?? 0;
      if (load >= MAX_REQUESTS_PER_PEER || heads.claimOf(peerId) < height) continue;
      if ((excludedUntilMs.get(peerId) ?? 0) > nowMs()) continue;
      if (best === null || load < (busy.get(best) ?? 0)) best = peerId;
    }
    return best;
  };

  /** @returns at least one block, or none when the peer failed (and then is not asked again soon) */
  const ask = async (peerId: string, from: bigint, to: bigint): Promise<readonly FetchedBlock[]> => {
    busy.set(peerId, (busy.get(peerId) ?? 0) + 1);
    try {
      const request = encodeBlockRequest({ from, count: Number(to - from) + 1 });
      const answer = await network.request(peerId, BLOCKS_PROTOCOL, request, {
        timeoutMs: requestTimeoutMs,
        maxAnswerBytes: MAX_ANSWER_BYTES,
      });
      return accept(peerId, decodeBlocks(answer), from, to);
    } catch (error) {
      if (error instanceof SyncCodecError) blame(peerId, 'malformed', error.message);
      else exclude(peerId, SLOW_MS);
      return [];
    } finally {
      const left = (busy.get(peerId) ?? 1) - 1;
      if (left > 0) busy.set(peerId, left);
      else busy.delete(peerId);
    }
  };

  const accept = (
    peerId: string,
    blocks: readonly CertifiedBlock[],
    from: bigint,
    to: bigint,
  ): readonly FetchedBlock[] => {
    if (blocks.length === 0) {
      heads.lower(peerId, from - 1n);
      blame(peerId, 'invalid', `it claimed to have block ${from} and served none`);
      return [];
    }
    const isWrong = blocks.some(({ checkpoint }, index) => checkpoint.height !== from + BigInt(index));
    if (isWrong || BigInt(blocks.length) > to - from + 1n) {
      blame(peerId, 'invalid', `it served other blocks than ${from} to ${to}`);
      return [];
    }
    return blocks.map((block) => ({ block, peerId }));
  };

  return {
    async fetch(from, to) {
      const fetched: FetchedBlock[] = [];
      let bytes = 0;
      while (from + BigInt(fetched.length) <= to && bytes < MAX_RANGE_BYTES) {
        const next = from + BigInt(fetched.length);
        const peerId = choose(next);
        if (peerId === null) break;
        const blocks = await ask(peerId, next, to);
        fetched.push(...blocks);
        bytes += blocks.reduce((sum, { block }) => sum + blockSizeBytes(block), 0);
      }
      return fetched;
    },
    blame,
  };
};
