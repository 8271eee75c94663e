/**
 * Receipts: what a transaction left behind, in the form that the receipts root commits to.
 *
 * Source: EIP-2718 (typed receipts), EIP-658 (status).
 */
import { bytesToHex, type Hex, hexToBytes } from '#consensus/primitives.ts';
import { encodeRlp, type RlpItem } from '#node/consensus/rlp.ts';
import { BLOOM_BYTES, EMPTY_BLOOM } from '#node/storage/bloom.ts';
import type { ReceiptRecord } from '#node/storage/records.ts';
import { quantityToBytes } from '#node/storage/rlpValues.ts';

export const mergeBlooms = (blooms: readonly Hex[]): Hex => {
  const merged = new Uint8Array(BLOOM_BYTES);
  for (const bloom of blooms) {
    if (bloom === EMPTY_BLOOM) continue;
    const bytes = hexToBytes(bloom);
    for (let at = 0; at < BLOOM_BYTES; at++) merged[at]! |= bytes[at]!;
  }
  return bytesToHex(merged);
};

const EMPTY_BLOOM_BYTES = new Uint8Array(BLOOM_BYTES);

/** The bytes in the receipts trie: type byte (none for legacy) and RLP. */
export const encodeConsensusReceipt = (receipt: ReceiptRecord): Uint8Array => {
  const { type, status, cumulativeGasUsed, logsBloom, logs } = receipt;
  const item: RlpItem = [
    quantityToBytes(BigInt(status)),
    quantityToBytes(cumulativeGasUsed),
    logsBloom === EMPTY_BLOOM ? EMPTY_BLOOM_BYTES : hexToBytes(logsBloom),
    logs.map(({ address, topics, data }) => [hexToBytes(address), topics.map(hexToBytes), hexToBytes(data)]),
  ];
  return type === 0 ? encodeRlp(item) : encodeTyped(type, item);
};

const encodeTyped = (type: number, item: RlpItem): Uint8Array => {
  const body = encodeRlp(item);
  const typed = new Uint8Array(1 + body.length);
  typed[0] = type;
  typed.set(body, 1);
  return typed;
};
