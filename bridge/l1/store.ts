/**
 * What a node must remember about the L1 across restarts: the newest block it called final, and why it stopped.
 *
 * The deposit chain itself is folded again from the logs at start. A halt is written before it is announced, so
 * that a restart does not undo it: only an operator does, by removing the file after finding out what happened.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Hash, parseHash } from '#consensus/primitives.ts';

export type L1Memory = {
  readonly finalized: { readonly number: bigint; readonly hash: Hash } | null;
  /** The reason for a durable halt, or null. */
  readonly halted: string | null;
};

export interface L1Store {
  /** Named in the halt's remedy. */
  readonly where: string;
  /** @throws L1StoreError CORRUPT */
  load(): Promise<L1Memory>;
  /** Durable when it resolves. */
  save(memory: L1Memory): Promise<void>;
}

export class L1StoreError extends Error {
  override readonly name = 'L1StoreError';
  readonly code = 'CORRUPT';
}

const NOTHING: L1Memory = { finalized: null, halted: null };

export const createMemoryL1Store = (): L1Store => {
  let memory = NOTHING;
  return {
    where: 'memory',
    load: async () => memory,
    save: async (next) => {
      memory = next;
    },
  };
};

const parseMemory = (text: string, path: string): L1Memory => {
  try {
    const { finalized, halted } = JSON.parse(text) as {
      finalized: { number: string; hash: string } | null;
      halted: string | null;
    };
    if (halted !== null && typeof halted !== 'string') throw new Error('halted is not text');
    return {
      finalized:
        finalized === null ? null : { number: BigInt(finalized.number), hash: parseHash(finalized.hash) },
      halted,
    };
  } catch (fault) {
    throw new L1StoreError(
      `expected the L1 view's memory in ${path}, found something else (${(fault as Error).message}): remove the file; the view is read again from the L1`,
    );
  }
};

/** A small JSON file, replaced whole: temporary file, sync, rename, sync of the folder. */
export const createFileL1Store = (path: string): L1Store => ({
  where: path,
  load: async () => {
    try {
      return parseMemory(await readFile(path, 'utf8'), path);
    } catch (fault) {
      if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return NOTHING;
      throw fault;
    }
  },
  save: async ({ finalized, halted }) => {
    const folder = dirname(path);
    await mkdir(folder, { recursive: true });
    const file = await open(`${path}.new`, 'w');
    try {
      await file.writeFile(
        JSON.stringify({
          finalized: finalized && { number: String(finalized.number), hash: finalized.hash },
          halted,
        }),
      );
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    const directory = await open(folder, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  },
});
