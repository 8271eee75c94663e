/**
 * Receipts: what a transaction left behind, in the form that the receipts root commits to and in the form we keep.
 *
 * Source: EIP-2718 (typed receipts), EIP-658 (status).
 */
import { RLP } from '@ethereumjs/rlp';
import { keccak256, keccak256Hex } from '#consensus/crypto/keccak.ts';
import { bytesToHex, concatBytes, type Hash, type Hex, hexToBytes } from '#consensus/primitives.ts';
import type { LogRecord, ReceiptRecord } from '#node/storage/records.ts';
import { quantityToBytes } from '#node/storage/rlpValues.ts';

const BLOOM_BYTES = 256;

/** Yellow Paper 4.3.1: three bits per value, from the first three pairs of bytes of its hash. */
const addToBloom = (bloom: Uint8Array, value: Uint8Array): void => {
  const hash = keccak256(value);
  for (let pair = 0; pair < 6; pair += 2) {
    const bit = ((hash[pair]! << 8) | hash[pair + 1]!) & 2047;
    bloom[BLOOM_BYTES - 1 - (bit >> 3)]! |= 1 << (bit & 7);
  }
};

export const EMPTY_BLOOM: Hex = bytesToHex(new Uint8Array(BLOOM_BYTES));

export const logsToBloom = (logs: readonly LogRecord[]): Hex => {
  if (logs.length === 0) return EMPTY_BLOOM;
  const bloom = new Uint8Array(BLOOM_BYTES);
  for (const log of logs) {
    addToBloom(bloom, hexToBytes(log.address));
    for (const topic of log.topics) addToBloom(bloom, hexToBytes(topic));
  }
  return bytesToHex(bloom);
};

export const mergeBlooms = (blooms: readonly Hex[]): Hex => {
  const merged = new Uint8Array(BLOOM_BYTES);
  for (const bloom of blooms) {
    if (bloom === EMPTY_BLOOM) continue;
    const bytes = hexToBytes(bloom);
    for (let at = 0; at < BLOOM_BYTES; at++) merged[at]! |= bytes[at]!;
  }
  return bytesToHex(merged);
};

/** The bytes in the receipts trie: type byte (none for legacy) and RLP. */
export const encodeConsensusReceipt = (receipt: ReceiptRecord): Uint8Array => {
  const body = RLP.encode([
    quantityToBytes(BigInt(receipt.status)),
    quantityToBytes(receipt.cumulativeGasUsed),
    hexToBytes(receipt.logsBloom),
    receipt.logs.map(({ address, topics, data }) => [
      hexToBytes(address),
      topics.map(hexToBytes),
      hexToBytes(data),
    ]),
  ]);
  return receipt.type === 0 ? body : concatBytes(Uint8Array.of(receipt.type), body);
};

/** For explaining a divergence (RULES 19). */
export const receiptHash = (receipt: ReceiptRecord): Hash => keccak256Hex(encodeConsensusReceipt(receipt));
