/**
 * The root of a list, as headers carry it: a Merkle Patricia trie with RLP(index) as key.
 *
 * Built bottom-up from the sorted keys in one pass, each node hashed once; nothing is stored. Source: Yellow Paper,
 * appendix D. `test/unit/node/execution/orderedTrie.test.ts` holds it against @ethereumjs/mpt.
 */
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToHash, type Hash } from '#consensus/primitives.ts';
import { encodeRlp, type RlpItem } from '#node/consensus/rlp.ts';
import { packNibbles } from '#node/execution/trieBytes.ts';
import { EMPTY_ROOT } from '#node/storage/headerCodec.ts';
import { quantityToBytes } from '#node/storage/rlpValues.ts';

type Entry = { readonly nibbles: Uint8Array; readonly value: Uint8Array };

const NONE = new Uint8Array(0);

const toNibbles = (bytes: Uint8Array): Uint8Array => {
  const nibbles = new Uint8Array(2 * bytes.length);
  for (let i = 0; i < nibbles.length; i++)
    nibbles[i] = i % 2 === 0 ? bytes[i >> 1]! >> 4 : bytes[i >> 1]! & 15;
  return nibbles;
};

const sharedLength = (a: Uint8Array, b: Uint8Array, from: number): number => {
  let at = from;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  return at - from;
};

/** @param entries sorted by nibbles, no key a prefix of another (RLP of indexes is prefix-free). @param end exclusive */
const buildNode = (entries: readonly Entry[], start: number, end: number, depth: number): RlpItem => {
  const first = entries[start]!;
  if (end - start === 1) return [packNibbles(first.nibbles.subarray(depth), true), first.value];
  const shared = sharedLength(first.nibbles, entries[end - 1]!.nibbles, depth);
  if (shared > 0)
    return [
      packNibbles(first.nibbles.subarray(depth, depth + shared), false),
      reference(buildNode(entries, start, end, depth + shared)),
    ];
  const items: RlpItem[] = [];
  for (let nibble = 0, from = start; nibble < 16; nibble++) {
    let to = from;
    while (to < end && entries[to]!.nibbles[depth] === nibble) to++;
    items.push(to === from ? NONE : reference(buildNode(entries, from, to, depth + 1)));
    from = to;
  }
  items.push(NONE);
  return items;
};

/** A node shorter than a hash stands for itself. */
const reference = (node: RlpItem): RlpItem => {
  const encoded = encodeRlp(node);
  return encoded.length < 32 ? node : keccak256(encoded);
};

export const orderedTrieRoot = (values: readonly Uint8Array[]): Hash => {
  if (values.length === 0) return bytesToHash(EMPTY_ROOT);
  const entries = values
    .map((value, index) => ({ key: encodeRlp(quantityToBytes(BigInt(index))), value }))
    .sort((a, b) => Buffer.compare(a.key, b.key))
    .map(({ key, value }) => ({ nibbles: toNibbles(key), value }));
  return bytesToHash(keccak256(encodeRlp(buildNode(entries, 0, entries.length, 0))));
};
