import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { devnetDown } from '#cli/devnet/down.ts';
import { devnetLayout, nodeFiles } from '#cli/devnet/layout.ts';
import { clearLeftovers, liveProcesses, requireNotUp } from '#cli/devnet/leftovers.ts';
import { createIo } from '#cli/io.ts';
import { nodeRecordPath } from '#cli/node/nodeProcess.ts';
import { writeRecord } from '#cli/processIdentity.ts';

let root: string;
let said: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'causeway-left-'));
  said = '';
});
afterEach(() => rm(root, { recursive: true, force: true }));

const io = () => {
  const write = (text: string): void => {
    said += text;
  };
  return createIo({ stdout: { write }, stderr: { write }, env: {} }, false, new AbortController().signal);
};

const startSleeper = async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); process.send("up")'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const gone = once(child, 'exit');
  await once(child, 'message');
  return { pid: child.pid!, gone };
};

test('a devnet that runs is not started again: the message says which process and what to do', async () => {
  const layout = devnetLayout(root);
  await requireNotUp(layout);
  await writeRecord(layout.driverRecord, 'devnet', process.pid, false);
  await expect(requireNotUp(layout)).rejects.toMatchObject({
    code: 'ALREADY_UP',
    message: expect.stringContaining(String(process.pid)),
    hint: expect.stringContaining('causeway devnet down'),
  });
});

test('a node restarted by hand is named and left alone by up, and stopped by down', async () => {
  const layout = devnetLayout(root);
  const { pid, gone } = await startSleeper();
  await writeRecord(nodeRecordPath(nodeFiles(layout, 'validator-2').data), 'validator-2', pid, false);
  await expect(clearLeftovers(layout, io())).rejects.toMatchObject({
    code: 'LEFT_OVER',
    message: expect.stringContaining(`validator-2 as process ${pid}`),
    hint: expect.stringContaining(`kill ${pid}`),
  });
  expect(await liveProcesses(layout)).toHaveLength(1);
  expect(await devnetDown(layout, false, io())).toEqual({ stopped: ['validator-2'], purged: false });
  await gone;
  expect(await liveProcesses(layout)).toEqual([]);
});

test('what an earlier devnet left behind is stopped, with a word about it', async () => {
  const layout = devnetLayout(root);
  const { pid, gone } = await startSleeper();
  await writeRecord(layout.anvilRecord, 'L1', pid, true);
  await clearLeftovers(layout, io());
  await gone;
  expect(said).toContain(`Stopping L1, left over from an earlier run (process ${pid})`);
});
