/**
 * A committed state in memory: what `computeStateUpdate` says must be written, written into a map instead of LevelDB.
 *
 * Read by the same readers as a node's database. Owns the trie nodes, code and the root of one state, and moves on to the
 * next with `commit`, as the node does at each height.
 */

import { bytesToHash, type Hash, hexToBytes } from '#consensus/primitives.ts';
import type { StateChanges } from '#node/execution/overlayState.ts';
import {
  createCodeReader,
  createTrieReader,
  EMPTY_STATE,
  emptyRoot,
  type StateReader,
  toKey,
} from '#node/execution/stateReader.ts';
import { computeStateUpdate, type StateUpdate, stateOperations } from '#node/execution/stateTrie.ts';
import { NO_NODES, type TrieNodes } from '#node/execution/trieNodes.ts';
import { trieNodeKey } from '#node/storage/schema.ts';

export class MemoryState {
  readonly #entries = new Map<string, Uint8Array>();
  readonly #code = createCodeReader({ get: (key) => this.#entries.get(toKey(key)) ?? null });
  #nodes: TrieNodes = NO_NODES;
  #root: Hash = bytesToHash(emptyRoot());
  #reader = EMPTY_STATE;

  get root(): Hash {
    return this.#root;
  }

  get reader(): StateReader {
    return this.#reader;
  }

  /** The root that these changes lead to; nothing is written. */
  rootAfter(changes: StateChanges): Hash {
    return this.#update(changes).stateRoot;
  }

  commit(changes: StateChanges): Hash {
    const update = this.#update(changes);
    for (const operation of stateOperations(update)) {
      if (operation.type === 'put') this.#entries.set(toKey(operation.key), operation.value);
      else this.#entries.delete(toKey(operation.key));
    }
    // At once: a node that is replaced too early is missed by the next block, not by a later test.
    for (const id of update.nodes.replaced) this.#entries.delete(toKey(trieNodeKey(id)));
    const { height, rootId } = update;
    this.#nodes = { height, rootId, get: (id) => this.#entries.get(toKey(trieNodeKey(id))) };
    const store = { stateRoot: () => rootId, oldestState: () => height };
    this.#reader = createTrieReader(store, this.#nodes, height, this.#code);
    this.#root = update.stateRoot;
    return this.#root;
  }

  #update(changes: StateChanges): StateUpdate {
    return computeStateUpdate(changes, this.#nodes, hexToBytes(this.#root));
  }
}
