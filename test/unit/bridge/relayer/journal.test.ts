import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openJournal } from '#bridge/relayer/journal.ts';
import { type RelayerEntry, replayRelayerJournal } from '#bridge/relayer/records.ts';

type Entry = { readonly n: number };
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-journal-'));
  path = join(folder, 'deep', 'a.journal');
});
afterEach(() => rm(folder, { recursive: true }));

const write = async (count: number): Promise<void> => {
  const journal = await openJournal<Entry>(path);
  for (let n = 0; n < count; n++) await journal.append({ n });
  await journal.close();
};
const read = async (): Promise<readonly Entry[]> => {
  const journal = await openJournal<Entry>(path);
  await journal.close();
  return journal.entries;
};

test('a record that was cut at any byte is dropped, and those before it stay', async () => {
  await write(2);
  const whole = await readFile(path);
  const firstLine = whole.indexOf(0x0a) + 1;
  for (let size = firstLine; size < whole.length; size++) {
    await writeFile(path, whole.subarray(0, size));
    expect(await read()).toEqual([{ n: 0 }]);
    expect((await stat(path)).size).toBe(firstLine);
  }
});

test('after a torn tail, appending goes on as if it had never been there', async () => {
  await write(2);
  await appendFile(path, 'deadbeef {"n":');
  const journal = await openJournal<Entry>(path);
  await journal.append({ n: 7 });
  await journal.close();
  expect(await read()).toEqual([{ n: 0 }, { n: 1 }, { n: 7 }]);
});

test('damage before the end refuses to open', async () => {
  await write(3);
  const bytes = await readFile(path);
  bytes[12] = bytes[12]! ^ 1;
  await writeFile(path, bytes);
  await expect(openJournal(path)).rejects.toMatchObject({
    code: 'DAMAGED',
    message: expect.stringMatching(/backup/),
  });
});

test('appends at the same time keep their order', async () => {
  const journal = await openJournal<Entry>(path);
  await Promise.all(Array.from({ length: 20 }, (_, n) => journal.append({ n })));
  await journal.close();
  expect((await read()).map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  await expect(journal.append({ n: 21 })).rejects.toMatchObject({ code: 'CLOSED' });
});

test('an empty file is an empty journal', async () => {
  await write(0);
  await truncate(path, 0);
  expect(await read()).toEqual([]);
});

const HASHES = [`0x${'11'.repeat(32)}`, `0x${'22'.repeat(32)}`] as never[];
const signature = `0x${'00'.repeat(65)}` as never;

test.each<RelayerEntry[]>([
  HASHES.map((hash) => ({ t: 'depositSigned', n: '5', hash, relayerEpoch: '1', signature })),
  HASHES.map((valueId) => ({ t: 'anchorSigned', height: '5', valueId, relayerEpoch: '1', signature })),
] as never)('a journal with two values for one key is damage (%#)', (...entries) => {
  expect(() => replayRelayerJournal(entries)).toThrow(expect.objectContaining({ code: 'DAMAGED' }));
});
