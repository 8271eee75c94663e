/**
 * A block as JSON-RPC shows it, every header field from the header's own bytes.
 *
 * keccak of those bytes is the block's hash, so what is shown can be checked against it.
 */
import { RLP } from '@ethereumjs/rlp';
import { bytesToHex } from '#consensus/primitives.ts';
import { bytesToQuantity, toQuantity } from '#node/rpc/format/quantity.ts';
import { formatCommittedTransaction } from '#node/rpc/format/transaction.ts';
import type { BlockRecord, ReceiptRecord } from '#node/storage/records.ts';

const HEADER_FIELDS = [
  ['parentHash', bytesToHex],
  ['sha3Uncles', bytesToHex],
  ['miner', bytesToHex],
  ['stateRoot', bytesToHex],
  ['transactionsRoot', bytesToHex],
  ['receiptsRoot', bytesToHex],
  ['logsBloom', bytesToHex],
  ['difficulty', bytesToQuantity],
  ['number', bytesToQuantity],
  ['gasLimit', bytesToQuantity],
  ['gasUsed', bytesToQuantity],
  ['timestamp', bytesToQuantity],
  ['extraData', bytesToHex],
  ['mixHash', bytesToHex],
  ['nonce', bytesToHex],
  ['baseFeePerGas', bytesToQuantity],
  ['withdrawalsRoot', bytesToHex],
  ['blobGasUsed', bytesToQuantity],
  ['excessBlobGas', bytesToQuantity],
  ['parentBeaconBlockRoot', bytesToHex],
  ['requestsHash', bytesToHex],
] as const;

const BLOOM_INDEX = 6;

const decodeHeader = (header: Uint8Array): Uint8Array[] => RLP.decode(header) as Uint8Array[];

/** Every field before the bloom has its one length, so the bloom has its one place. */
const BLOOM_PREFIX_AT = 189;
const BLOOM_AT = BLOOM_PREFIX_AT + 3;

/** 256 bytes. */
export const headerBloom = (header: Uint8Array): Uint8Array =>
  header[0] === 0xf9 && header[BLOOM_PREFIX_AT] === 0xb9 && header[BLOOM_PREFIX_AT + 1] === 1
    ? header.subarray(BLOOM_AT, BLOOM_AT + 256)
    : (decodeHeader(header)[BLOOM_INDEX] ?? new Uint8Array(256));

/** What `newHeads` sends. */
export const formatHeader = (block: Pick<BlockRecord, 'hash' | 'header'>): Record<string, unknown> => {
  const shown: Record<string, unknown> = { hash: block.hash };
  decodeHeader(block.header).forEach((value, index) => {
    const field = HEADER_FIELDS[index];
    if (field !== undefined) shown[field[0]] = field[1](value);
  });
  return shown;
};

/** @param receipts null to show transactions as hashes, the block's receipts to show them in full */
export const formatBlock = (
  block: BlockRecord,
  receipts: readonly ReceiptRecord[] | null,
): Record<string, unknown> => ({
  ...formatHeader(block),
  size: toQuantity(blockSizeBytes(block)),
  transactions:
    receipts === null
      ? block.transactionHashes
      : receipts.map((_, index) => formatCommittedTransaction(block, receipts, index)),
  uncles: [],
  withdrawals: [],
});

/** Length of the block's RLP: [header, transactions, uncles, withdrawals]. */
export const blockSizeBytes = (block: Pick<BlockRecord, 'header' | 'transactions'>): number => {
  const transactions = block.transactions.reduce((sum, raw) => {
    const isTyped = raw[0] !== undefined && raw[0] < 0x80;
    return sum + raw.length + (isTyped ? prefixBytes(raw.length) : 0);
  }, 0);
  const body = block.header.length + prefixBytes(transactions) + transactions + 2;
  return prefixBytes(body) + body;
};

/** Bytes that RLP puts before a string or list of this length; a typed transaction is never a single byte. */
const prefixBytes = (length: number): number => {
  if (length < 56) return 1;
  let lengthBytes = 0;
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) lengthBytes += 1;
  return 1 + lengthBytes;
};
