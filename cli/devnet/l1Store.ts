/**
 * Snapshots of the devnet's L1 on disk: the newest two, each wholly there or not at all.
 *
 * A snapshot is what `anvil_dumpState` answers, gzip and all, so that its CRC tells a damaged file. It is named by
 * its block number; the newest one that reads back is the chain.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { replaceFileDurably } from '#node/keys/durableFile.ts';

const unzip = promisify(gunzip);
const GENERATIONS = 2;
const NAME = /^state-(\d{12})\.json\.gz$/;
const MAX_STATE_BYTES = 2 ** 30;

export type L1Snapshot = { readonly blockNumber: bigint; readonly state: Uint8Array };

export type L1Store = {
  /** Durable when it resolves. @param dump anvil_dumpState's answer, hex */
  save(blockNumber: bigint, dump: string): Promise<void>;
  /** The newest that reads back, unpacked; null when there is none. */
  load(): Promise<L1Snapshot | null>;
};

const snapshotNumbers = async (folder: string): Promise<bigint[]> =>
  (await readdir(folder))
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(BigInt)
    .sort((a, b) => (a < b ? 1 : a > b ? -1 : 0));

const readSnapshot = async (path: string): Promise<Uint8Array | null> => {
  try {
    const state = await unzip(await readFile(path), { maxOutputLength: MAX_STATE_BYTES });
    const parsed: unknown = JSON.parse(state.toString('utf8'));
    return typeof parsed === 'object' && parsed !== null && 'best_block_number' in parsed ? state : null;
  } catch {
    return null;
  }
};

export const openL1Store = async (folder: string): Promise<L1Store> => {
  await mkdir(folder, { recursive: true });
  const pathOf = (blockNumber: bigint): string =>
    join(folder, `state-${String(blockNumber).padStart(12, '0')}.json.gz`);
  return {
    save: async (blockNumber, dump) => {
      await replaceFileDurably(pathOf(blockNumber), Buffer.from(dump.slice(2), 'hex'));
      for (const old of (await snapshotNumbers(folder)).slice(GENERATIONS))
        await rm(pathOf(old), { force: true });
    },
    load: async () => {
      for (const blockNumber of await snapshotNumbers(folder)) {
        const state = await readSnapshot(pathOf(blockNumber));
        if (state !== null) return { blockNumber, state };
      }
      return null;
    },
  };
};
