/**
 * Serves committed blocks to peers that are behind: `from` on, at most `count`, about 1 MiB an answer; and headers, by
 * which a peer follows hashes back from a block that the L1 accepted.
 */
import type { ChainReader } from '#node/chain.ts';
import type { Network, Peer } from '#node/network/network.ts';
import type { CertifiedBlock } from '#node/storage/records.ts';
import {
  blockSizeBytes,
  decodeBlockRequest,
  encodeBlocks,
  encodeHeaders,
  MAX_ANSWER_BLOCK_BYTES,
  MAX_BLOCKS_PER_REQUEST,
  MAX_HEADERS_PER_REQUEST,
  SyncCodecError,
  toCertified,
} from '#node/sync/blockCodec.ts';

type BlockSource = Pick<ChainReader, 'head' | 'blockAt'>;

export const BLOCKS_PROTOCOL = '/causeway/blocks/1';
export const HEADERS_PROTOCOL = '/causeway/headers/1';

const readBlocks = async (chain: BlockSource, from: bigint, count: number): Promise<CertifiedBlock[]> => {
  const blocks: CertifiedBlock[] = [];
  const last = chain.head().block.height;
  let bytes = 0;
  for (let height = from < 1n ? 1n : from; height <= last && blocks.length < count; height++) {
    const record = await chain.blockAt(height);
    const certified = record === null ? null : toCertified(record);
    if (certified === null) break;
    bytes += blockSizeBytes(certified);
    if (blocks.length > 0 && bytes > MAX_ANSWER_BLOCK_BYTES) break;
    blocks.push(certified);
  }
  return blocks;
};

const readHeaders = async (chain: BlockSource, from: bigint, count: number): Promise<Uint8Array[]> => {
  const headers: Uint8Array[] = [];
  for (let height = from < 1n ? 1n : from; headers.length < count; height++) {
    const record = await chain.blockAt(height);
    if (record === null) break;
    headers.push(record.header);
  }
  return headers;
};

export const serveBlocks = (
  network: Pick<Network, 'handleRequest' | 'reportFault'>,
  chain: BlockSource,
): void => {
  const serve =
    (maxCount: number, read: (from: bigint, count: number) => Promise<Uint8Array>) =>
    async (peer: Peer, bytes: Uint8Array): Promise<Uint8Array> => {
      try {
        const { from, count } = decodeBlockRequest(bytes, maxCount);
        return await read(from, count);
      } catch (error) {
        if (error instanceof SyncCodecError) network.reportFault(peer.peerId, 'malformed', error.message);
        throw error;
      }
    };
  network.handleRequest(
    BLOCKS_PROTOCOL,
    serve(MAX_BLOCKS_PER_REQUEST, async (from, count) => encodeBlocks(await readBlocks(chain, from, count))),
  );
  network.handleRequest(
    HEADERS_PROTOCOL,
    serve(MAX_HEADERS_PER_REQUEST, async (from, count) =>
      encodeHeaders(await readHeaders(chain, from, count)),
    ),
  );
};
