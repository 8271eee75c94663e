/** eth_getProof (EIP-1186), and walking a storage trie: reads of stored tries by their nodes. */
import { KECCAK256_NULL, KECCAK256_RLP } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { type Address, bytesToHex, type Hash, hexToBytes } from '#consensus/primitives.ts';
import { decodeRlp } from '#node/consensus/rlp.ts';
import { childAt } from '#node/execution/trieBranch.ts';
import type { Link, TrieNode } from '#node/execution/trieNode.ts';
import { decodeStoredNode, rlpOfStoredNode, stepTo } from '#node/execution/trieNodeCodec.ts';
import type { NodeSource } from '#node/execution/trieNodes.ts';
import { type ChainStore, stateGone } from '#node/storage/chainStore.ts';
import { decodeAccount, type StateAccount } from '#node/storage/codec.ts';
import type { NodeId } from '#node/storage/schema.ts';

export type TrieSource = {
  readonly store: Pick<ChainStore, 'stateRoot' | 'oldestState'>;
  readonly nodes: NodeSource;
  readonly height: bigint;
};

type Found = {
  /** RLP of the nodes from the root on; a node shorter than a hash is inside its parent. */
  readonly proof: readonly string[];
  readonly value: Uint8Array | null;
  readonly storageNode: NodeId | null;
};

const loadFrom =
  ({ store, nodes, height }: TrieSource) =>
  (id: NodeId): Uint8Array => {
    const record = nodes.get(id);
    if (record === undefined) throw stateGone(height, store.oldestState());
    return record;
  };

const prove = (source: TrieSource, root: NodeId | null, hashedKey: Uint8Array): Found => {
  const load = loadFrom(source);
  const proof: string[] = [];
  for (let id = root, depth = 0; id !== null; ) {
    const record = load(id);
    proof.push(bytesToHex(rlpOfStoredNode(record)));
    const step = stepTo(record, hashedKey, depth);
    if (step === null) break;
    if (step.kind === 'leaf') return { proof, value: step.value, storageNode: step.storageNode };
    id = step.id;
    depth = step.depth;
  }
  return { proof, value: null, storageNode: null };
};

const proveAddress = (source: TrieSource, address: Address): Found =>
  prove(source, source.store.stateRoot(source.height), keccak256(hexToBytes(address)));

const quantity = (bytes: Uint8Array): string => {
  const digits = bytesToHex(bytes).slice(2).replace(/^0+/, '');
  return `0x${digits === '' ? '0' : digits}`;
};

/** @throws ChainError STATE_PRUNED */
export const proveAccount = (
  source: TrieSource,
  address: Address,
  keys: readonly { readonly shown: string; readonly slot: Hash }[],
) => {
  const found = proveAddress(source, address);
  const account: StateAccount | null = found.value === null ? null : decodeAccount(found.value);
  return {
    address,
    accountProof: found.proof,
    balance: `0x${(account?.balance ?? 0n).toString(16)}`,
    codeHash: bytesToHex(account?.codeHash ?? KECCAK256_NULL),
    nonce: `0x${(account?.nonce ?? 0n).toString(16)}`,
    storageHash: bytesToHex(account?.storageRoot ?? KECCAK256_RLP),
    storageProof: keys.map(({ shown, slot }) => {
      const { proof, value } = prove(source, found.storageNode, keccak256(hexToBytes(slot)));
      return { key: shown, value: value === null ? '0x0' : quantity(decodeRlp(value) as Uint8Array), proof };
    }),
  };
};

/** Hash of the slot, 64 hex digits, and its value without leading zeros. */
export type HashedSlot = readonly [hashedKey: string, value: Uint8Array];

/** The slots of an account whose hashes are not below `start` (64 hex digits), ascending. */
export function* slotsFrom(source: TrieSource, address: Address, start: string): Generator<HashedSlot> {
  const { storageNode } = proveAddress(source, address);
  const load = loadFrom(source);
  const open = (id: NodeId, path: string): TrieNode =>
    decodeStoredNode(load(id), Uint8Array.from(Buffer.from(path.padEnd(64, '0'), 'hex')));
  const walk = function* (link: Link, path: string): Generator<HashedSlot> {
    // Everything under it is smaller than the start.
    if (path < start.slice(0, path.length)) return;
    const node = link.kind === 'stored' ? open(link.id, path) : link;
    if (node.kind === 'leaf') {
      const key = Buffer.from(node.key).toString('hex');
      if (key >= start) yield [key, decodeRlp(node.value) as Uint8Array];
    } else if (node.kind === 'extension')
      yield* walk(node.child, path + [...node.path].map((nibble) => nibble.toString(16)).join(''));
    else
      for (let nibble = 0; nibble < 16; nibble++) {
        const child = childAt(node, nibble);
        if (child !== null) yield* walk(child, path + nibble.toString(16));
      }
  };
  if (storageNode !== null) yield* walk(open(storageNode, ''), '');
}
