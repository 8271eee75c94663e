/**
 * The devnet's data folder: where everything is, and whether the folder is ours and of this format.
 *
 * Invariants: a folder without our marker is never written to unless it is empty, and never deleted; a folder of
 * another format is refused, and deleted only on `devnet down --purge`.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CliError, EXIT } from '#cli/errors.ts';
import { replaceFileDurably } from '#node/keys/durableFile.ts';

const FORMAT = 'causeway-devnet-1';
export const DEFAULT_DATA = '.causeway/devnet';

const markerSchema = z.object({
  format: z.literal(FORMAT),
  createdAt: z.string(),
  /** Null: the well-known ports. */
  portBase: z.int().nullable(),
  /** True once the peg's contracts were verified at finality. */
  deployed: z.boolean(),
});
export type DevnetMarker = z.infer<typeof markerSchema>;

export type DevnetLayout = {
  readonly root: string;
  readonly marker: string;
  readonly spec: string;
  readonly genesis: string;
  readonly l1: string;
  readonly deploymentJournal: string;
  readonly crossingJournal: string;
  readonly logs: string;
  readonly driverRecord: string;
  readonly anvilRecord: string;
};

export const devnetLayout = (root: string): DevnetLayout => ({
  root,
  marker: join(root, 'devnet.json'),
  spec: join(root, 'spec.json'),
  genesis: join(root, 'genesis.json'),
  l1: join(root, 'l1'),
  deploymentJournal: join(root, 'deployment.jsonl'),
  crossingJournal: join(root, 'crossing.jsonl'),
  logs: join(root, 'logs'),
  driverRecord: join(root, 'run', 'devnet.json'),
  anvilRecord: join(root, 'run', 'anvil.json'),
});

export type NodeFiles = {
  readonly folder: string;
  readonly config: string;
  readonly data: string;
  readonly nodeKey: string;
  readonly roleKey: string;
  readonly passphrase: string;
};

export const nodeFiles = (layout: DevnetLayout, name: string): NodeFiles => {
  const folder = join(layout.root, name);
  const role = name.startsWith('relayer') ? 'relayer' : 'consensus';
  return {
    folder,
    config: join(folder, 'node.toml'),
    data: join(folder, 'data'),
    nodeKey: join(folder, 'keys', 'node.json'),
    roleKey: join(folder, 'keys', `${role}.json`),
    passphrase: join(folder, 'keys', 'passphrase'),
  };
};

const entriesOf = async (folder: string): Promise<string[] | null> => {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
};

const purgeHint = (root: string): string =>
  `Delete it and begin again: causeway devnet down --purge${root.endsWith(DEFAULT_DATA) ? '' : ` --data ${root}`}`;

export type FolderState =
  | { readonly state: 'absent' }
  | { readonly state: 'ours'; readonly marker: DevnetMarker }
  /** Has a marker that this release does not read. */
  | { readonly state: 'otherFormat' }
  | { readonly state: 'foreign' };

export const inspectFolder = async ({ root, marker }: DevnetLayout): Promise<FolderState> => {
  const entries = await entriesOf(root);
  if (entries === null || entries.length === 0) return { state: 'absent' };
  let text: string;
  try {
    text = await readFile(marker, 'utf8');
  } catch {
    return { state: 'foreign' };
  }
  try {
    return { state: 'ours', marker: markerSchema.parse(JSON.parse(text)) };
  } catch {
    return { state: 'otherFormat' };
  }
};

export const saveMarker = (layout: DevnetLayout, marker: DevnetMarker): Promise<void> =>
  replaceFileDurably(layout.marker, `${JSON.stringify(marker, null, 2)}\n`);

/** One level after the other: below /proc, mkdir with `recursive` was seen to try for ever. */
const createFolder = async (path: string): Promise<void> => {
  if (existsSync(path)) return;
  await createFolder(dirname(path));
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
};

/** Creates or opens the folder. @throws CliError FOREIGN_FOLDER, OTHER_FORMAT, UNWRITABLE */
export const openFolder = async (layout: DevnetLayout, portBase: number | null): Promise<DevnetMarker> => {
  const { root } = layout;
  let found: FolderState;
  try {
    await createFolder(root);
    accessSync(root, constants.R_OK | constants.W_OK | constants.X_OK);
    found = await inspectFolder(layout);
  } catch (error) {
    throw new CliError(
      `expected a folder that can be written at ${root}, found: ${(error as Error).message}`,
      {
        code: 'UNWRITABLE',
        exitCode: EXIT.config,
        hint: 'Change its owner or permissions, or choose another with --data <dir>.',
      },
    );
  }
  if (found.state === 'foreign')
    throw new CliError(`expected a devnet's folder or an empty one at ${root}, found other files in it`, {
      code: 'FOREIGN_FOLDER',
      exitCode: EXIT.config,
      hint: 'Choose another with --data <dir>; nothing in it was touched.',
    });
  if (found.state === 'otherFormat')
    throw new CliError(`expected data of format ${FORMAT} in ${root}, found another release's`, {
      code: 'OTHER_FORMAT',
      exitCode: EXIT.config,
      hint: purgeHint(root),
    });
  const marker: DevnetMarker =
    found.state === 'ours'
      ? { ...found.marker, portBase }
      : { format: FORMAT, createdAt: new Date().toISOString(), portBase, deployed: false };
  await saveMarker(layout, marker);
  return marker;
};

/** @returns false when there was nothing. @throws CliError FOREIGN_FOLDER */
export const purgeFolder = async (layout: DevnetLayout): Promise<boolean> => {
  const found = await inspectFolder(layout);
  if (found.state === 'foreign')
    throw new CliError(
      `expected a devnet's folder at ${layout.root}, found other files: nothing was deleted`,
      {
        code: 'FOREIGN_FOLDER',
        exitCode: EXIT.config,
        hint: 'Check --data; a folder without devnet.json is never deleted.',
      },
    );
  if (found.state === 'absent') return false;
  await rm(layout.root, { recursive: true, force: true });
  return true;
};
