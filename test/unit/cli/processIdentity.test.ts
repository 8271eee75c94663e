import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimDataFolder, nodeRecordPath } from '#cli/node/nodeProcess.ts';
import {
  identifyProcess,
  isAlive,
  parseProcStat,
  readLiveRecord,
  stopProcess,
  writeRecord,
} from '#cli/processIdentity.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-pid-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const sleeper = (script = 'setInterval(() => {}, 1000); process.send("up")') => {
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  return { child, up: once(child, 'message'), gone: once(child, 'exit') };
};

test('a recycled pid is another process: it counts as dead and is never signalled', async () => {
  const { child, up, gone } = sleeper();
  await up;
  const real = (await identifyProcess(child.pid!))!;
  const recycled = { ...real, startTime: `${real.startTime}0` };
  expect(await isAlive(recycled)).toBe(false);
  await stopProcess(recycled, 100);
  expect(await isAlive(real)).toBe(true);
  await stopProcess(real);
  await gone;
  expect(await isAlive(real)).toBe(false);
});

test('a process that ignores SIGTERM is killed after the bound', async () => {
  const { child, up, gone } = sleeper(
    'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); process.send("up")',
  );
  await up;
  await stopProcess((await identifyProcess(child.pid!))!, 200);
  expect(await gone).toEqual([null, 'SIGKILL']);
});

test('a record that is missing, torn, or of a dead process means nothing', async () => {
  const path = join(folder, 'record.json');
  expect(await readLiveRecord(path)).toBeNull();
  await writeFile(path, '{"name":"x","pid":1');
  expect(await readLiveRecord(path)).toBeNull();
  await writeFile(path, JSON.stringify({ name: 'x', pid: process.pid, startTime: 'then', managed: true }));
  expect(await readLiveRecord(path)).toBeNull();
  const record = await writeRecord(path, 'x', process.pid, true);
  expect(await readLiveRecord(path)).toEqual(record);
  for (const pid of [0, -1, 1.5]) expect(await identifyProcess(pid)).toBeNull();
});

test('a name with spaces and parentheses does not shift the fields of /proc/<pid>/stat', () => {
  const fields = Array.from({ length: 50 }, (_, index) => String(index + 3));
  const stat = `77 (evil) S (name) S ${fields.slice(1).join(' ')}`;
  expect(parseProcStat(stat)).toEqual({ state: 'S', startTicks: '22' });
  expect(parseProcStat('')).toBeNull();
});

test('a node refuses data that a live process has, and says which', async () => {
  const { child, up, gone } = sleeper();
  await up;
  await writeRecord(nodeRecordPath(folder), 'validator-1', child.pid!, false);
  await expect(claimDataFolder(folder, 'validator-1')).rejects.toMatchObject({
    code: 'ALREADY_RUNNING',
    message: expect.stringContaining(String(child.pid)),
  });
  child.kill('SIGKILL');
  await gone;
  const release = await claimDataFolder(folder, 'validator-1');
  expect(await readLiveRecord(nodeRecordPath(folder))).toMatchObject({ pid: process.pid });
  await release();
  expect(await readLiveRecord(nodeRecordPath(folder))).toBeNull();
});
