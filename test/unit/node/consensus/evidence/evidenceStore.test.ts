import { parseHash } from '#consensus/primitives.ts';
import {
  DAMAGED_FILE,
  EVIDENCE_FILES,
  type EvidenceRecord,
  EvidenceStore,
} from '#node/consensus/evidence/evidenceStore.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { KEYS } from '#test/sim/cluster/samples.ts';
import { TearingDisk } from '#test/sim/cluster/tearingDisk.ts';
import { twoCommits, twoProposals, twoVotes } from '#test/unit/node/consensus/evidence/support.ts';

const RECORDS: readonly EvidenceRecord[] = [
  { item: twoVotes(), atSeconds: 7n },
  { item: twoProposals({ round: 3 }), atSeconds: 8n },
  { item: twoCommits(2), atSeconds: 0n },
];
const [FILE, OTHER_FILE] = EVIDENCE_FILES;

const filled = async (): Promise<TearingDisk> => {
  const disk = new TearingDisk();
  const { store } = await EvidenceStore.open(disk, DOMAIN.genesisHash);
  for (const record of RECORDS) await store.append(record);
  return disk;
};
const open = (disk: TearingDisk) => EvidenceStore.open(disk, DOMAIN.genesisHash);

test('a damaged record is set aside with its file, what is before it is kept, and appending goes on', async () => {
  const disk = await filled();
  const bytes = disk.bytes(FILE);
  bytes[bytes.length - 10]! ^= 0xff;
  disk.overwrite(FILE, bytes);
  const { store, records, damage } = await open(disk);
  expect(records).toEqual(RECORDS.slice(0, 2));
  expect(damage).toMatch(
    /expected "evidence-0.log" to be whole, found a record that does not check.*2 records were kept/,
  );
  expect(disk.bytes(DAMAGED_FILE)).toEqual(bytes);
  await store.append(RECORDS[2]!);
  const again = await open(disk);
  expect(again).toMatchObject({ records: RECORDS, damage: null });
});

test.each([
  ['nothing that is an evidence file', (bytes: Uint8Array) => bytes.fill(0x41)],
  ['an absurd length', (bytes: Uint8Array) => void bytes.fill(0xff, 40, 44)],
])('%s is set aside, and an empty file begins', async (_what, damageIt) => {
  const disk = await filled();
  const bytes = disk.bytes(FILE);
  damageIt(bytes);
  disk.overwrite(FILE, bytes);
  const { store, records, damage } = await open(disk);
  expect(records).toEqual([]);
  expect(damage).not.toBeNull();
  await store.append(RECORDS[0]!);
  expect((await open(disk)).records).toEqual([RECORDS[0]]);
});

test('the file of another chain is set aside', async () => {
  const disk = await filled();
  const { records, damage } = await EvidenceStore.open(disk, parseHash(`0x${'ee'.repeat(32)}`));
  expect(records).toEqual([]);
  expect(damage).toMatch(/belongs to the chain of genesis/);
});

test('a file cut at any byte opens without damage and with every whole record; appending goes on behind them', async () => {
  const whole = (await filled()).bytes(FILE);
  for (let size = 0; size < whole.length; size += 7) {
    const disk = new TearingDisk();
    disk.overwrite(FILE, whole.slice(0, size));
    const { store, records, damage } = await open(disk);
    expect(damage).toBeNull();
    expect(records).toEqual(RECORDS.slice(0, records.length));
    const next = { item: twoVotes({ key: KEYS[3]! }), atSeconds: 9n };
    await store.append(next);
    expect((await open(disk)).records).toEqual([...records, next]);
  }
});

test('what was appended survives a power cut', async () => {
  const disk = await filled();
  disk.crash();
  expect(await open(disk)).toMatchObject({ records: RECORDS, damage: null });
});

test('a power cut anywhere in a rewrite loses nothing that stays', async () => {
  const kept = RECORDS.slice(1);
  for (let sync = 0; sync < 3; sync++) {
    const disk = await filled();
    const { store } = await open(disk);
    // The cut comes when the new file is made (0), written (1), or whole and the old one not yet removed (2).
    const before = disk.bytes(FILE);
    await store.rewrite(kept);
    expect(disk.has(FILE)).toBe(false);
    const written = disk.bytes(OTHER_FILE);
    disk.overwrite(FILE, before);
    disk.overwrite(OTHER_FILE, written.slice(0, [0, 100, written.length][sync]));
    const { records, damage } = await open(disk);
    expect(damage).toBeNull();
    for (const record of kept) expect(records).toContainEqual(record);
    // The union is in one file from then on.
    const again = await open(disk);
    for (const record of kept) expect(again.records).toContainEqual(record);
    expect([disk.has(FILE), disk.has(OTHER_FILE)]).toEqual([true, false]);
  }
});
