import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand, runJson } from '#test/unit/cli/runInProcess.ts';

let folder: string;
let passphrase: string;
let key: string;
let address: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-keys-'));
  passphrase = join(folder, 'passphrase');
  key = join(folder, 'keys', 'governance.json');
  await writeFile(passphrase, 'first\n');
  ({ address } = await runJson(
    ...['key', 'new', '--kind', 'signing', '--out', key, '--passphrase-file', passphrase, '--light'],
  ));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const shareFolder = () => join(folder, 'shares');
const backUp = (...more: string[]) =>
  runJson(
    ...['key', 'backup', key, '--shares', '5', '--threshold', '3', '--out', shareFolder()],
    ...['--passphrase-file', passphrase, ...more],
  );
const sharesOf = (files: readonly string[]) => files.flatMap((file) => ['--share', file]);

describe('backup and restore', () => {
  test('a key comes back from three of five shares under another pass phrase, and no share tells it', async () => {
    const { code, files, backup } = await backUp();
    expect([code, files.length]).toEqual([0, 5]);
    expect((await readdir(shareFolder())).every((name) => name.startsWith(`share-${backup}-`))).toBe(true);
    const three = sharesOf([files[4], files[0], files[2]]);
    expect(await runJson('key', 'restore', ...three, '--dry-run')).toMatchObject({ code: 0, name: address });
    const out = join(folder, 'restored.json');
    const other = join(folder, 'other');
    await writeFile(other, 'second\n');
    expect(
      await runJson('key', 'restore', ...three, '--out', out, '--passphrase-file', other, '--light'),
    ).toMatchObject({ code: 0, name: address });
    expect(await runJson('key', 'inspect', out, '--verify', '--passphrase-file', other)).toMatchObject({
      code: 0,
      address,
    });
  });

  test('too few, altered, foreign or unreadable shares restore nothing, exit code 5', async () => {
    const { files } = await backUp();
    const out = join(folder, 'restored.json');
    const restore = (...shares: string[]) =>
      runJson(
        'key',
        'restore',
        ...sharesOf(shares),
        '--out',
        out,
        '--passphrase-file',
        passphrase,
        '--light',
      );
    expect(await restore(files[0], files[1])).toMatchObject({ code: 5, error: { code: 'BAD_SHARE' } });
    const text = await readFile(files[0], 'utf8');
    await writeFile(files[0], text.replace(/point: \d+/, `point: ${text.includes('point: 9\n') ? 8 : 9}`));
    expect(await restore(files[0], files[1], files[2])).toMatchObject({
      code: 5,
      error: { code: 'BAD_SHARE' },
    });
    await writeFile(files[0], text.slice(0, 120));
    expect(await restore(files[0], files[1], files[2])).toMatchObject({
      code: 5,
      error: { code: 'BAD_SHARE', message: expect.stringContaining(files[0]) },
    });
    expect(await restore(join(folder, 'none'))).toMatchObject({ code: 3, error: { code: 'UNREADABLE' } });
    expect(await runJson('key', 'restore', ...sharesOf(files))).toMatchObject({ code: 2 });
    expect(await readdir(folder)).not.toContain('restored.json');
  });

  test('a restore never overwrites, a wrong pass phrase or number of shares writes no share', async () => {
    const { files } = await backUp();
    expect(
      await runJson(
        ...['key', 'restore', ...sharesOf(files), '--out', key, '--passphrase-file', passphrase, '--light'],
      ),
    ).toMatchObject({ code: 3, error: { code: 'EXISTS' } });
    await rm(shareFolder(), { recursive: true });
    await mkdir(shareFolder());
    await writeFile(passphrase, 'wrong\n');
    expect(await backUp()).toMatchObject({ code: 6, error: { code: 'WRONG_PASSPHRASE' } });
    expect(
      await runJson(
        ...['key', 'backup', key, '--shares', '2', '--threshold', '3', '--out', shareFolder()],
        ...['--passphrase-file', passphrase],
      ),
    ).toMatchObject({ code: 5, error: { code: 'BAD_SHARE' } });
    expect(await readdir(shareFolder())).toEqual([]);
  });

  test('a key in a token is not backed up this way', async () => {
    await writeFile(
      key,
      JSON.stringify({ format: 'causeway-pkcs11-key-1', module: '/x', token: 'a', label: 'b', address }),
    );
    expect(await backUp()).toMatchObject({ code: 3, error: { code: 'UNSUPPORTED' } });
  });
});

describe('key passphrase', () => {
  const change = (newFile: string) =>
    runJson(
      ...[
        'key',
        'passphrase',
        key,
        '--passphrase-file',
        passphrase,
        '--new-passphrase-file',
        newFile,
        '--light',
      ],
    );
  const opens = async (file: string): Promise<number> =>
    (await runJson('key', 'inspect', key, '--verify', '--passphrase-file', file)).code;

  test('the same key opens with the new pass phrase and no longer with the old one', async () => {
    const other = join(folder, 'other');
    await writeFile(other, 'second\n');
    expect(await change(other)).toMatchObject({ code: 0, address });
    expect([await opens(other), await opens(passphrase)]).toEqual([0, 6]);
    expect(await readdir(join(folder, 'keys'))).toEqual(['governance.json']);
  });

  test('a wrong or missing pass phrase changes nothing', async () => {
    const before = await readFile(key, 'utf8');
    const right = join(folder, 'right');
    await writeFile(right, 'first\n');
    await writeFile(passphrase, 'wrong\n');
    expect(await change(right)).toMatchObject({ code: 6, error: { code: 'WRONG_PASSPHRASE' } });
    await writeFile(passphrase, 'first\n');
    expect(await change(join(folder, 'none'))).toMatchObject({ code: 3, error: { code: 'NO_PASSPHRASE' } });
    await writeFile(right, '\n');
    expect(await change(right)).toMatchObject({ code: 3, error: { code: 'NO_PASSPHRASE' } });
    expect(await readFile(key, 'utf8')).toBe(before);
  });
});

test('key list names keystores, keys in tokens and files that are none, and opens nothing', async () => {
  const keys = join(folder, 'keys');
  await writeFile(
    join(keys, 'token.json'),
    JSON.stringify({ format: 'causeway-pkcs11-key-1', module: '/x', token: 'acme', label: 'b', address }),
  );
  await writeFile(join(keys, 'torn.json'), '{');
  await writeFile(join(keys, 'signed-0123-enrolment.json'), '{}');
  expect(await runJson('key', 'list', keys)).toMatchObject({
    code: 0,
    keys: [
      { file: 'governance.json', name: address, custody: 'keystore' },
      { file: 'token.json', name: address, custody: 'token acme' },
      { file: 'torn.json', name: null, custody: 'no key file (BAD_JSON)' },
    ],
  });
  expect((await runCommand('key', 'list', keys)).stdout).toContain(address);
  expect(await runJson('key', 'list', join(folder, 'none'))).toMatchObject({ code: 3 });
});
