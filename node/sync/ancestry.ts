/**
 * Which blocks the L1 allows: those that lead to the next checkpoint that it accepted (RULES 22).
 *
 * Owns the proof: the block of the nearest accepted checkpoint above the head is fetched and must hash to the accepted
 * valueId; from its hash the parent hashes are followed back, by headers, until they meet the head. Then each block of
 * the next stride has one known hash, and nothing else is imported, whoever certified it: keys of validators that were
 * removed since can certify another past, but not that one. Bounded however far the checkpoint is: all hashes of one
 * stride, and above it one for each stride; the strides in between are followed again when the head gets there.
 *
 * Invariants: nothing is proven by a peer's word; a header counts only by its hash. Does not own the view of the L1
 * (bridge/l1) or the import.
 */

import type { AcceptedCheckpoint } from '#bridge/l1/view.ts';
import { verifyCommitCertificate } from '#consensus/certificate.ts';
import { checkpointToValueId } from '#consensus/digests.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import type { ChainReader } from '#node/chain.ts';
import type { Logger } from '#node/network/logger.ts';
import { decodeHeader, hashHeader } from '#node/storage/headerCodec.ts';
import type { BlockRecord } from '#node/storage/records.ts';
import { MAX_HEADERS_PER_REQUEST } from '#node/sync/blockCodec.ts';
import type { Downloader, FetchedBlock } from '#node/sync/downloader.ts';

/** Hashes kept at once, about 1 MiB; and one for each stride above, 32 bytes for 8,192 blocks. */
export const STRIDE_BLOCKS = 8_192n;

export class ContradictionError extends Error {
  override readonly name = 'ContradictionError';
  readonly code = 'L1_CONTRADICTION';
}

/** `unproven`: nobody delivers what the proof needs, so nothing may be imported yet. */
export type AncestryVerdict = 'free' | 'proven' | 'unproven';

export type AncestryOptions = {
  readonly chain: Pick<ChainReader, 'head'>;
  readonly domain: ConsensusDomain;
  /** Ascending; as far as the own finalised view of the L1 reaches. */
  readonly acceptedAbove: (height: bigint) => readonly AcceptedCheckpoint[];
  readonly downloader: Pick<Downloader, 'fetch' | 'fetchHeaders' | 'blame'>;
  readonly logger: Logger;
  /** `STRIDE_BLOCKS` by default. */
  readonly strideBlocks?: bigint;
};

export type Ancestry = {
  /** Proves the way from the head to the next accepted checkpoint, and what the next stride must be. @throws ContradictionError */
  prove(): Promise<AncestryVerdict>;
  /** False: the L1 has accepted a block above the head, and what the next block must be is not proven yet. */
  isSettled(): boolean;
  /** Null: the L1 says nothing of this height, or it is above the proven stride. */
  expectedHash(height: bigint): Hash | null;
};

type Way = {
  readonly anchor: AcceptedCheckpoint;
  /** Ancestors of the anchor, a stride apart, and itself. */
  readonly marks: Map<bigint, Hash>;
  /** Every block from the head it was proven for up to `top`; empty before. */
  readonly hashes: ReadonlyMap<bigint, Hash>;
  readonly top: bigint;
};

export const createAncestry = (options: AncestryOptions): Ancestry => {
  const { chain, domain, acceptedAbove, downloader, logger, strideBlocks = STRIDE_BLOCKS } = options;
  let way: Way | null = null;
  /** Said once for each checkpoint. */
  let unprovenAt: bigint | null = null;

  /**
   * Another value at an accepted height. Certified by the set that we know it means a fork if that is the newest
   * checkpoint of all: up to it no other set came, so it is the one that the L1 knows. At an older checkpoint the keys
   * may be those of validators removed since, which prove nothing: the peer is to blame.
   */
  const judgeOther = ({ block, peerId }: FetchedBlock, anchor: AcceptedCheckpoint): void => {
    const valueId = checkpointToValueId(block.checkpoint);
    const expected = { height: anchor.height, valueId };
    const { block: head, nextValidators } = chain.head();
    const isNewest = acceptedAbove(head.height).every(({ height }) => height <= anchor.height);
    if (isNewest && verifyCommitCertificate(domain, nextValidators, block.certificate, expected).valid)
      throw new ContradictionError(
        `expected ${anchor.valueId} at height ${anchor.height}, which the L1 accepted in block ${anchor.l1BlockNumber}, found ${valueId}, certified by more than 2/3 of the validators: ` +
          'nothing of it was imported; compare block hashes with the other operators before a restart',
      );
    downloader.blame(peerId, 'invalid', `it served another block than the L1 accepted at ${anchor.height}`);
  };

  const fetchAnchorHash = async (anchor: AcceptedCheckpoint): Promise<Hash | null> => {
    for (;;) {
      const [found] = await downloader.fetch(anchor.height, anchor.height);
      if (found === undefined) return null;
      const { checkpoint } = found.block;
      if (checkpointToValueId(checkpoint) === anchor.valueId) return checkpoint.blockHash;
      judgeOther(found, anchor);
    }
  };

  /** Visits each proven hash from `height` down to that of the block below `lowest`. @returns false when nobody serves */
  const followBack = async (
    newest: { readonly height: bigint; readonly hash: Hash },
    lowest: bigint,
    visit: (height: bigint, hash: Hash) => void,
  ): Promise<boolean> => {
    let { height, hash } = newest;
    visit(height, hash);
    while (height >= lowest) {
      const span = BigInt(MAX_HEADERS_PER_REQUEST);
      const from = height - lowest >= span ? height - span + 1n : lowest;
      const fetched = await downloader.fetchHeaders(from, height);
      if (fetched.length === 0) return false;
      for (const { header, peerId } of [...fetched].reverse()) {
        if (hashHeader(header) !== hash) {
          downloader.blame(peerId, 'invalid', `its header of ${height} does not lead to an accepted block`);
          break;
        }
        hash = decodeHeader(header).parentHash;
        height--;
        visit(height, hash);
      }
    }
    return true;
  };

  /** What was accepted stays so, though the view may no longer list it: a way is followed to its end. */
  const nextAnchor = (height: bigint): AcceptedCheckpoint | null => {
    const nearest = acceptedAbove(height)[0] ?? null;
    const isOnTheWay = way !== null && way.anchor.height > height;
    return isOnTheWay && (nearest === null || nearest.height > way!.anchor.height) ? way!.anchor : nearest;
  };
  const leadsTo = ({ height, valueId }: AcceptedCheckpoint): boolean =>
    way?.anchor.height === height && way.anchor.valueId === valueId;

  /** The lowest mark above the head. */
  const topAbove = (head: bigint, anchor: bigint): bigint =>
    head + 1n + ((anchor - head - 1n) % strideBlocks);

  /** Goes on from the lowest ancestor that is known, so that what was followed before an interruption is kept. */
  const proveStride = async (anchor: AcceptedCheckpoint, head: BlockRecord): Promise<Way | null> => {
    if (!leadsTo(anchor)) {
      const hash = await fetchAnchorHash(anchor);
      if (hash === null) return null;
      way = { anchor, marks: new Map([[anchor.height, hash]]), hashes: new Map(), top: 0n };
    }
    const { marks } = way!;
    const top = topAbove(head.height, anchor.height);
    for (const height of marks.keys()) if (height < top) marks.delete(height);
    const hashes = new Map<bigint, Hash>();
    const [height, hash] = [...marks].reduce((low, mark) => (mark[0] < low[0] ? mark : low));
    const isFollowed = await followBack({ height, hash }, head.height + 1n, (at, found) => {
      if (at <= top) hashes.set(at, found);
      if (at >= top && (anchor.height - at) % strideBlocks === 0n) marks.set(at, found);
    });
    return isFollowed ? { anchor, marks, hashes, top } : null;
  };

  return {
    async prove() {
      const { block: head } = chain.head();
      const anchor = nextAnchor(head.height);
      if (anchor === null) {
        way = null;
        return 'free';
      }
      if (leadsTo(anchor) && way!.top > head.height) return 'proven';
      const proven = await proveStride(anchor, head);
      if (proven === null) {
        if (unprovenAt !== anchor.height)
          logger.warn(
            { height: anchor.height, valueId: anchor.valueId },
            'no peer serves the way to the block that the L1 accepted: importing nothing until one does',
          );
        unprovenAt = anchor.height;
        return 'unproven';
      }
      const found = proven.hashes.get(head.height);
      if (found !== head.hash)
        throw new ContradictionError(
          `expected block ${head.height} here (${head.hash}) to be an ancestor of block ${anchor.height}, which the L1 accepted (${anchor.valueId}), found ${found} in its place: this node is on a fork; compare block hashes with the other operators before a restart`,
        );
      way = proven;
      return 'proven';
    },
    isSettled() {
      const { height } = chain.head().block;
      const anchor = nextAnchor(height);
      return anchor === null || (leadsTo(anchor) && way!.top > height);
    },
    expectedHash: (height) => way?.hashes.get(height) ?? null,
  };
};
