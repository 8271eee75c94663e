/**
 * A transaction as JSON-RPC shows it, decoded from its own EIP-2718 bytes.
 *
 * Owns types 0, 1, 2 and 4; a blob transaction is never admitted or committed. The sender comes from the receipt or
 * from the pool, where its signature was recovered once. Field order follows EIP-155, 2930, 1559 and 7702.
 */
import { RLP } from '@ethereumjs/rlp';
import { type Address, bytesToHex, type Hash, type Hex } from '#consensus/primitives.ts';
import type { PooledTransaction } from '#node/mempool/mempool.ts';
import { bytesToQuantity, toQuantity } from '#node/rpc/format/quantity.ts';
import type { BlockRecord, ReceiptRecord } from '#node/storage/records.ts';

type RlpItem = Uint8Array | readonly RlpItem[];

const bytes = (item: RlpItem | undefined): Uint8Array => {
  if (item instanceof Uint8Array) return item;
  throw new TypeError('expected a string in a committed transaction, found a list');
};
const list = (item: RlpItem | undefined): readonly RlpItem[] => {
  if (item !== undefined && !(item instanceof Uint8Array)) return item;
  throw new TypeError('expected a list in a committed transaction, found a string');
};
const quantityOf = (item: RlpItem | undefined): Hex => bytesToQuantity(bytes(item));
const hexOf = (item: RlpItem | undefined): Hex => bytesToHex(bytes(item));
const toOf = (item: RlpItem | undefined): Hex | null => (bytes(item).length === 0 ? null : hexOf(item));

const accessListOf = (item: RlpItem | undefined) =>
  list(item).map((entry) => {
    const [address, keys] = list(entry);
    return { address: hexOf(address), storageKeys: list(keys).map(hexOf) };
  });

const authorizationsOf = (item: RlpItem | undefined) =>
  list(item).map((entry) => {
    const [chainId, address, nonce, yParity, r, s] = list(entry);
    return {
      chainId: quantityOf(chainId),
      address: hexOf(address),
      nonce: quantityOf(nonce),
      yParity: quantityOf(yParity),
      r: quantityOf(r),
      s: quantityOf(s),
    };
  });

const signatureOf = ([yParity, r, s]: readonly RlpItem[]) => ({
  v: quantityOf(yParity),
  yParity: quantityOf(yParity),
  r: quantityOf(r),
  s: quantityOf(s),
});

const commonOf = ([gas, to, value, input]: readonly RlpItem[]) => ({
  gas: quantityOf(gas),
  to: toOf(to),
  value: quantityOf(value),
  input: hexOf(input),
});

const legacyFields = (items: readonly RlpItem[]) => {
  const [nonce, gasPrice, , , , , v, r, s] = items;
  const replayV = BigInt(quantityOf(v));
  return {
    type: '0x0',
    nonce: quantityOf(nonce),
    gasPrice: quantityOf(gasPrice),
    ...commonOf(items.slice(2, 6)),
    ...(replayV >= 35n ? { chainId: toQuantity((replayV - 35n) / 2n) } : {}),
    v: quantityOf(v),
    r: quantityOf(r),
    s: quantityOf(s),
  };
};

const accessListFields = (items: readonly RlpItem[]) => ({
  type: '0x1',
  chainId: quantityOf(items[0]),
  nonce: quantityOf(items[1]),
  gasPrice: quantityOf(items[2]),
  ...commonOf(items.slice(3, 7)),
  accessList: accessListOf(items[7]),
  ...signatureOf(items.slice(8)),
});

/** @param effectiveGasPrice null while pending: the fee cap is shown then, as geth does */
const feeMarketFields = (type: 2 | 4, items: readonly RlpItem[], effectiveGasPrice: bigint | null) => ({
  type: toQuantity(type),
  chainId: quantityOf(items[0]),
  nonce: quantityOf(items[1]),
  gasPrice: effectiveGasPrice === null ? quantityOf(items[3]) : toQuantity(effectiveGasPrice),
  maxPriorityFeePerGas: quantityOf(items[2]),
  maxFeePerGas: quantityOf(items[3]),
  ...commonOf(items.slice(4, 8)),
  accessList: accessListOf(items[8]),
  ...(type === 4 ? { authorizationList: authorizationsOf(items[9]) } : {}),
  ...signatureOf(items.slice(type === 4 ? 10 : 9)),
});

const transactionFields = (raw: Uint8Array, effectiveGasPrice: bigint | null): Record<string, unknown> => {
  const type = raw[0];
  const decode = (encoded: Uint8Array) => list(RLP.decode(encoded) as RlpItem);
  if (type === undefined) throw new TypeError('expected a transaction, found no bytes');
  if (type >= 0xc0) return legacyFields(decode(raw));
  const items = decode(raw.subarray(1));
  if (type === 1) return accessListFields(items);
  if (type === 2 || type === 4) return feeMarketFields(type, items, effectiveGasPrice);
  throw new TypeError(`expected a transaction of type 0, 1, 2 or 4, found type ${type}`);
};

type Place = { readonly hash: Hash; readonly from: Address };

export const formatPendingTransaction = ({ raw, hash, sender }: PooledTransaction) => {
  const place: Place = { hash, from: sender };
  return {
    blockHash: null,
    blockNumber: null,
    blockTimestamp: null,
    transactionIndex: null,
    ...place,
    ...transactionFields(raw, null),
  };
};

/** @throws TypeError if the block has no such transaction */
export const formatCommittedTransaction = (
  block: BlockRecord,
  receipts: readonly ReceiptRecord[],
  index: number,
) => {
  const raw = block.transactions[index];
  const receipt = receipts[index];
  if (raw === undefined || receipt === undefined)
    throw new TypeError(`expected transaction ${index} in block ${block.height}, found none`);
  const place: Place = { hash: receipt.transactionHash, from: receipt.from };
  return {
    blockHash: block.hash,
    blockNumber: toQuantity(block.height),
    blockTimestamp: toQuantity(block.timestamp),
    transactionIndex: toQuantity(index),
    ...place,
    ...transactionFields(raw, receipt.effectiveGasPrice),
  };
};
