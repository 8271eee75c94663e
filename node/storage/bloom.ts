/** The bloom filter of a receipt's logs: not stored with it, since it follows from them. */
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToHex, type Hex, hexToBytes } from '#consensus/primitives.ts';
import type { LogRecord } from '#node/storage/records.ts';

export const BLOOM_BYTES = 256;

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
