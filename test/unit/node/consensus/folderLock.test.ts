import { spawn } from 'node:child_process';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openFolderDisk } from '#node/consensus/disk.ts';
import { FolderLockError, lockFolder } from '#node/consensus/folderLock.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-lock-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Another process that holds the folder until it is killed. */
const holder = async (path: string): Promise<() => Promise<void>> => {
  const module = fileURLToPath(new URL('../../../../node/consensus/folderLock.ts', import.meta.url));
  const program = `import { lockFolder } from ${JSON.stringify(module)}; await lockFolder(${JSON.stringify(path)}); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return async () => {
    child.kill('SIGKILL');
    await ended;
  };
};

test('a second process on one data folder is refused; a killed one leaves it free', async () => {
  const kill = await holder(folder);
  try {
    await expect(lockFolder(folder)).rejects.toBeInstanceOf(FolderLockError);
    await expect(lockFolder(folder)).rejects.toThrow(/in use by another process: stop that one first/);
  } finally {
    await kill();
  }
  const lock = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'FOLDER_IN_USE' });
  await lock.release();
});

test('other names of the same folder are the same folder, between processes and within one', async () => {
  const data = join(folder, 'data');
  await (await lockFolder(data)).release();
  const link = join(folder, 'link');
  await symlink(data, link);
  const names = [link, relative(process.cwd(), data), `${data}/../data/`, join(link, '.')];
  const kill = await holder(data);
  try {
    for (const name of names) await expect(lockFolder(name)).rejects.toMatchObject({ code: 'FOLDER_IN_USE' });
  } finally {
    await kill();
  }
  const lock = await lockFolder(link);
  for (const name of [data, ...names])
    await expect(lockFolder(name)).rejects.toMatchObject({ code: 'FOLDER_IN_USE' });
  await lock.release();
});

test('a copy elsewhere is another folder, which the lock does not see: the fence is for that', async () => {
  const data = join(folder, 'data');
  const lock = await lockFolder(data);
  await cp(data, join(folder, 'copy'), { recursive: true });
  const second = await lockFolder(join(folder, 'copy'));
  await second.release();
  await lock.release();
});

test('the folder disk keeps what was written, in place and past the end', async () => {
  const disk = await openFolderDisk(join(folder, 'consensus'));
  expect(await disk.open('a', { create: false })).toBeNull();
  const file = (await disk.open('a', { create: true }))!;
  await file.write(0, Uint8Array.of(1, 2, 3));
  await file.write(1, Uint8Array.of(9));
  await file.write(5, Uint8Array.of(7));
  await file.sync();
  await file.close();
  const again = (await disk.open('a', { create: false }))!;
  expect(await again.read()).toEqual(Uint8Array.of(1, 9, 3, 0, 0, 7));
  await again.truncate(2);
  expect(await again.read()).toEqual(Uint8Array.of(1, 9));
  await again.close();
  expect(await disk.list()).toEqual(['a']);
  await disk.remove('a');
  await disk.remove('a');
  expect(await disk.list()).toEqual([]);
});
