/** What the state's tries consist of, while they are worked on. */
import type { NodeId } from '#node/storage/schema.ts';

export type Leaf = {
  readonly kind: 'leaf';
  /** The whole hashed key, 32 bytes. */
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Of an account with storage: the root node of that. */
  readonly storageNode: NodeId | null;
};
export type Extension = {
  readonly kind: 'extension';
  /** Nibbles, one a byte. */
  readonly path: Uint8Array;
  readonly child: Link;
};
export type Branch = {
  readonly kind: 'branch';
  /** The record of a branch, whose children hold where `changed` says nothing else. */
  readonly base: Uint8Array | null;
  /** By nibble; undefined: as in `base`. */
  readonly changed: readonly (Link | null | undefined)[];
};
export type TrieNode = Leaf | Extension | Branch;
/** A node that is not loaded: its hash, 32 bytes, and where it is. */
export type StoredLink = { readonly kind: 'stored'; readonly hash: Uint8Array; readonly id: NodeId };
/** Either stored, or here: because it is new, or because it is shorter than a hash and stands for itself. */
export type Link = TrieNode | StoredLink;
