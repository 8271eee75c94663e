/**
 * Where everything is: one byte of kind, then the key. The table is in README.md.
 *
 * Heights are 8 bytes big-endian, so that LevelDB's order is the chain's.
 */
import { concatBytes, type Hash, hexToBytes, toBigEndian } from '#consensus/primitives.ts';

/** A database with another value is refused: formats change only with a new genesis (RULES 51). */
export const FORMAT_VERSION = 3;

const kind = (letter: string): Uint8Array => Uint8Array.of(letter.charCodeAt(0));
const KIND = {
  meta: kind('m'),
  block: kind('b'),
  body: kind('d'),
  heightOfBlock: kind('n'),
  receipts: kind('r'),
  transaction: kind('t'),
  validators: kind('v'),
  code: kind('c'),
  trieNode: kind('w'),
  stateRoot: kind('o'),
  staleNodes: kind('x'),
} as const;

const meta = (name: string): Uint8Array => concatBytes(KIND.meta, new TextEncoder().encode(name));

export const FORMAT_KEY = meta('format');
export const GENESIS_KEY = meta('genesis');
export const HEAD_KEY = meta('head');
/** `archive` or `pruned` in ASCII: which of the two this folder is. */
export const MODE_KEY = meta('mode');
/** The lowest height whose state is whole; absent: 0. */
export const OLDEST_STATE_KEY = meta('oldestState');
/** The lowest height whose transactions and receipts are here; absent: 0. */
export const OLDEST_HISTORY_KEY = meta('oldestHistory');

/** RULES 42: the L1 may need every state from this height on; absent until the view of the L1 was complete once. */
export const NEEDED_FROM_KEY = meta('neededFrom');

export const heightToBytes = (height: bigint): Uint8Array => toBigEndian(height, 8);
export const bytesToHeight = (bytes: Uint8Array): bigint =>
  new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);

export const blockKey = (height: bigint): Uint8Array => concatBytes(KIND.block, heightToBytes(height));
export const bodyKey = (height: bigint): Uint8Array => concatBytes(KIND.body, heightToBytes(height));
export const blockHeightKey = (hash: Hash): Uint8Array => concatBytes(KIND.heightOfBlock, hexToBytes(hash));
export const receiptsKey = (height: bigint): Uint8Array => concatBytes(KIND.receipts, heightToBytes(height));
export const transactionKey = (hash: Hash): Uint8Array => concatBytes(KIND.transaction, hexToBytes(hash));
export const validatorsKey = (hash: Hash): Uint8Array => concatBytes(KIND.validators, hexToBytes(hash));

export const codeKey = (codeHash: Uint8Array): Uint8Array => concatBytes(KIND.code, codeHash);

/**
 * A trie node's place: the height that wrote it and its number among the nodes of that height. No two nodes ever have
 * the same one, so a node that a later height replaced can be deleted without a look at what came after, although the
 * same bytes may have been written again. Keys ascend with the chain, which is the cheapest order for LevelDB.
 */
export type NodeId = number;

/** Heights below 2³⁰, nodes of one height below 2²³: together what a number holds exactly. */
export const MAX_NODES_PER_HEIGHT = 2 ** 23;
const MAX_NODE_HEIGHT = 2n ** 30n;
const NODE_ID_BYTES = 7;

/** @throws RangeError beyond the bounds above */
export const createNodeId = (height: bigint, index: number): NodeId => {
  if (height >= MAX_NODE_HEIGHT || index >= MAX_NODES_PER_HEIGHT)
    throw new RangeError(
      `expected fewer than ${MAX_NODES_PER_HEIGHT} trie nodes at a height below ${MAX_NODE_HEIGHT}, found number ${index} at ${height}`,
    );
  return Number(height) * MAX_NODES_PER_HEIGHT + index;
};

/** @returns where the id ends */
export const writeNodeId = (to: Uint8Array, at: number, id: NodeId): number => {
  let rest = id;
  for (let i = NODE_ID_BYTES - 1; i >= 0; i--) {
    to[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return at + NODE_ID_BYTES;
};

export const readNodeId = (from: Uint8Array, at: number): NodeId => {
  let id = 0;
  for (let i = 0; i < NODE_ID_BYTES; i++) id = id * 256 + from[at + i]!;
  return id;
};

export const packNodeIds = (ids: readonly NodeId[]): Uint8Array => {
  const packed = new Uint8Array(NODE_ID_BYTES * ids.length);
  ids.reduce((at, id) => writeNodeId(packed, at, id), 0);
  return packed;
};

export const unpackNodeIds = (packed: Uint8Array): NodeId[] =>
  Array.from({ length: packed.length / NODE_ID_BYTES }, (_, index) =>
    readNodeId(packed, NODE_ID_BYTES * index),
  );

export const trieNodeKey = (id: NodeId): Uint8Array => {
  const key = new Uint8Array(1 + NODE_ID_BYTES);
  key.set(KIND.trieNode);
  writeNodeId(key, 1, id);
  return key;
};
/** The root node of the state after a height; empty bytes for the empty state, absent when it was pruned. */
export const stateRootKey = (height: bigint): Uint8Array =>
  concatBytes(KIND.stateRoot, heightToBytes(height));
/** The nodes which the state before a height reaches and the state after it does not. */
export const staleNodesKey = (height: bigint): Uint8Array =>
  concatBytes(KIND.staleNodes, heightToBytes(height));

/** Kinds of records by their letter, for statistics. */
export const KIND_LETTERS: ReadonlyMap<string, keyof typeof KIND> = new Map(
  (Object.keys(KIND) as (keyof typeof KIND)[]).map((name) => [String.fromCharCode(KIND[name][0]!), name]),
);
export type RecordKind = keyof typeof KIND;
