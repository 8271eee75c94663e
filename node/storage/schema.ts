/**
 * Where everything is: one byte of kind, then the key. The table is in README.md.
 *
 * Heights are 8 bytes big-endian, so that LevelDB's order is the chain's.
 */
import { concatBytes, type Hash, hexToBytes, toBigEndian } from '#consensus/primitives.ts';

/** A database with another value is refused: formats change only with a new genesis (RULES 51). */
export const FORMAT_VERSION = 1;

const kind = (letter: string): Uint8Array => Uint8Array.of(letter.charCodeAt(0));
const KIND = {
  meta: kind('m'),
  block: kind('b'),
  heightOfBlock: kind('n'),
  receipts: kind('r'),
  transaction: kind('t'),
  validators: kind('v'),
  account: kind('a'),
  slot: kind('s'),
  code: kind('c'),
  trieNode: kind('w'),
} as const;

const meta = (name: string): Uint8Array => concatBytes(KIND.meta, new TextEncoder().encode(name));

export const FORMAT_KEY = meta('format');
export const GENESIS_KEY = meta('genesis');
export const HEAD_KEY = meta('head');

export const heightToBytes = (height: bigint): Uint8Array => toBigEndian(height, 8);
export const bytesToHeight = (bytes: Uint8Array): bigint =>
  new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);

export const blockKey = (height: bigint): Uint8Array => concatBytes(KIND.block, heightToBytes(height));
export const blockHeightKey = (hash: Hash): Uint8Array => concatBytes(KIND.heightOfBlock, hexToBytes(hash));
export const receiptsKey = (height: bigint): Uint8Array => concatBytes(KIND.receipts, heightToBytes(height));
export const transactionKey = (hash: Hash): Uint8Array => concatBytes(KIND.transaction, hexToBytes(hash));
export const validatorsKey = (hash: Hash): Uint8Array => concatBytes(KIND.validators, hexToBytes(hash));

/** @param address 20 bytes */
export const accountKey = (address: Uint8Array): Uint8Array => concatBytes(KIND.account, address);
/** @param address 20 bytes. @param slot 32 bytes */
export const slotKey = (address: Uint8Array, slot: Uint8Array): Uint8Array =>
  concatBytes(KIND.slot, address, slot);
/** Half-open range of all slots of an account. */
export const slotRange = (address: Uint8Array): { gte: Uint8Array; lt: Uint8Array } => ({
  gte: slotKey(address, new Uint8Array(32)),
  lt: concatBytes(KIND.slot, address, new Uint8Array(33).fill(0xff)),
});
export const codeKey = (codeHash: Uint8Array): Uint8Array => concatBytes(KIND.code, codeHash);
export const trieNodeKey = (nodeHash: Uint8Array): Uint8Array => concatBytes(KIND.trieNode, nodeHash);
