/**
 * `archive` or `pruned`: what a folder is, and which way it may change.
 *
 * An archive holds every height. Once a folder was opened as pruned it is one for good: what was deleted, or may be at
 * any moment, is not there to be served. The other way is always open.
 */
import { ChainError } from '#node/chain.ts';
import type { ChainStore } from '#node/storage/chainStore.ts';
import type { Database } from '#node/storage/database.ts';
import type { PruningWindow } from '#node/storage/pruner.ts';
import { MODE_KEY } from '#node/storage/schema.ts';

export const STORAGE_MODES = ['archive', 'pruned'] as const;
export type StorageMode = (typeof STORAGE_MODES)[number];

export type StorageOptions =
  | { readonly mode: 'archive' }
  | { readonly mode: 'pruned'; readonly window: PruningWindow };

export const ARCHIVE: StorageOptions = { mode: 'archive' };

/** @throws ChainError NOT_AN_ARCHIVE */
export const applyMode = async (
  database: Database,
  store: Pick<ChainStore, 'mode' | 'oldestState' | 'oldestHistory'>,
  mode: StorageMode,
): Promise<void> => {
  const found = store.mode();
  if (found === mode) return;
  if (found === 'pruned')
    throw new ChainError(
      'NOT_AN_ARCHIVE',
      `expected a folder with every height for mode "archive", found a pruned one (states from height ${store.oldestState()}, transactions from ${store.oldestHistory()}): start it with mode "pruned", or begin an archive in an empty data folder, which syncs from block 0`,
    );
  await database.put(MODE_KEY, Buffer.from(mode, 'latin1'), { sync: true });
};
