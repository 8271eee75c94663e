/**
 * The root of a list, as headers carry it: a Merkle Patricia trie with RLP(index) as key.
 *
 * Built bottom-up from the sorted keys in one pass, each node hashed once; nothing is stored. Source: Yellow Paper,
 * appendix D. `test/unit/node/execution/orderedTrie.test.ts` holds it against @ethereumjs/mpt.
 */
import { type NestedUint8Array, RLP } from '@ethereumjs/rlp';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToHash, type Hash } from '#consensus/primitives.ts';
import { EMPTY_ROOT } from '#node/storage/headerCodec.ts';
import { quantityToBytes } from '#node/storage/rlpValues.ts';

type Entry = { readonly nibbles: readonly number[]; readonly value: Uint8Array };
type Node = NestedUint8Array;

const toNibbles = (bytes: Uint8Array): number[] => [...bytes].flatMap((byte) => [byte >> 4, byte & 15]);

/** Hex-prefix encoding. */
const packPath = (nibbles: readonly number[], isLeaf: boolean): Uint8Array => {
  const flag = isLeaf ? 2 : 0;
  const padded = nibbles.length % 2 === 1 ? [flag + 1, ...nibbles] : [flag, 0, ...nibbles];
  return Uint8Array.from({ length: padded.length / 2 }, (_, i) => (padded[2 * i]! << 4) | padded[2 * i + 1]!);
};

const sharedLength = (a: readonly number[], b: readonly number[], from: number): number => {
  let at = from;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  return at - from;
};

/** @param entries sorted by nibbles, no key a prefix of another (RLP of indexes is prefix-free) */
const buildNode = (entries: readonly Entry[], depth: number): Node => {
  const first = entries[0]!;
  if (entries.length === 1) return [packPath(first.nibbles.slice(depth), true), first.value];
  const shared = sharedLength(first.nibbles, entries.at(-1)!.nibbles, depth);
  if (shared > 0)
    return [
      packPath(first.nibbles.slice(depth, depth + shared), false),
      reference(buildNode(entries, depth + shared)),
    ];
  const branches: (Uint8Array | Node)[] = [];
  let start = 0;
  for (let nibble = 0; nibble < 16; nibble++) {
    let end = start;
    while (end < entries.length && entries[end]!.nibbles[depth] === nibble) end++;
    branches.push(
      end === start ? new Uint8Array(0) : reference(buildNode(entries.slice(start, end), depth + 1)),
    );
    start = end;
  }
  return [...branches, new Uint8Array(0)];
};

/** A node shorter than a hash stands for itself. */
const reference = (node: Node): Uint8Array | Node => {
  const encoded = RLP.encode(node);
  return encoded.length < 32 ? node : keccak256(encoded);
};

export const orderedTrieRoot = (values: readonly Uint8Array[]): Hash => {
  if (values.length === 0) return bytesToHash(EMPTY_ROOT);
  const entries = values
    .map((value, index) => ({ key: RLP.encode(quantityToBytes(BigInt(index))), value }))
    .sort((a, b) => Buffer.compare(a.key, b.key))
    .map(({ key, value }) => ({ nibbles: toNibbles(key), value }));
  return bytesToHash(keccak256(RLP.encode(buildNode(entries, 0))));
};
