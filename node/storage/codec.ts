/**
 * Records as bytes in the database: RLP lists in the order of the types.
 *
 * The bytes were written by this node in one format version, so decoding trusts them: what does not decode is a
 * damaged database and throws. Bytes from peers never come here.
 */
import { type NestedUint8Array, RLP } from '@ethereumjs/rlp';
import { KECCAK256_NULL, KECCAK256_RLP } from '@ethereumjs/util';
import {
  type Address,
  bytesToAddress,
  bytesToHash,
  bytesToHex,
  concatBytes,
  type Hash,
  type Hex,
  hexToBytes,
  parseSignature,
} from '#consensus/primitives.ts';
import type { Checkpoint, CommitCertificate } from '#consensus/types.ts';
import { createValidatorSet, packValidators, type ValidatorSet } from '#consensus/validatorSet.ts';
import { ChainError } from '#node/chain.ts';
import { decodeRlp, encodeRlp, type RlpItem } from '#node/consensus/rlp.ts';
import { logsToBloom } from '#node/storage/bloom.ts';
import { decodeHeader, hashHeader } from '#node/storage/headerCodec.ts';
import type { AccountRecord, BlockRecord, LogRecord, ReceiptRecord } from '#node/storage/records.ts';
import { bytesToQuantity, quantityToBytes } from '#node/storage/rlpValues.ts';
import type { NodeId } from '#node/storage/schema.ts';

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

/** What is kept of a block for ever; the rest follows from the header. */
export type BlockParts = Pick<BlockRecord, 'header' | 'checkpoint' | 'valueId' | 'certificate'>;
/** What a pruned node gives up. */
export type BodyParts = Pick<BlockRecord, 'transactions' | 'transactionHashes'>;

/** geth's words, which tools match on, then what to do. */
export const historyGone = (height: bigint, what: string): ChainError =>
  new ChainError(
    'HISTORY_PRUNED',
    `pruned history unavailable: the ${what} of height ${height} were deleted here; ask an archive node`,
  );

/** @param body null: it was pruned */
export const partsToBlock = (parts: BlockParts, body: BodyParts | null): BlockRecord => {
  const header = decodeHeader(parts.header);
  const { height } = header;
  const kept = {
    height,
    hash: hashHeader(parts.header),
    parentHash: header.parentHash,
    timestamp: header.timestamp,
    gasUsed: header.gasUsed,
    gasLimit: header.gasLimit,
    baseFeePerGas: header.baseFeePerGas,
    stateRoot: header.stateRoot,
    feeRecipient: header.feeRecipient,
    header: parts.header,
    checkpoint: parts.checkpoint,
    valueId: parts.valueId,
    certificate: parts.certificate,
  };
  if (body !== null)
    return { ...kept, transactions: body.transactions, transactionHashes: body.transactionHashes };
  return {
    ...kept,
    isPruned: true,
    get transactions(): never {
      throw historyGone(height, 'transactions');
    },
    get transactionHashes(): never {
      throw historyGone(height, 'transactions');
    },
  };
};

export const encodeBlock = (block: BlockParts): Uint8Array =>
  encode([
    block.header,
    checkpointToItems(block.checkpoint),
    hexToBytes(block.valueId),
    certificateToItems(block.certificate),
  ]);

/** @param body as `decodeBody` gave it, null if it was pruned */
export const decodeBlock = (stored: Uint8Array, body: BodyParts | null): BlockRecord => {
  const items = decode(stored);
  return partsToBlock(
    {
      header: bytes(items[0]),
      checkpoint: itemsToCheckpoint(list(items[1])),
      valueId: hash(items[2]),
      certificate: itemsToCertificate(list(items[3])),
    },
    body,
  );
};

const HASH_BYTES = 32;

/** Hashes together, then the transactions. */
export const encodeBody = ({ transactions, transactionHashes }: BodyParts): Uint8Array =>
  encodeRlp([concatBytes(...transactionHashes.map(hexToBytes)), transactions]);

/** Without a copy: the transactions are views of `stored`. */
export const decodeBody = (stored: Uint8Array): BodyParts => {
  const [hashes, transactions] = decodeRlp(stored) as readonly [Uint8Array, readonly Uint8Array[]];
  return {
    transactions,
    transactionHashes: Array.from({ length: hashes.length / HASH_BYTES }, (_, index) =>
      bytesToHash(hashes.subarray(HASH_BYTES * index, HASH_BYTES * (index + 1))),
    ),
  };
};

const logToItems = (log: LogRecord): RlpItem => [
  hexToBytes(log.address),
  log.topics.map(hexToBytes),
  hexToBytes(log.data),
];

/** What follows from the block or from the rest of the receipts is left out: hashes, sums, blooms. */
const receiptToItem = (receipt: ReceiptRecord): RlpItem => [
  quantityToBytes(BigInt(receipt.type)),
  hexToBytes(receipt.from),
  optional(receipt.to),
  quantityToBytes(BigInt(receipt.status)),
  quantityToBytes(receipt.gasUsed),
  quantityToBytes(receipt.effectiveGasPrice),
  optional(receipt.contractAddress),
  receipt.logs.map(logToItems),
];

const itemToReceipt = (items: Item[], transactionHash: Hash, gasUsedBefore: bigint): ReceiptRecord => {
  const gasUsed = quantity(items[4]);
  const logs = list(items[7]).map((item): LogRecord => {
    const [address, topics, data] = list(item);
    return {
      address: bytesToAddress(bytes(address)),
      topics: list(topics).map(hash),
      data: bytesToHex(bytes(data)),
    };
  });
  return {
    transactionHash,
    type: Number(quantity(items[0])),
    from: bytesToAddress(bytes(items[1])),
    to: addressOrNull(items[2]),
    status: quantity(items[3]) === 1n ? 1 : 0,
    gasUsed,
    cumulativeGasUsed: gasUsedBefore + gasUsed,
    effectiveGasPrice: quantity(items[5]),
    contractAddress: addressOrNull(items[6]),
    logsBloom: logsToBloom(logs),
    logs,
  };
};

export const encodeReceipts = (receipts: readonly ReceiptRecord[]): Uint8Array =>
  encodeRlp(receipts.map(receiptToItem));

/** @param transactionHashes of the same block */
export const decodeReceipts = (stored: Uint8Array, transactionHashes: readonly Hash[]): ReceiptRecord[] => {
  let gasUsed = 0n;
  return list(decodeRlp(stored) as Item).map((item, index) => {
    const receipt = itemToReceipt(list(item), transactionHashes[index]!, gasUsed);
    gasUsed = receipt.cumulativeGasUsed;
    return receipt;
  });
};

/** An account as execution handles it: hashes as bytes, because it is read and written several times a transaction. */
export type StateAccount = {
  readonly nonce: bigint;
  readonly balance: bigint;
  /** 32 bytes. */
  readonly storageRoot: Uint8Array;
  /** 32 bytes. */
  readonly codeHash: Uint8Array;
  /** Where the root node of its storage is; absent without storage, and in accounts that execution made. */
  readonly storageNode?: NodeId;
};

/** The body of an account's RLP holds two hashes, so it is longer than 55 bytes and shorter than 256. */
const ACCOUNT_LIST = 0xf8;
const HASH_HEADER = 0xa0;

/** The trie's form of an account: RLP [nonce, balance, storageRoot, codeHash]. */
export const encodeAccount = ({
  nonce,
  balance,
  storageRoot,
  codeHash,
}: Omit<StateAccount, 'storageNode'>) => {
  const [nonceBytes, balanceBytes] = [quantityToBytes(nonce), quantityToBytes(balance)];
  const encoded = new Uint8Array(4 + nonceBytes.length + balanceBytes.length + 2 * (1 + HASH_BYTES));
  let at = writeShort(encoded, writeShort(encoded, 2, nonceBytes), balanceBytes);
  for (const root of [storageRoot, codeHash]) {
    encoded[at] = HASH_HEADER;
    encoded.set(root, at + 1);
    at += 1 + HASH_BYTES;
  }
  encoded[0] = ACCOUNT_LIST;
  encoded[1] = at - 2;
  return encoded.subarray(0, at);
};

/** A string of at most 55 bytes. @returns where it ends */
const writeShort = (to: Uint8Array, start: number, value: Uint8Array): number => {
  let at = start;
  if (value.length !== 1 || value[0]! >= 0x80) to[at++] = 0x80 + value.length;
  to.set(value, at);
  return at + value.length;
};

const damagedAccount = (): ChainError =>
  new ChainError('STORAGE_FAULT', 'expected an account in its leaf: the database is damaged');

export const decodeAccount = (stored: Uint8Array): StateAccount => {
  if (stored[0] !== ACCOUNT_LIST || stored[1] !== stored.length - 2) throw damagedAccount();
  const nonceEnd = endOfShort(stored, 2);
  const balanceEnd = endOfShort(stored, nonceEnd);
  const codeAt = balanceEnd + 1 + HASH_BYTES;
  if (stored[balanceEnd] !== HASH_HEADER || stored[codeAt] !== HASH_HEADER) throw damagedAccount();
  return {
    nonce: readShort(stored, 2, nonceEnd),
    balance: readShort(stored, nonceEnd, balanceEnd),
    storageRoot: sharedHash(stored.subarray(balanceEnd + 1, codeAt), KECCAK256_RLP),
    codeHash: sharedHash(stored.subarray(codeAt + 1), KECCAK256_NULL),
  };
};

const endOfShort = (from: Uint8Array, at: number): number =>
  at + 1 + (from[at]! < 0x80 ? 0 : from[at]! - 0x80);

const readShort = (from: Uint8Array, at: number, end: number): bigint =>
  bytesToQuantity(from.subarray(end === at + 1 && from[at]! < 0x80 ? at : at + 1, end));

/** The usual one itself, so that it is known without a comparison. */
const sharedHash = (found: Uint8Array, usual: Uint8Array): Uint8Array =>
  Buffer.compare(found, usual) === 0 ? usual : found;

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
