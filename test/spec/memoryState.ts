/**
 * A committed state in memory: what `computeStateUpdate` says must be written, written into a map instead of LevelDB.
 *
 * Read by the same readers as a node's database. Owns the flat entries, the trie nodes and the root of one state, and
 * moves on to the next with `commit`, as the node does at each height.
 */

import { bytesToHash, type Hash, hexToBytes } from '#consensus/primitives.ts';
import type { StateChanges } from '#node/execution/overlayState.ts';
import {
  createCodeReader,
  createFlatReader,
  emptyRoot,
  type StateReader,
  toKey,
} from '#node/execution/stateReader.ts';
import { computeStateUpdate } from '#node/execution/stateTrie.ts';
import { NO_NODES, type TrieNodes } from '#node/execution/trieNodes.ts';
import { type NodeId, readNodeId, slotRange, staleNodesKey, trieNodeKey } from '#node/storage/schema.ts';

const NODE_ID_BYTES = 7;

export class MemoryState {
  readonly #entries = new Map<string, Uint8Array>();
  #nodes: TrieNodes = NO_NODES;
  #root: Hash = bytesToHash(emptyRoot());
  readonly reader: StateReader;

  constructor() {
    const store = { get: (key: Uint8Array) => this.#entries.get(toKey(key)) ?? null };
    this.reader = createFlatReader(store, createCodeReader(store));
  }

  get root(): Hash {
    return this.#root;
  }

  /** The root that these changes lead to; nothing is written. */
  async rootAfter(changes: StateChanges): Promise<Hash> {
    return (await this.#update(changes)).stateRoot;
  }

  async commit(changes: StateChanges): Promise<Hash> {
    const update = await this.#update(changes);
    for (const account of update.clearedAccounts) this.#deleteSlots(account);
    for (const operation of update.operations) {
      if (operation.type === 'put') this.#entries.set(toKey(operation.key), operation.value);
      else this.#entries.delete(toKey(operation.key));
    }
    const height = this.#nodes.height + 1n;
    this.#dropReplaced(height);
    this.#nodes = {
      height,
      rootId: update.rootId,
      get: (id) => this.#entries.get(toKey(trieNodeKey(id))),
    };
    this.#root = update.stateRoot;
    return this.#root;
  }

  #update(changes: StateChanges) {
    return computeStateUpdate(changes, this.reader, this.#nodes, hexToBytes(this.#root));
  }

  #deleteSlots(account: string): void {
    const prefix = toKey(slotRange(Uint8Array.from(Buffer.from(account, 'hex'))).gte).slice(0, 42);
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }

  /** At once: a node that is replaced too early is missed by the next block, not by a later test. */
  #dropReplaced(height: bigint): void {
    const packed = this.#entries.get(toKey(staleNodesKey(height)));
    for (let at = 0; at < (packed?.length ?? 0); at += NODE_ID_BYTES) {
      const id: NodeId = readNodeId(packed!, at);
      this.#entries.delete(toKey(trieNodeKey(id)));
    }
  }
}
