/** Every byte of a log is cut at, and every bit of it flipped: nothing ever comes back that was not written. */
import fc from 'fast-check';
import { concatBytes, toBigEndian } from '#consensus/primitives.ts';
import { crc32 } from '#node/consensus/crc32.ts';
import { createWal, parseWal, WAL_HEADER_BYTES, WalError, walFileName } from '#node/consensus/wal.ts';
import type { WalRecord } from '#node/consensus/walRecords.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { hashOf, PAYLOAD, signedVote } from '#test/sim/cluster/samples.ts';
import { TearingDisk } from '#test/sim/cluster/tearingDisk.ts';

const { genesisHash } = DOMAIN;
const HEIGHT = 5n;
const NAME = walFileName(HEIGHT);
const SALT = hashOf(0x5a);

const voteOf = (round: number): WalRecord => ({
  type: 'input',
  input: {
    type: 'vote',
    vote: signedVote({ type: 'prevote', height: HEIGHT, round, valueId: hashOf(3) }, 1),
  },
});
const POOL: readonly WalRecord[] = [
  { type: 'input', input: { type: 'start' } },
  voteOf(0),
  voteOf(1),
  { type: 'payload', payloadHash: hashOf(2), payload: PAYLOAD },
  { type: 'input', input: { type: 'timeout', timeout: { kind: 'propose', height: HEIGHT, round: 0 } } },
];

type Log = {
  readonly bytes: Uint8Array;
  readonly records: readonly WalRecord[];
  /** Where each record begins, and how far the file was synced when it was appended. */
  readonly starts: readonly number[];
  readonly durable: readonly number[];
};

/** Batches of records, each batch synced at once. */
const write = async (batches: readonly (readonly WalRecord[])[]): Promise<Log> => {
  const disk = new TearingDisk();
  const wal = createWal(disk, { genesisHash, salt: SALT });
  await wal.begin(HEIGHT);
  const starts: number[] = [];
  const durable: number[] = [];
  let synced = 0;
  for (const batch of batches) {
    for (const record of batch) {
      starts.push((synced === 0 ? WAL_HEADER_BYTES : synced) + wal.pendingBytes());
      durable.push(synced);
      wal.append(record);
    }
    await wal.sync();
    synced = disk.has(NAME) ? disk.bytes(NAME).length : 0;
  }
  await wal.close();
  const bytes = disk.bytes(NAME);
  return { bytes, records: batches.flat(), starts, durable };
};

/** What a reader must find once the record that begins at `starts[broken]` is damaged. */
const expectedAfter = ({ records, starts, durable }: Log, broken: number, damagedAt: number): unknown => {
  const start = damagedAt < WAL_HEADER_BYTES ? 0 : starts[broken]!;
  const isProven = durable.some((synced, index) => index > broken && synced > start);
  return isProven ? 'WAL_CORRUPT' : records.slice(0, damagedAt < WAL_HEADER_BYTES ? 0 : broken);
};

const read = (bytes: Uint8Array): unknown => {
  try {
    return parseWal(bytes, HEIGHT, genesisHash).records;
  } catch (error) {
    return (error as WalError).code;
  }
};

const recordAt = ({ starts }: Log, at: number): number =>
  at < WAL_HEADER_BYTES ? -1 : starts.findLastIndex((start) => start <= at);

const batchesOf = (...sizes: number[]): readonly (readonly WalRecord[])[] => {
  let next = 0;
  return sizes.map((size) => Array.from({ length: size }, () => POOL[next++ % POOL.length]!));
};

const LAYOUTS = [
  batchesOf(1, 1, 1, 1, 1),
  batchesOf(3, 2),
  batchesOf(5),
  batchesOf(1, 4),
  batchesOf(4, 1, 2),
];

const bigints = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);
/** Thousands of comparisons: the slow one, with its message, only when they differ. */
const expectSame = (at: number, found: unknown, expected: unknown): void => {
  if (JSON.stringify(found, bigints) !== JSON.stringify(expected, bigints))
    expect([at, found]).toEqual([at, expected]);
};

test('cut at any byte, a log gives the records before the cut, all of them and no other', async () => {
  for (const layout of LAYOUTS) {
    const log = await write(layout);
    const ends = [...log.starts.slice(1), log.bytes.length];
    for (let length = 0; length <= log.bytes.length; length++) {
      const whole = ends.filter((end) => end <= length).length;
      expectSame(length, read(log.bytes.slice(0, length)), log.records.slice(0, whole));
    }
  }
});

test('a bit flipped in any byte: corruption where a later sync covered it, else a torn tail, and never another record', async () => {
  for (const layout of LAYOUTS) {
    const log = await write(layout);
    for (let at = 0; at < log.bytes.length; at++) {
      const damaged = log.bytes.slice();
      damaged[at]! ^= 1 << ((at * 5) % 8);
      expectSame(at, read(damaged), expectedAfter(log, recordAt(log, at), at));
    }
  }
});

test('any damage to any log gives a prefix of it or a typed error', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
      fc.array(fc.record({ at: fc.nat(4_000), value: fc.integer({ min: 0, max: 255 }) }), { maxLength: 40 }),
      fc.nat(4_000),
      async (sizes, writes, cut) => {
        const log = await write(batchesOf(...sizes));
        const damaged = log.bytes.slice(0, Math.max(0, log.bytes.length - (cut % log.bytes.length)));
        for (const { at, value } of writes) if (at < damaged.length) damaged[at] = value;
        const found = read(damaged);
        if (typeof found === 'string') expect(found).toBe('WAL_CORRUPT');
        else expect(log.records.slice(0, (found as unknown[]).length)).toEqual(found);
      },
    ),
    { numRuns: 200 },
  );
});

/** What would pass for a synced record if the CRC were not salted: all that a sender of transactions can know. */
const forgedFrame = (durable: number): Uint8Array => {
  const body = Uint8Array.of(0xc2, 0x01, 0xc1);
  const prefix = concatBytes(toBigEndian(BigInt(body.length), 4), toBigEndian(BigInt(durable), 8));
  return concatBytes(prefix, toBigEndian(BigInt(crc32(concatBytes(prefix, body))), 4), body);
};

test('a transaction that looks like records does not turn a torn payload into corruption', async () => {
  const forged = concatBytes(...Array.from({ length: 64 }, (_, index) => forgedFrame(8 * index)));
  const payload = { ...PAYLOAD, transactions: [forged] };
  const log = await write([[voteOf(0)], [{ type: 'payload', payloadHash: hashOf(2), payload }]]);
  for (let length = log.starts[1]!; length < log.bytes.length; length++)
    expect(read(log.bytes.slice(0, length))).toEqual([voteOf(0)]);
});

test('a log of height 5 is refused under the name of another height, whole or cut', async () => {
  const log = await write(batchesOf(2, 1));
  for (const bytes of [log.bytes, log.bytes.slice(0, WAL_HEADER_BYTES)])
    expect(() => parseWal(bytes, 6n, genesisHash)).toThrow(WalError);
});
