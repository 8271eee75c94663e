/**
 * Recomputes a block's hash, roots and bloom from nothing but what JSON-RPC returned, with ethers' RLP and
 * EthereumJS's trie: none of the node's own code.
 */
import { createMPT } from '@ethereumjs/mpt';
import { encodeRlp, getBytes, hexlify, keccak256, Transaction, toBeArray, toBeHex } from 'ethers';

// biome-ignore lint/suspicious/noExplicitAny: raw JSON-RPC answers are checked here, not typed
export type RpcObject = Record<string, any>;

const quantity = (value: string | null | undefined): string => {
  const number = BigInt(value ?? '0x0');
  return number === 0n ? '0x' : hexlify(toBeArray(number));
};

/** The header's fields in the order of RLP, Prague and later (EIP-7685). */
export const blockHashFromRpc = (block: RpcObject): string =>
  keccak256(
    encodeRlp([
      block.parentHash,
      block.sha3Uncles,
      block.miner,
      block.stateRoot,
      block.transactionsRoot,
      block.receiptsRoot,
      block.logsBloom,
      quantity(block.difficulty),
      quantity(block.number),
      quantity(block.gasLimit),
      quantity(block.gasUsed),
      quantity(block.timestamp),
      block.extraData,
      block.mixHash,
      block.nonce,
      quantity(block.baseFeePerGas),
      block.withdrawalsRoot,
      quantity(block.blobGasUsed),
      quantity(block.excessBlobGas),
      block.parentBeaconBlockRoot,
      block.requestsHash,
    ]),
  );

const indexedRoot = async (items: readonly string[]): Promise<string> => {
  const trie = await createMPT();
  for (const [index, item] of items.entries())
    await trie.put(getBytes(encodeRlp(index === 0 ? '0x' : hexlify(toBeArray(index)))), getBytes(item));
  return hexlify(trie.root());
};

/** @param raw signed transactions as `eth_getRawTransactionByHash` returns them */
export const transactionsRoot = (raw: readonly string[]): Promise<string> => indexedRoot(raw);

export const transactionHashFromRaw = (raw: string): string => Transaction.from(raw).hash!;

const encodeReceipt = (receipt: RpcObject): string => {
  const body = encodeRlp([
    quantity(receipt.status),
    quantity(receipt.cumulativeGasUsed),
    receipt.logsBloom,
    receipt.logs.map((log: RpcObject) => [log.address, log.topics, log.data]),
  ]);
  return receipt.type === '0x0' ? body : `0x${receipt.type.slice(2).padStart(2, '0')}${body.slice(2)}`;
};

export const receiptsRoot = (receipts: readonly RpcObject[]): Promise<string> =>
  indexedRoot(receipts.map(encodeReceipt));

/** Yellow paper 4.3.1: three bits for the address and each topic. */
export const bloomOf = (receipts: readonly RpcObject[]): string => {
  const bloom = new Uint8Array(256);
  const add = (value: string): void => {
    const hash = getBytes(keccak256(value));
    for (const at of [0, 2, 4]) {
      const bit = ((hash[at]! << 8) | hash[at + 1]!) & 2047;
      bloom[255 - (bit >> 3)]! |= 1 << (bit & 7);
    }
  };
  for (const receipt of receipts)
    for (const log of receipt.logs) {
      add(log.address);
      for (const topic of log.topics) add(topic);
    }
  return hexlify(bloom);
};

export const heightToTag = (height: bigint | number): string => toBeHex(height).replace(/^0x0+(?=.)/, '0x');
