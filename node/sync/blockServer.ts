/** Serves committed blocks to peers that are behind: `from` on, at most `count`, about 1 MiB an answer. */
import type { ChainReader } from '#node/chain.ts';
import type { Network } from '#node/network/network.ts';
import type { CertifiedBlock } from '#node/storage/records.ts';
import {
  blockSizeBytes,
  decodeBlockRequest,
  encodeBlocks,
  MAX_ANSWER_BLOCK_BYTES,
  SyncCodecError,
  toCertified,
} from '#node/sync/blockCodec.ts';

type BlockSource = Pick<ChainReader, 'head' | 'blockAt'>;

export const BLOCKS_PROTOCOL = '/causeway/blocks/1';

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

export const serveBlocks = (
  network: Pick<Network, 'handleRequest' | 'reportFault'>,
  chain: BlockSource,
): void => {
  network.handleRequest(BLOCKS_PROTOCOL, async (peer, bytes) => {
    try {
      const { from, count } = decodeBlockRequest(bytes);
      return encodeBlocks(await readBlocks(chain, from, count));
    } catch (error) {
      if (error instanceof SyncCodecError) network.reportFault(peer.peerId, 'malformed', error.message);
      throw error;
    }
  });
};
