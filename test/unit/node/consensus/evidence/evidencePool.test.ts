import { parseHash } from '#consensus/primitives.ts';
import {
  DEFAULT_EVIDENCE_OPTIONS,
  EvidencePool,
  type EvidencePoolOptions,
} from '#node/consensus/evidence/evidencePool.ts';
import { EvidenceStore } from '#node/consensus/evidence/evidenceStore.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { hashOf, KEYS } from '#test/sim/cluster/samples.ts';
import { TearingDisk } from '#test/sim/cluster/tearingDisk.ts';
import {
  FORGED,
  NEWCOMER,
  recordingLogger,
  setOf,
  Timeline,
  twoCommits,
  twoProposals,
  twoVotes,
} from '#test/unit/node/consensus/evidence/support.ts';

const setUp = (timeline = new Timeline(10n), options: Partial<EvidencePoolOptions> = {}) => {
  const { logger, lines } = recordingLogger();
  const pool = new EvidencePool(
    { ...DEFAULT_EVIDENCE_OPTIONS, domain: DOMAIN, ...options },
    { chain: timeline.chain(), logger },
  );
  return { pool, timeline, lines };
};

const statusOf = async (pool: EvidencePool, item: Parameters<EvidencePool['add']>[0]): Promise<string> => {
  const verdict = await pool.add(item);
  return verdict.status === 'invalid' ? `invalid ${verdict.code}` : verdict.status;
};

test('what proves nothing is refused: a forged signature, one message twice, a stranger, another chain', async () => {
  const { pool } = setUp();
  const item = twoVotes();
  const forged = { ...item, second: { ...item.second, signature: FORGED } } as typeof item;
  expect(await statusOf(pool, forged)).toBe('invalid BAD_SIGNATURE');
  expect(await statusOf(pool, twoVotes({ values: [hashOf(1), hashOf(1)] }))).toBe('invalid SAME_MESSAGE');
  expect(await statusOf(pool, twoVotes({ key: NEWCOMER }))).toBe('invalid NOT_A_MEMBER');
  const domain = { ...DOMAIN, genesisHash: parseHash(`0x${'cd'.repeat(32)}`) };
  expect(await statusOf(pool, twoVotes({ domain }))).toBe('invalid BAD_SIGNATURE');
  expect(await statusOf(pool, twoVotes({ domain: { ...DOMAIN, chainId: 1n } }))).toBe(
    'invalid BAD_SIGNATURE',
  );
  expect(await statusOf(pool, twoVotes({ height: 0n }))).toBe('invalid OUT_OF_RANGE');
  const commits = twoCommits();
  const half = { ...commits.second, signatures: commits.second.signatures.slice(1) };
  expect(await statusOf(pool, { ...commits, second: half })).toBe('invalid BAD_CERTIFICATE');
  expect(pool.list()).toEqual([]);
});

test('evidence of a height that is not here yet waits, of the current one it does not', async () => {
  const { pool } = setUp();
  expect(await statusOf(pool, twoVotes({ height: 12n }))).toBe('ahead');
  expect(await statusOf(pool, twoVotes({ height: 11n }))).toBe('added');
});

test('evidence is judged by the set of its own height, on both sides of an epoch’s end', async () => {
  const change = {
    from: 8n,
    set: setOf([...KEYS.slice(1), NEWCOMER].sort((a, b) => (a.address < b.address ? -1 : 1))),
  };
  const { pool } = setUp(new Timeline(10n, change));
  expect(await statusOf(pool, twoVotes({ height: 7n }))).toBe('added');
  expect(await statusOf(pool, twoVotes({ height: 8n }))).toBe('invalid NOT_A_MEMBER');
  expect(await statusOf(pool, twoVotes({ height: 7n, key: NEWCOMER }))).toBe('invalid NOT_A_MEMBER');
  expect(await statusOf(pool, twoVotes({ height: 8n, key: NEWCOMER }))).toBe('added');
});

test('one conflict is kept once, whatever the order, the hints and a third vote', async () => {
  const { pool, lines } = setUp();
  const item = twoVotes();
  expect(await statusOf(pool, item)).toBe('added');
  const swapped = { ...item, first: item.second, second: item.first } as typeof item;
  expect(await statusOf(pool, swapped)).toBe('known');
  expect(await statusOf(pool, twoVotes({ values: [hashOf(1), hashOf(9)] }))).toBe('known');
  expect(pool.size()).toBe(1);
  const other = setUp().pool;
  await other.add(swapped);
  expect(other.list()).toEqual(pool.list());
  const warnings = lines.filter(({ level }) => level === 'warn');
  expect(warnings).toHaveLength(1);
  expect(warnings[0]!.fields).toEqual({
    kind: 'duplicateVote',
    step: 'precommit',
    offender: KEYS[0]!.address,
    height: 5n,
    round: 0,
  });
});

test('a flood of 10,000 valid pieces fills its author’s own places, each kind apart, and costs no signature beyond', async () => {
  const { pool } = setUp();
  // Beyond the bound signatures are not looked at: forged ones are refused as full, not as invalid.
  const counts = new Map<string, number>();
  for (let round = 0; round < 10_000; round++) {
    const type = round % 2 === 0 ? ('prevote' as const) : ('precommit' as const);
    const status = await statusOf(pool, twoVotes({ type, round }));
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  expect(counts).toEqual(
    new Map([
      ['added', 16],
      ['full', 9_984],
    ]),
  );
  const item = twoVotes({ round: 20_000 });
  const forged = { ...item, second: { ...item.second, signature: FORGED } } as typeof item;
  expect(await statusOf(pool, forged)).toBe('full');
  expect(await statusOf(pool, twoProposals())).toBe('added');
  expect(await statusOf(pool, twoVotes({ key: KEYS[1]! }))).toBe('added');
  expect(await statusOf(pool, twoCommits())).toBe('added');
  expect(pool.fullSlots()).toHaveLength(2);
});

test('all offenders together are bounded', async () => {
  const { pool } = setUp(new Timeline(10n), { maxTotal: 3 });
  for (const key of KEYS) await pool.add(twoVotes({ key }));
  expect(pool.size()).toBe(3);
});

test('evidence goes when it is too old in heights and in time, and only then', async () => {
  const { pool, timeline } = setUp(new Timeline(10n), { maxAgeHeights: 100n, maxAgeSeconds: 50n });
  await pool.add(twoVotes({ height: 5n }));
  timeline.height = 105n; // 100 heights and 100 s old
  pool.expire();
  expect(pool.size()).toBe(1);
  timeline.height = 106n;
  pool.expire();
  expect(pool.size()).toBe(0);
  expect(await statusOf(pool, twoVotes({ height: 5n }))).toBe('expired');
  const slow = setUp(new Timeline(10n), { maxAgeHeights: 1n, maxAgeSeconds: 200n });
  await slow.pool.add(twoVotes({ height: 5n }));
  slow.timeline.height = 205n;
  slow.pool.expire();
  expect(slow.pool.size()).toBe(1);
  slow.timeline.height = 206n;
  slow.pool.expire();
  expect(slow.pool.size()).toBe(0);
});

test('places that expiry frees are taken again', async () => {
  const { pool, timeline } = setUp(new Timeline(10n), { maxAgeHeights: 10n, maxAgeSeconds: 10n });
  for (let round = 0; round < 9; round++) await pool.add(twoVotes({ round }));
  expect(pool.fullSlots()).toHaveLength(1);
  timeline.height = 100n;
  pool.expire();
  expect(await statusOf(pool, twoVotes({ height: 99n }))).toBe('added');
});

test('by default evidence outlives the seven days in which the L1 hears it', () => {
  expect(DEFAULT_EVIDENCE_OPTIONS.maxAgeSeconds).toBe(604_800n);
});

test('what was kept is there after a kill, verified again; what expired meanwhile leaves the file', async () => {
  const disk = new TearingDisk();
  const first = setUp();
  const opened = await EvidenceStore.open(disk, DOMAIN.genesisHash);
  await first.pool.restore(opened.store, opened.records);
  await first.pool.add(twoVotes());
  await first.pool.add(twoCommits(1, 6n));
  await first.pool.flushed();
  disk.crash();
  const again = await EvidenceStore.open(disk, DOMAIN.genesisHash);
  const second = setUp();
  await second.pool.restore(again.store, again.records);
  expect(second.pool.list()).toEqual(first.pool.list());
  expect(second.lines).toEqual([]);
  second.timeline.height = 1_000_000n;
  second.pool.expire();
  await second.pool.close();
  expect((await EvidenceStore.open(disk, DOMAIN.genesisHash)).records).toEqual([]);
});

test('a file with forged evidence convicts nobody', async () => {
  const disk = new TearingDisk();
  const { store } = await EvidenceStore.open(disk, DOMAIN.genesisHash);
  const item = twoVotes();
  await store.append({
    item: { ...item, second: { ...item.second, signature: FORGED } } as typeof item,
    atSeconds: 1n,
  });
  const opened = await EvidenceStore.open(disk, DOMAIN.genesisHash);
  const { pool } = setUp();
  await pool.restore(opened.store, opened.records);
  expect(opened.records).toHaveLength(1);
  expect(pool.list()).toEqual([]);
});

test('a disk that fails costs durability only, and says so', async () => {
  const disk = new TearingDisk();
  const { pool, lines } = setUp();
  const { store } = await EvidenceStore.open(disk, DOMAIN.genesisHash);
  await pool.restore(store, []);
  disk.failSync = true;
  expect(await statusOf(pool, twoVotes())).toBe('added');
  await pool.flushed();
  expect(lines.map(({ level }) => level)).toEqual(['warn', 'error']);
  disk.failSync = false;
  await pool.add(twoVotes({ round: 1 }));
  await pool.close();
  expect((await EvidenceStore.open(disk, DOMAIN.genesisHash)).records).toHaveLength(1);
});
