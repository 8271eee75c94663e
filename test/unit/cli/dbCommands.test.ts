import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Genesis } from '#genesis/spec.ts';
import { lockFolder } from '#node/consensus/folderLock.ts';
import { createChainStore } from '#node/storage/chainStore.ts';
import { openDatabase } from '#node/storage/database.ts';
import { ARCHIVE } from '#node/storage/mode.ts';
import { FORMAT_KEY } from '#node/storage/schema.ts';
import { runCommand as run, runJson } from '#test/unit/cli/runInProcess.ts';
import { exampleGenesis, temporaryFolder } from '#test/unit/node/execution/exampleChain.ts';
import { growChain, PRUNED } from '#test/unit/node/execution/growingChain.ts';
import { storedNodes, walkState } from '#test/unit/node/storage/walkState.ts';

const BLOCKS = 12;
const WINDOW = ['--state-blocks', '4', '--history-blocks', '6'];

let genesis: Genesis;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  genesis = await exampleGenesis();
});
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const grow = (neededFrom: ((head: bigint) => bigint) | null): Promise<void> =>
  growChain({ genesis, dataDir: folder.path, storage: ARCHIVE, blocks: BLOCKS, neededFrom });

test('a misspelt folder is refused with exit code 3 and not created', async () => {
  const missing = join(folder.path, 'nowhere');
  for (const verb of ['stats', 'prune'])
    expect(await runJson('db', verb, '--data', missing)).toMatchObject({
      code: 3,
      error: { code: 'NO_CHAIN' },
    });
  await expect(access(missing)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await readdir(folder.path)).toEqual([]);
});

test('a folder that a node holds is refused with exit code 3', async () => {
  await grow((head) => head);
  const lock = await lockFolder(folder.path);
  for (const verb of ['stats', 'prune'])
    expect(
      await runJson('db', verb, '--data', folder.path, ...(verb === 'prune' ? ['--yes'] : [])),
    ).toMatchObject({
      code: 3,
      error: { code: 'FOLDER_IN_USE' },
    });
  await lock.release();
});

test('a database of another format is refused with exit code 3 and left as it is', async () => {
  await grow((head) => head);
  const database = await openDatabase(folder.path);
  await database.put(FORMAT_KEY, Uint8Array.of(1));
  await database.close();
  expect(await runJson('db', 'prune', '--data', folder.path, '--yes')).toMatchObject({
    code: 3,
    error: { code: 'WRONG_FORMAT', message: expect.stringContaining('found format 1') },
  });
});

test('without --yes nothing is deleted, exit code 2; a dry run says the same with code 0', async () => {
  await grow((head) => head);
  const refused = await runJson('db', 'prune', '--data', folder.path, ...WINDOW);
  expect(refused).toMatchObject({ code: 2, error: { code: 'NOT_CONFIRMED', hint: 'Nothing was changed.' } });
  const { code, stdout } = await run('db', 'prune', '--data', folder.path, ...WINDOW, '--dry-run', '--yes');
  expect(code).toBe(0);
  for (const line of stdout.split('\n').slice(0, 3)) expect(refused.error.message).toContain(line);
  expect(stdout).toContain('states of 8 heights and transactions of 6 heights will be deleted');
  const stats = await runJson('db', 'stats', '--data', folder.path);
  expect(stats).toMatchObject({ code: 0, chain: { mode: 'archive', oldestState: '0', oldestHistory: '0' } });
});

test('nothing goes before a node knew what the L1 needs', async () => {
  await grow(null);
  expect(await runJson('db', 'prune', '--data', folder.path, ...WINDOW, '--yes')).toMatchObject({
    code: 0,
    keys: 0,
    oldestState: '0',
    neededFrom: null,
  });
});

test('an archive is pruned to the window, once, and what is kept is whole', async () => {
  await grow((head) => head);
  const before = await runJson('db', 'stats', '--data', folder.path);
  const pruned = await runJson('db', 'prune', '--data', folder.path, ...WINDOW, '--yes');
  expect(pruned).toMatchObject({
    code: 0,
    applied: true,
    mode: 'pruned',
    oldestState: '8',
    oldestHistory: '6',
  });
  expect(pruned.keys).toBeGreaterThan(0);
  expect(await runJson('db', 'prune', '--data', folder.path, ...WINDOW, '--yes')).toMatchObject({
    code: 0,
    keys: 0,
  });
  const after = await runJson('db', 'stats', '--data', folder.path);
  const entries = (stats: typeof after, kind: string): number =>
    stats.chain.kinds.find((found: { kind: string }) => found.kind === kind)?.entries ?? 0;
  expect(entries(before, 'body')).toBe(13);
  expect([entries(after, 'body'), entries(after, 'receipts'), entries(after, 'transaction')]).toEqual([
    7, 7, 14,
  ]);
  expect(entries(after, 'block')).toBe(13);
  const database = await openDatabase(folder.path);
  const store = createChainStore(database);
  const reached = new Set<number>();
  for (let height = 8n; height <= 12n; height++)
    for (const id of walkState(store, height, store.block(height)!.stateRoot)) reached.add(id);
  expect([...(await storedNodes(database))].sort()).toEqual([...reached].sort());
  await database.close();
  await expect(grow((head) => head)).rejects.toMatchObject({ code: 'NOT_AN_ARCHIVE' });
  await growChain({ genesis, dataDir: folder.path, storage: PRUNED, blocks: 1, neededFrom: null });
});

test('stats name mode, window and bytes of each kind, for people as well', async () => {
  await grow((head) => head);
  const { code, stdout } = await run('db', 'stats', '--data', folder.path);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^mode +archive\nhead +12\noldest state +0\noldest history +0\nL1 needs from +11\n/);
  for (const kind of ['block', 'body', 'receipts', 'trieNode', 'stateRoot', 'staleNodes'])
    expect(stdout).toMatch(new RegExp(`^ {2}${kind} +\\d+ +[\\d.]+ (B|KiB|MiB)$`, 'm'));
});

test('a mode that does not exist is a usage error that names the two', async () => {
  const { code, stderr } = await run('node', 'run', '--config', 'node.toml', '--mode', 'light');
  expect(code).toBe(2);
  expect(stderr).toContain('Expected archive or pruned, found "light".');
});
