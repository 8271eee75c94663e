/**
 * What block sync says on the wire, as strict RLP.
 *
 * Owns the formats: a head is a uint64; a request is [from, count]; an answer is a list of certified blocks, or of
 * headers. Decoding bounds everything and throws SyncCodecError; whether a block is right is for the chain to say.
 */
import { toBigEndian } from '#consensus/primitives.ts';
import {
  bytesOf,
  certificateItem,
  certificateOf,
  checkpointItem,
  checkpointOf,
  listOf,
  MAX_PAYLOAD_TRANSACTIONS,
  manyOf,
  uint,
  uint32Of,
  uint64Of,
} from '#node/consensus/fields.ts';
import { decodeRlp, encodeRlp, type RlpItem } from '#node/consensus/rlp.ts';
import type { BlockRecord, CertifiedBlock } from '#node/storage/records.ts';

export class SyncCodecError extends Error {
  override readonly name = 'SyncCodecError';
  readonly code = 'MALFORMED';
}

/** What one answer carries at most; a single larger block still travels alone. */
export const MAX_ANSWER_BLOCK_BYTES = 1024 * 1024;
/** A block of 2 MiB of transactions with header, certificate and RLP around it, beside a full answer. */
export const MAX_ANSWER_BYTES = MAX_ANSWER_BLOCK_BYTES + 2 * 1024 * 1024 + 512 * 1024;
export const MAX_BLOCKS_PER_REQUEST = 64;
export const MAX_HEADERS_PER_REQUEST = 256;
const MAX_HEADER_BYTES = 2_048;
export const MAX_HEADERS_BYTES = MAX_HEADERS_PER_REQUEST * (MAX_HEADER_BYTES + 8) + 16;

const decoding = <T>(what: string, decode: () => T): T => {
  try {
    return decode();
  } catch (error) {
    throw new SyncCodecError(
      `expected ${what}, found ${error instanceof Error ? error.message : String(error)}`,
    );
  }
};

export const encodeHead = (height: bigint): Uint8Array => toBigEndian(height, 8);

/** @throws SyncCodecError */
export const decodeHead = (bytes: Uint8Array): bigint => {
  if (bytes.length !== 8) throw new SyncCodecError(`expected a head of 8 bytes, found ${bytes.length}`);
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
};

export type BlockRequest = { readonly from: bigint; readonly count: number };

export const encodeBlockRequest = ({ from, count }: BlockRequest): Uint8Array =>
  encodeRlp([uint(from), uint(count)]);

/** @throws SyncCodecError */
export const decodeBlockRequest = (bytes: Uint8Array, maxCount = MAX_BLOCKS_PER_REQUEST): BlockRequest =>
  decoding('a request for blocks', () => {
    const [from, count] = listOf(decodeRlp(bytes), 2);
    return { from: uint64Of(from), count: Math.min(uint32Of(count), maxCount) };
  });

const blockItem = (block: CertifiedBlock): RlpItem => [
  block.header,
  block.transactions,
  checkpointItem(block.checkpoint),
  certificateItem(block.certificate),
];

const blockOf = (item: RlpItem): CertifiedBlock => {
  const [header, transactions, checkpoint, certificate] = listOf(item, 4);
  return {
    header: bytesOf(header, MAX_HEADER_BYTES),
    transactions: manyOf(transactions, MAX_PAYLOAD_TRANSACTIONS).map((raw) => bytesOf(raw)),
    checkpoint: checkpointOf(checkpoint),
    certificate: certificateOf(certificate),
  };
};

export const encodeBlocks = (blocks: readonly CertifiedBlock[]): Uint8Array =>
  encodeRlp(blocks.map(blockItem));

/** @throws SyncCodecError */
export const decodeBlocks = (bytes: Uint8Array): CertifiedBlock[] =>
  decoding('certified blocks', () => manyOf(decodeRlp(bytes), MAX_BLOCKS_PER_REQUEST).map(blockOf));

export const encodeHeaders = (headers: readonly Uint8Array[]): Uint8Array => encodeRlp([...headers]);

/** @throws SyncCodecError */
export const decodeHeaders = (bytes: Uint8Array): Uint8Array[] =>
  decoding('headers', () =>
    manyOf(decodeRlp(bytes), MAX_HEADERS_PER_REQUEST).map((header) => bytesOf(header, MAX_HEADER_BYTES)),
  );

/** Null for block 0, which everybody has, and for one whose transactions were pruned here. */
export const toCertified = (block: BlockRecord): CertifiedBlock | null => {
  const { header, checkpoint, certificate } = block;
  return certificate === null || block.isPruned
    ? null
    : { header, transactions: block.transactions, checkpoint, certificate };
};

/** About what the block takes on the wire. */
export const blockSizeBytes = ({ header, transactions, certificate }: CertifiedBlock): number =>
  header.length +
  transactions.reduce((sum, raw) => sum + raw.length + 4, 0) +
  certificate.signatures.length * 90 +
  400;
