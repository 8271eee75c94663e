import fc from 'fast-check';
import type { Input } from '#consensus/engine.ts';
import { NIL } from '#consensus/types.ts';
import { createWal, parseWal, WalError, walFileName } from '#node/consensus/wal.ts';
import { decodeWalRecord, encodeWalRecord, type WalRecord } from '#node/consensus/walRecords.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { hashOf, KEYS, PAYLOAD, SIGNATURE, signedProposal, signedVote } from '#test/sim/cluster/samples.ts';
import { TearingDisk } from '#test/sim/cluster/tearingDisk.ts';

const { genesisHash } = DOMAIN;
const HEIGHT = 5n;
const NAME = walFileName(HEIGHT);

const INPUTS: readonly Input[] = [
  { type: 'start' },
  { type: 'built', round: 0, payloadHash: hashOf(2) },
  {
    type: 'proposal',
    proposal: signedProposal({
      height: HEIGHT,
      round: 1,
      polRound: 0,
      payloadHash: hashOf(2),
      valueId: hashOf(3),
    }),
  },
  {
    type: 'vote',
    vote: signedVote({ type: 'prevote', height: HEIGHT, round: 0, valueId: hashOf(3) }, 1, hashOf(2)),
  },
  {
    type: 'certificate',
    certificate: {
      height: HEIGHT,
      round: 0,
      valueId: hashOf(3),
      signatures: KEYS.map(({ address }) => ({ validator: address, signature: SIGNATURE })),
    },
  },
  { type: 'derived', payloadHash: hashOf(2), value: { valid: true, valueId: hashOf(3) } },
  { type: 'derived', payloadHash: hashOf(4), value: { valid: false, reason: 'größer als 2 MiB' } },
  { type: 'judged', round: 0, payloadHash: hashOf(2), accepted: false, reason: 'too early' },
  { type: 'ownVote', vote: signedVote({ type: 'precommit', height: HEIGHT, round: 0, valueId: NIL }) },
  { type: 'timeout', timeout: { kind: 'precommit', height: HEIGHT, round: 7 } },
];
const RECORDS: readonly WalRecord[] = [
  ...INPUTS.map((input): WalRecord => ({ type: 'input', input })),
  { type: 'payload', payloadHash: hashOf(2), payload: PAYLOAD },
  {
    type: 'decision',
    payloadHash: hashOf(2),
    certificate: { height: HEIGHT, round: 0, valueId: hashOf(3), signatures: [] },
  },
];

/** Each record appended and synced on its own. */
const written = async (disk: TearingDisk, records: readonly WalRecord[] = RECORDS): Promise<void> => {
  const wal = createWal(disk, { genesisHash });
  await wal.begin(HEIGHT);
  for (const record of records) {
    wal.append(record);
    await wal.sync();
  }
  await wal.close();
};

const reopen = (disk: TearingDisk): Promise<readonly WalRecord[]> =>
  createWal(disk, { genesisHash }).begin(HEIGHT);

test('a damaged record with synced records behind it is corruption: refused with the remedy, nothing is cut', async () => {
  const disk = new TearingDisk();
  await written(disk);
  const bytes = disk.bytes(NAME);
  for (const at of [76, 106, 216]) {
    const damaged = bytes.slice();
    damaged[at]! ^= 0xff;
    disk.overwrite(NAME, damaged);
    await expect(reopen(disk)).rejects.toMatchObject({ code: 'WAL_CORRUPT' });
    await expect(reopen(disk)).rejects.toThrow(/does not vote.*wal repair/);
    expect(disk.bytes(NAME)).toEqual(damaged);
  }
});

test('a broken header with synced records behind it is corruption', async () => {
  const disk = new TearingDisk();
  await written(disk);
  const damaged = disk.bytes(NAME);
  damaged[3]! ^= 1;
  disk.overwrite(NAME, damaged);
  await expect(reopen(disk)).rejects.toMatchObject({ code: 'WAL_CORRUPT' });
});

test('the log of another chain is refused', async () => {
  const disk = new TearingDisk();
  await written(disk);
  const other = createWal(disk, { genesisHash: hashOf(0xee) });
  await expect(other.begin(HEIGHT)).rejects.toMatchObject({ code: 'WAL_FOREIGN' });
});

test('a failed sync rejects, now and ever after', async () => {
  const disk = new TearingDisk();
  const wal = createWal(disk, { genesisHash });
  await wal.begin(HEIGHT);
  wal.append(RECORDS[0]!);
  disk.failSync = true;
  await expect(wal.sync()).rejects.toMatchObject({ code: 'WAL_IO' });
  disk.failSync = false;
  await expect(wal.sync()).rejects.toBeInstanceOf(WalError);
});

test('a torn tail of any length is cut off, and what was synced before it stays', async () => {
  const disk = new TearingDisk();
  await written(disk);
  const whole = disk.bytes(NAME);
  const ends = [...RECORDS.keys()].map((count) => {
    const partial = new TearingDisk();
    return written(partial, RECORDS.slice(0, count + 1)).then(() => partial.bytes(NAME).length);
  });
  const boundaries = await Promise.all(ends);
  const last = boundaries.at(-2)!;
  for (let length = last; length < whole.length; length += 7) {
    disk.overwrite(NAME, whole.slice(0, length));
    expect(await reopen(disk)).toEqual(RECORDS.slice(0, -1));
    expect(disk.bytes(NAME).length).toBe(last);
  }
});

test('writes that reached the disk out of order in an unsynced tail are a torn tail', async () => {
  const disk = new TearingDisk();
  const wal = createWal(disk, { genesisHash });
  await wal.begin(HEIGHT);
  wal.append(RECORDS[0]!);
  await wal.sync();
  const durable = disk.bytes(NAME).length;
  for (const record of RECORDS.slice(1)) wal.append(record);
  await wal.sync();
  const bytes = disk.bytes(NAME);
  bytes.fill(0, durable, durable + 40); // the first page of the batch is missing, later ones are there
  disk.overwrite(NAME, bytes);
  expect(await reopen(disk)).toEqual(RECORDS.slice(0, 1));
});

test('what is appended after a cut follows what stayed', async () => {
  const disk = new TearingDisk();
  await written(disk, RECORDS.slice(0, 3));
  disk.overwrite(NAME, disk.bytes(NAME).slice(0, -5));
  const wal = createWal(disk, { genesisHash });
  expect(await wal.begin(HEIGHT)).toEqual(RECORDS.slice(0, 2));
  wal.append(RECORDS[9]!);
  await wal.sync();
  expect(await reopen(disk)).toEqual([...RECORDS.slice(0, 2), RECORDS[9]]);
});

test('records not synced are lost in a crash, synced ones are not', async () => {
  const disk = new TearingDisk();
  const wal = createWal(disk, { genesisHash });
  await wal.begin(HEIGHT);
  wal.append(RECORDS[0]!);
  await wal.sync();
  wal.append(RECORDS[1]!);
  disk.crash();
  expect(await reopen(disk)).toEqual([RECORDS[0]]);
});

test('disk use is bounded: only the logs of this height and the one before are kept', async () => {
  const disk = new TearingDisk();
  const wal = createWal(disk, { genesisHash });
  for (let height = 1n; height <= 20n; height++) {
    await wal.begin(height);
    wal.append(RECORDS[0]!);
    await wal.sync();
  }
  expect(await disk.list()).toEqual([walFileName(19n), walFileName(20n)]);
});

test('any file at all parses or is a typed error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        parseWal(bytes, HEIGHT, genesisHash);
      } catch (error) {
        expect(error).toBeInstanceOf(WalError);
      }
    }),
    { numRuns: 500 },
  );
});

test('every record comes back as it was', async () => {
  for (const record of RECORDS) expect(decodeWalRecord(encodeWalRecord(record))).toEqual(record);
  const disk = new TearingDisk();
  await written(disk);
  expect(await reopen(disk)).toEqual(RECORDS);
});
