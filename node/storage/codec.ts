/**
 * Records as bytes in the database: RLP lists in the order of the types.
 *
 * The bytes were written by this node in one format version, so decoding trusts them: what does not decode is a
 * damaged database and throws. Bytes from peers never come here.
 */
import { type NestedUint8Array, RLP } from '@ethereumjs/rlp';
import {
  type Address,
  bytesToAddress,
  bytesToHash,
  bytesToHex,
  type Hash,
  type Hex,
  hexToBytes,
  parseSignature,
} from '#consensus/primitives.ts';
import type { Checkpoint, CommitCertificate } from '#consensus/types.ts';
import { createValidatorSet, packValidators, type ValidatorSet } from '#consensus/validatorSet.ts';
import { decodeHeader, hashHeader } from '#node/storage/headerCodec.ts';
import type { AccountRecord, BlockRecord, LogRecord, ReceiptRecord } from '#node/storage/records.ts';
import { bytesToQuantity, quantityToBytes } from '#node/storage/rlpValues.ts';

type Item = Uint8Array | Item[];
const list = (item: Item | undefined): Item[] => {
  if (!Array.isArray(item)) throw new Error('expected a list in a stored record: the database is damaged');
  return item;
};
const bytes = (item: Item | undefined): Uint8Array => {
  if (!(item instanceof Uint8Array))
    throw new Error('expected bytes in a stored record: the database is damaged');
  return item;
};
const decode = (stored: Uint8Array): Item[] => list(RLP.decode(stored) as Item);
const encode = (items: Item[]): Uint8Array => RLP.encode(items as NestedUint8Array);
const quantity = (item: Item | undefined): bigint => bytesToQuantity(bytes(item));
const hash = (item: Item | undefined): Hash => bytesToHash(bytes(item));
const addressOrNull = (item: Item | undefined): Address | null => {
  const value = bytes(item);
  return value.length === 0 ? null : bytesToAddress(value);
};
const optional = (value: Hex | null): Uint8Array => (value === null ? new Uint8Array(0) : hexToBytes(value));

const checkpointToItems = (checkpoint: Checkpoint): Item[] => [
  quantityToBytes(checkpoint.height),
  hexToBytes(checkpoint.blockHash),
  hexToBytes(checkpoint.stateRoot),
  hexToBytes(checkpoint.outboxRoot),
  quantityToBytes(checkpoint.outboxCount),
  quantityToBytes(checkpoint.importedCount),
  hexToBytes(checkpoint.importedHash),
  hexToBytes(checkpoint.nextValidatorsHash),
];

const itemsToCheckpoint = (items: Item[]): Checkpoint => ({
  height: quantity(items[0]),
  blockHash: hash(items[1]),
  stateRoot: hash(items[2]),
  outboxRoot: hash(items[3]),
  outboxCount: quantity(items[4]),
  importedCount: quantity(items[5]),
  importedHash: hash(items[6]),
  nextValidatorsHash: hash(items[7]),
});

const certificateToItems = (certificate: CommitCertificate | null): Item[] =>
  certificate === null
    ? []
    : [
        quantityToBytes(certificate.height),
        quantityToBytes(BigInt(certificate.round)),
        hexToBytes(certificate.valueId),
        certificate.signatures.map(({ validator, signature }) => [
          hexToBytes(validator),
          hexToBytes(signature),
        ]),
      ];

const itemsToCertificate = (items: Item[]): CommitCertificate | null =>
  items.length === 0
    ? null
    : {
        height: quantity(items[0]),
        round: Number(quantity(items[1])),
        valueId: hash(items[2]),
        signatures: list(items[3]).map((item) => ({
          validator: bytesToAddress(bytes(list(item)[0])),
          signature: parseSignature(bytesToHex(bytes(list(item)[1]))),
        })),
      };

/** What a block record is made of; the rest follows from the header. */
export type BlockParts = Pick<
  BlockRecord,
  'header' | 'transactions' | 'transactionHashes' | 'checkpoint' | 'valueId' | 'certificate'
>;

export const partsToBlock = (parts: BlockParts): BlockRecord => {
  const header = decodeHeader(parts.header);
  return {
    height: header.height,
    hash: hashHeader(parts.header),
    parentHash: header.parentHash,
    timestamp: header.timestamp,
    gasUsed: header.gasUsed,
    gasLimit: header.gasLimit,
    baseFeePerGas: header.baseFeePerGas,
    stateRoot: header.stateRoot,
    feeRecipient: header.feeRecipient,
    ...parts,
  };
};

export const encodeBlock = (block: BlockParts): Uint8Array =>
  encode([
    block.header,
    [...block.transactions],
    block.transactionHashes.map(hexToBytes),
    checkpointToItems(block.checkpoint),
    hexToBytes(block.valueId),
    certificateToItems(block.certificate),
  ]);

export const decodeBlock = (stored: Uint8Array): BlockRecord => {
  const items = decode(stored);
  return partsToBlock({
    header: bytes(items[0]),
    transactions: list(items[1]).map(bytes),
    transactionHashes: list(items[2]).map(hash),
    checkpoint: itemsToCheckpoint(list(items[3])),
    valueId: hash(items[4]),
    certificate: itemsToCertificate(list(items[5])),
  });
};

const logToItems = (log: LogRecord): Item[] => [
  hexToBytes(log.address),
  log.topics.map(hexToBytes),
  hexToBytes(log.data),
];

const receiptToItems = (receipt: ReceiptRecord): Item[] => [
  hexToBytes(receipt.transactionHash),
  quantityToBytes(BigInt(receipt.type)),
  hexToBytes(receipt.from),
  optional(receipt.to),
  quantityToBytes(BigInt(receipt.status)),
  quantityToBytes(receipt.gasUsed),
  quantityToBytes(receipt.cumulativeGasUsed),
  quantityToBytes(receipt.effectiveGasPrice),
  optional(receipt.contractAddress),
  hexToBytes(receipt.logsBloom),
  receipt.logs.map(logToItems),
];

const itemsToReceipt = (items: Item[]): ReceiptRecord => ({
  transactionHash: hash(items[0]),
  type: Number(quantity(items[1])),
  from: bytesToAddress(bytes(items[2])),
  to: addressOrNull(items[3]),
  status: quantity(items[4]) === 1n ? 1 : 0,
  gasUsed: quantity(items[5]),
  cumulativeGasUsed: quantity(items[6]),
  effectiveGasPrice: quantity(items[7]),
  contractAddress: addressOrNull(items[8]),
  logsBloom: bytesToHex(bytes(items[9])),
  logs: list(items[10]).map((item) => {
    const [address, topics, data] = list(item);
    return {
      address: bytesToAddress(bytes(address)),
      topics: list(topics).map(hash),
      data: bytesToHex(bytes(data)),
    };
  }),
});

export const encodeReceipts = (receipts: readonly ReceiptRecord[]): Uint8Array =>
  encode(receipts.map(receiptToItems));
export const decodeReceipts = (stored: Uint8Array): ReceiptRecord[] =>
  decode(stored).map((item) => itemsToReceipt(list(item)));

/** An account as execution handles it: hashes as bytes, because it is read and written several times a transaction. */
export type StateAccount = {
  readonly nonce: bigint;
  readonly balance: bigint;
  /** 32 bytes. */
  readonly storageRoot: Uint8Array;
  /** 32 bytes. */
  readonly codeHash: Uint8Array;
};

/** The trie's own form of an account, used for the flat copy as well. */
export const encodeAccount = (account: StateAccount): Uint8Array =>
  encode([
    quantityToBytes(account.nonce),
    quantityToBytes(account.balance),
    account.storageRoot,
    account.codeHash,
  ]);

export const decodeAccount = (stored: Uint8Array): StateAccount => {
  const items = decode(stored);
  return {
    nonce: quantity(items[0]),
    balance: quantity(items[1]),
    storageRoot: bytes(items[2]),
    codeHash: bytes(items[3]),
  };
};

export const toAccountRecord = (account: StateAccount): AccountRecord => ({
  nonce: account.nonce,
  balance: account.balance,
  codeHash: bytesToHash(account.codeHash),
  storageRoot: bytesToHash(account.storageRoot),
});

export const encodeValidators = (set: ValidatorSet): Uint8Array => packValidators(set.validators);

/** @param packed 28 bytes a validator */
export const decodeValidators = (packed: Uint8Array): ValidatorSet =>
  createValidatorSet(
    Array.from({ length: packed.length / 28 }, (_, index) => {
      const entry = packed.subarray(28 * index, 28 * (index + 1));
      return { address: bytesToAddress(entry.subarray(0, 20)), power: bytesToQuantity(entry.subarray(20)) };
    }),
  );

export const encodeLocation = (height: bigint, index: number): Uint8Array =>
  encode([quantityToBytes(height), quantityToBytes(BigInt(index))]);

export const decodeLocation = (stored: Uint8Array): { height: bigint; index: number } => {
  const items = decode(stored);
  return { height: quantity(items[0]), index: Number(quantity(items[1])) };
};
