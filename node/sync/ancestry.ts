/**
 * Which blocks the L1 allows: those that lead to the next checkpoint that it accepted (RULES 22).
 *
 * Owns the proof: the block of the nearest accepted checkpoint above the head is fetched and must hash to the accepted
 * valueId; from its header the parent hashes are followed back until they meet the head. After that each block up to
 * the checkpoint has one known hash, and nothing else is imported, whoever certified it: keys of validators that were
 * removed since can certify another past, but not that one. Bounded: one proof at a time, `MAX_PROVEN_BLOCKS` hashes.
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
import { MAX_HEADERS_PER_REQUEST } from '#node/sync/blockCodec.ts';
import type { Downloader, FetchedBlock } from '#node/sync/downloader.ts';

/** About 1 MiB of hashes; epochs are shorter, and each one's last block is accepted by the L1 (RULES 29). */
export const MAX_PROVEN_BLOCKS = 8_192n;

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
};

export type Ancestry = {
  /** Proves the way from the head to the next accepted checkpoint, once. @throws ContradictionError */
  prove(): Promise<AncestryVerdict>;
  /** False: the L1 has accepted a block above the head to which no way is proven yet. */
  isSettled(): boolean;
  /** Null: the L1 says nothing of this height. */
  expectedHash(height: bigint): Hash | null;
};

type Proof = { readonly anchor: AcceptedCheckpoint; readonly hashes: ReadonlyMap<bigint, Hash> };

export const createAncestry = (options: AncestryOptions): Ancestry => {
  const { chain, domain, acceptedAbove, downloader, logger } = options;
  let proof: Proof | null = null;
  /** Said once for each checkpoint. */
  let unprovenAt: bigint | null = null;

  /** Another value at an accepted height: the set says whether a peer lies or the majority does. */
  const judgeOther = ({ block, peerId }: FetchedBlock, anchor: AcceptedCheckpoint): void => {
    const valueId = checkpointToValueId(block.checkpoint);
    const expected = { height: anchor.height, valueId };
    const { nextValidators } = chain.head();
    if (verifyCommitCertificate(domain, nextValidators, block.certificate, expected).valid)
      throw new ContradictionError(
        `expected ${anchor.valueId} at height ${anchor.height}, which the L1 accepted in block ${anchor.l1BlockNumber}, found ${valueId}, certified by more than 2/3 of the validators: ` +
          'nothing of it was imported; compare block hashes with the other operators before a restart',
      );
    downloader.blame(peerId, 'invalid', `it served another block than the L1 accepted at ${anchor.height}`);
  };

  const fetchAnchor = async (anchor: AcceptedCheckpoint): Promise<Uint8Array | null> => {
    for (;;) {
      const [found] = await downloader.fetch(anchor.height, anchor.height);
      if (found === undefined) return null;
      const { checkpoint, header } = found.block;
      if (checkpointToValueId(checkpoint) !== anchor.valueId) judgeOther(found, anchor);
      else if (hashHeader(header) === checkpoint.blockHash) return header;
      else
        downloader.blame(found.peerId, 'invalid', `its header of ${anchor.height} is not the accepted one`);
    }
  };

  /** The hash that the lowest parent must have: that of our head. */
  const followBack = async (
    anchor: AcceptedCheckpoint,
    newest: Uint8Array,
    lowest: bigint,
  ): Promise<Map<bigint, Hash> | null> => {
    const hashes = new Map<bigint, Hash>([[anchor.height, hashHeader(newest)]]);
    let { parentHash } = decodeHeader(newest);
    let height = anchor.height - 1n;
    while (height >= lowest) {
      const span = BigInt(MAX_HEADERS_PER_REQUEST);
      const from = height - lowest >= span ? height - span + 1n : lowest;
      const fetched = await downloader.fetchHeaders(from, height);
      if (fetched.length === 0) return null;
      for (const { header, peerId } of [...fetched].reverse()) {
        if (hashHeader(header) !== parentHash) {
          downloader.blame(peerId, 'invalid', `its header of ${height} does not lead to an accepted block`);
          break;
        }
        hashes.set(height, parentHash);
        ({ parentHash } = decodeHeader(header));
        height--;
      }
    }
    hashes.set(lowest - 1n, parentHash);
    return hashes;
  };

  const nextAnchor = (height: bigint): AcceptedCheckpoint | null => {
    const anchor = acceptedAbove(height)[0];
    return anchor === undefined || anchor.height - height > MAX_PROVEN_BLOCKS ? null : anchor;
  };
  const isProven = ({ height, valueId }: AcceptedCheckpoint): boolean =>
    proof?.anchor.height === height && proof.anchor.valueId === valueId;

  return {
    async prove() {
      const { block: head } = chain.head();
      const anchor = nextAnchor(head.height);
      if (anchor === null) {
        proof = null;
        return 'free';
      }
      if (isProven(anchor)) return 'proven';
      proof = null;
      const header = await fetchAnchor(anchor);
      const hashes = header === null ? null : await followBack(anchor, header, head.height + 1n);
      if (hashes === null) {
        if (unprovenAt !== anchor.height)
          logger.warn(
            { height: anchor.height, valueId: anchor.valueId },
            'no peer serves the way to the block that the L1 accepted: importing nothing until one does',
          );
        unprovenAt = anchor.height;
        return 'unproven';
      }
      if (hashes.get(head.height) !== head.hash)
        throw new ContradictionError(
          `expected block ${head.height} here (${head.hash}) to be an ancestor of block ${anchor.height}, which the L1 accepted (${anchor.valueId}), found ${hashes.get(head.height)} in its place: this node is on a fork; compare block hashes with the other operators before a restart`,
        );
      proof = { anchor, hashes };
      return 'proven';
    },
    isSettled() {
      const anchor = nextAnchor(chain.head().block.height);
      return anchor === null || isProven(anchor);
    },
    expectedHash: (height) => proof?.hashes.get(height) ?? null,
  };
};
