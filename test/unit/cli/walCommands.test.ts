import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NIL, type Vote } from '#consensus/types.ts';
import { openFolderDisk } from '#node/consensus/disk.ts';
import { type GuardState, initialiseGuard, openGuard } from '#node/consensus/guard.ts';
import { voteToGuardState } from '#node/consensus/lookBack.ts';
import { createWal, parseWal, walFileName } from '#node/consensus/wal.ts';
import type { WalRecord } from '#node/consensus/walRecords.ts';
import { guardAfterRepair, planWalRepair } from '#node/consensus/walRepair.ts';
import { scanWal } from '#node/consensus/walScan.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { hashOf, KEYS, PAYLOAD, signedVote } from '#test/sim/cluster/samples.ts';
import { runCommand as run, runJson } from '#test/unit/cli/runInProcess.ts';

const { genesisHash } = DOMAIN;
const OWNER = { validator: KEYS[0]!.address, genesisHash };
const NAME = walFileName(5n);
const vote = (type: Vote['type'], round: number, valueId = hashOf(7)) =>
  signedVote({ type, height: 5n, round, valueId }, 0);
const own = (type: Vote['type'], round: number, valueId = hashOf(7)): WalRecord => ({
  type: 'input',
  input: { type: 'ownVote', vote: vote(type, round, valueId) },
});
const RECORDS: readonly WalRecord[] = [
  { type: 'input', input: { type: 'start' } },
  { type: 'payload', payloadHash: hashOf(2), payload: PAYLOAD },
  own('prevote', 0),
  own('precommit', 0),
  { type: 'input', input: { type: 'timeout', timeout: { kind: 'precommit', height: 5n, round: 0 } } },
  own('prevote', 1),
];

let folder: string;
let walPath: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-wal-'));
  walPath = join(folder, 'consensus', NAME);
  const disk = await openFolderDisk(join(folder, 'consensus'));
  const wal = createWal(disk, { genesisHash, salt: hashOf(0x5a) });
  await wal.begin(5n);
  for (const record of RECORDS) {
    wal.append(record);
    await wal.sync();
  }
  await wal.close();
  const guard = await initialiseGuard(disk, OWNER);
  await guard.raise(voteToGuardState(DOMAIN, vote('precommit', 0)));
  await guard.raise(voteToGuardState(DOMAIN, vote('prevote', 1)));
  await guard.close();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const guardState = async (): Promise<GuardState> => {
  const guard = (await openGuard(await openFolderDisk(join(folder, 'consensus')), OWNER))!;
  await guard.close();
  return guard.state();
};
const corrupt = async (): Promise<Uint8Array> => {
  const bytes = new Uint8Array(await readFile(walPath));
  bytes[scanWal(bytes).entries[2]!.at + 20]! ^= 0xff;
  await writeFile(walPath, bytes);
  return bytes;
};
const tear = async (): Promise<Uint8Array> => {
  const bytes = new Uint8Array(await readFile(walPath)).slice(0, -5);
  await writeFile(walPath, bytes);
  return bytes;
};

test('without --yes nothing is repaired: the plan is the message, exit code 2; a dry run says the same with code 0', async () => {
  const damaged = await corrupt();
  const before = await guardState();
  const refused = await runJson('wal', 'repair', '--data', folder);
  expect(refused).toMatchObject({ code: 2, error: { code: 'NOT_CONFIRMED', hint: 'Nothing was changed.' } });
  const { code, stdout } = await run('wal', 'repair', '--data', folder, '--dry-run', '--yes');
  expect(code).toBe(0);
  for (const line of stdout.split('\n').slice(0, 2)) expect(refused.error.message).toContain(line);
  expect(stdout).toMatch(/renamed to wal-0{19}5\.log\.corrupt-1, .*\nsign guard: closed up to height 5/);
  expect(new Uint8Array(await readFile(walPath))).toEqual(damaged);
  expect(await guardState()).toEqual(before);
});

test('a corrupt log is moved aside byte for byte, and its height is closed with the lock kept', async () => {
  const damaged = await corrupt();
  expect(await runJson('wal', 'repair', '--data', folder, '--yes')).toMatchObject({
    code: 0,
    applied: true,
    repairs: [{ action: 'moveAside', name: NAME, to: `${NAME}.corrupt-1`, height: '5', closesHeight: true }],
  });
  expect((await readdir(join(folder, 'consensus'))).sort()).toEqual(['guard', `${NAME}.corrupt-1`]);
  expect(new Uint8Array(await readFile(`${walPath}.corrupt-1`))).toEqual(damaged);
  expect(await guardState()).toMatchObject({
    height: 5n,
    learned: true,
    lock: { round: 0, valueId: hashOf(7) },
  });
  expect(await runJson('wal', 'repair', '--data', folder, '--yes')).toMatchObject({
    code: 0,
    applied: false,
  });
});

test('a second corruption of the same height gets a name of its own', async () => {
  const damaged = await corrupt();
  await run('wal', 'repair', '--data', folder, '--yes');
  await writeFile(walPath, damaged);
  await run('wal', 'repair', '--data', folder, '--yes');
  expect((await readdir(join(folder, 'consensus'))).sort()).toEqual([
    'guard',
    `${NAME}.corrupt-1`,
    `${NAME}.corrupt-2`,
  ]);
});

test('with --trust-guard the guard stays as it is, unless the log itself shows that it lost a signature', async () => {
  const before = await guardState();
  await corrupt();
  expect(await runJson('wal', 'repair', '--data', folder, '--yes', '--trust-guard')).toMatchObject({
    repairs: [{ closesHeight: false }],
  });
  expect(await guardState()).toEqual(before);
  const scan = scanWal(new Uint8Array(await readFile(`${walPath}.corrupt-1`)));
  const behind = { owner: OWNER, state: voteToGuardState(DOMAIN, vote('prevote', 0)) };
  const plan = planWalRepair(scan, {
    name: NAME,
    height: 5n,
    asideName: 'x',
    guard: behind,
    trustGuard: true,
  });
  expect(plan).toMatchObject({ closesHeight: true, lock: { round: 0, valueId: hashOf(7) } });
  if (plan.action === 'moveAside')
    expect(guardAfterRepair(behind.state, plan)).toMatchObject({
      height: 5n,
      learned: true,
      lock: { round: 0 },
    });
});

test('a guard above the log’s height needs no closing, and a missing one is said', async () => {
  const bytes = await corrupt();
  const scan = scanWal(bytes);
  const ahead = {
    owner: OWNER,
    state: voteToGuardState(DOMAIN, signedVote({ type: 'prevote', height: 6n, round: 0, valueId: NIL }, 0)),
  };
  const options = { name: NAME, height: 5n, asideName: 'x', trustGuard: false };
  expect(planWalRepair(scan, { ...options, guard: ahead })).toMatchObject({ closesHeight: false });
  await rm(join(folder, 'consensus', 'guard'));
  const { stdout } = await run('wal', 'repair', '--data', folder, '--yes');
  expect(stdout).toMatch(/no usable sign guard: the node will observe/);
});

test('a torn log is cut where its last whole record ends; the guard is not touched', async () => {
  const torn = await tear();
  const before = await guardState();
  expect(await runJson('wal', 'repair', '--data', folder, '--yes')).toMatchObject({
    applied: true,
    repairs: [{ action: 'truncate', name: NAME }],
  });
  const repaired = new Uint8Array(await readFile(walPath));
  expect(repaired).toEqual(torn.slice(0, repaired.length));
  expect(parseWal(repaired, 5n, genesisHash)).toEqual({
    records: RECORDS.slice(0, -1),
    endBytes: repaired.length,
  });
  expect(await guardState()).toEqual(before);
});

test('inspect prints each record with offset, size and meaning, and what was signed here', async () => {
  const { code, stdout } = await run('wal', 'inspect', '--data', folder);
  expect(code).toBe(0);
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(RECORDS.length + 2);
  expect(lines[0]).toMatch(/height 5, chain 0xabab.*6 records/);
  expect(lines[1]).toMatch(/^ +68 +\d+ +round 0 may begin$/);
  expect(lines[2]).toMatch(/payload 0x.* with all its bytes, \d+ transactions/);
  expect(lines[4]).toMatch(/SIGNED HERE: precommit, round 0, for 0x/);
  expect(lines[5]).toMatch(/timeout of precommit, round 0/);
  expect(lines.at(-1)).toBe('whole');
});

test('inspect says torn or corrupt and where, shows what is behind, and changes nothing', async () => {
  const torn = await tear();
  const at = scanWal(torn).entries.at(-1)!.end;
  expect(await runJson('wal', 'inspect', '--data', folder)).toMatchObject({
    code: 0,
    damage: { kind: 'torn', at },
    records: { length: 5 },
    behindDamage: [],
  });
  const bytes = await corrupt();
  await utimes(walPath, 1, 1);
  const found = await runJson('wal', 'inspect', '--data', folder, '--height', '5');
  expect(found).toMatchObject({
    damage: { kind: 'corrupt', at: scanWal(bytes).entries[1]!.end },
    records: { length: 2 },
    behindDamage: [
      { meaning: expect.stringMatching(/precommit/) },
      { meaning: expect.stringMatching(/timeout/) },
    ],
  });
  expect((await run('wal', 'inspect', '--data', folder)).stdout).toMatch(/CORRUPT at byte \d+ of \d+/);
  expect((await stat(walPath)).mtimeMs).toBe(1_000);
  expect(new Uint8Array(await readFile(walPath))).toEqual(bytes);
});

test('a height without a log is refused with the heights that have one', async () => {
  expect(await runJson('wal', 'inspect', '--data', folder, '--height', '9')).toMatchObject({
    code: 2,
    error: { code: 'NO_WAL', hint: expect.stringMatching(/heights 5/) },
  });
});

test('a scan and what a node reads agree on every cut and on damage at every byte', async () => {
  const whole = new Uint8Array(await readFile(walPath));
  const asNode = (bytes: Uint8Array): string => {
    try {
      const { records, endBytes } = parseWal(bytes, 5n, genesisHash);
      return `${records.length} ${endBytes === bytes.length ? 'whole' : 'torn'}`;
    } catch {
      return 'corrupt';
    }
  };
  const asScan = (bytes: Uint8Array): string => {
    const { entries, damage } = scanWal(bytes);
    return damage?.kind === 'corrupt' ? 'corrupt' : `${entries.length} ${damage?.kind ?? 'whole'}`;
  };
  for (let at = 0; at < whole.length; at++) {
    const flipped = whole.slice();
    flipped[at]! ^= 1 << (at % 8);
    for (const bytes of [flipped, whole.slice(0, at)])
      if (asNode(bytes) !== asScan(bytes)) expect([at, asScan(bytes)]).toEqual([at, asNode(bytes)]);
  }
});
