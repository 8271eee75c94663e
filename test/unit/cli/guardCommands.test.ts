import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { voteDigest } from '#consensus/digests.ts';
import type { Hash } from '#consensus/primitives.ts';
import { NIL } from '#consensus/types.ts';
import { openFolderDisk } from '#node/consensus/disk.ts';
import { lockFolder } from '#node/consensus/folderLock.ts';
import { type GuardState, initialiseGuard, openGuard } from '#node/consensus/guard.ts';
import { voteToGuardState } from '#node/consensus/lookBack.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { hashOf, KEYS, signedVote } from '#test/sim/cluster/samples.ts';
import { runCommand as run, runJson } from '#test/unit/cli/runInProcess.ts';

const OWNER = { validator: KEYS[0]!.address, genesisHash: DOMAIN.genesisHash };
const stateOf = (
  height: bigint,
  round: number,
  type: 'prevote' | 'precommit',
  valueId: Hash,
  index = 0,
): GuardState => voteToGuardState(DOMAIN, signedVote({ type, height, round, valueId }, index));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-guard-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A data folder whose key has signed this. */
const dataWith = async (name: string, state: GuardState, owner = OWNER): Promise<string> => {
  const data = join(folder, name);
  const guard = await initialiseGuard(await openFolderDisk(join(data, 'consensus')), owner);
  await guard.raise(state);
  await guard.close();
  return data;
};
const stateIn = async (data: string): Promise<GuardState> => {
  const guard = (await openGuard(await openFolderDisk(join(data, 'consensus')), OWNER))!;
  await guard.close();
  return guard.state();
};
const refusalOf = async (data: string, height: bigint, round: number): Promise<string> => {
  const guard = (await openGuard(await openFolderDisk(join(data, 'consensus')), OWNER))!;
  const vote = { type: 'prevote', height, round, valueId: hashOf(0x77) } as const;
  const request = {
    height,
    round,
    step: vote.type,
    digest: voteDigest(DOMAIN, vote),
    valueId: vote.valueId,
    polkaRound: 99,
  };
  const outcome = await guard
    .release(request, async () => `0x${'11'.repeat(64)}1b` as never)
    .then(
      () => 'signed',
      (error: { code: string }) => error.code,
    );
  await guard.close();
  return outcome;
};

describe('what is refused changes nothing', () => {
  test('a folder on which a process runs: export, import, raise and repair say so and end with code 3', async () => {
    const data = await dataWith('data', stateOf(5n, 1, 'prevote', hashOf(7)));
    const out = join(folder, 'export.json');
    expect((await run('guard', 'export', '--data', data, '--out', out)).code).toBe(0);
    const lock = await lockFolder(data);
    try {
      for (const argv of [
        ['guard', 'export', '--data', data, '--out', join(folder, 'other.json')],
        ['guard', 'import', '--data', data, '--in', out],
        ['guard', 'raise', '--data', data, '--height', '9'],
        ['wal', 'repair', '--data', data, '--yes'],
      ])
        expect([argv[1], await runJson(...argv)]).toMatchObject([
          argv[1],
          { code: 3, error: { code: 'FOLDER_IN_USE' } },
        ]);
      expect((await run('guard', 'inspect', '--data', data)).code).toBe(0);
    } finally {
      await lock.release();
    }
    expect(await stateIn(data)).toEqual(stateOf(5n, 1, 'prevote', hashOf(7)));
  });

  test('the export of another validator or chain is refused by the guard, exit code 8', async () => {
    const data = await dataWith('data', stateOf(5n, 1, 'prevote', hashOf(7)));
    const others = [
      await dataWith('other', stateOf(9n, 0, 'prevote', NIL, 1), { ...OWNER, validator: KEYS[1]!.address }),
      await dataWith('chain', stateOf(9n, 0, 'prevote', NIL), { ...OWNER, genesisHash: hashOf(0xee) }),
    ];
    for (const [index, other] of others.entries()) {
      const out = join(folder, `${index}.json`);
      await run('guard', 'export', '--data', other, '--out', out);
      expect(await runJson('guard', 'import', '--data', data, '--in', out)).toMatchObject({
        code: 8,
        error: { code: 'GUARD_FOREIGN' },
      });
    }
    expect(await stateIn(data)).toEqual(stateOf(5n, 1, 'prevote', hashOf(7)));
  });

  test('a file that was changed, is not one, or forgets a lock is refused', async () => {
    const data = await dataWith('data', stateOf(1n, 0, 'prevote', NIL));
    const source = await dataWith('source', stateOf(9n, 2, 'precommit', hashOf(7)));
    const out = join(folder, 'export.json');
    await run('guard', 'export', '--data', source, '--out', out);
    const whole = await readFile(out, 'utf8');
    const json = JSON.parse(whole);
    const changed: readonly (readonly [string, string])[] = [
      ['no JSON', whole.slice(0, -9)],
      ['another format', JSON.stringify({ ...json, format: 'interchange' })],
      ['a later version', JSON.stringify({ ...json, version: 2 })],
      ['an unknown field', JSON.stringify({ ...json, also: 1 })],
      ['another digest', JSON.stringify({ ...json, newest: { ...json.newest, digest: hashOf(1) } })],
      ['no lock', JSON.stringify({ ...json, lock: null })],
      ['a lock of later', JSON.stringify({ ...json, newest: { ...json.newest, round: 1 } })],
      ['a key', JSON.stringify({ ...json, privateKey: hashOf(1) })],
      ['a huge file', ' '.repeat(20_000)],
    ];
    for (const [what, text] of changed) {
      await writeFile(out, text);
      expect([what, await runJson('guard', 'import', '--data', data, '--in', out)]).toMatchObject([
        what,
        { code: 3, error: { code: 'BAD_GUARD_EXCHANGE', message: expect.stringMatching(/expected.*found/) } },
      ]);
    }
    expect(await stateIn(data)).toEqual(stateOf(1n, 0, 'prevote', NIL));
    expect((await run('guard', 'import', '--data', data, '--in', join(folder, 'none'))).code).toBe(2);
  });

  test('two signatures for one step are reported as what they are, and nothing is changed', async () => {
    const data = await dataWith('data', stateOf(9n, 2, 'prevote', hashOf(7)));
    const source = await dataWith('source', stateOf(9n, 2, 'prevote', hashOf(8)));
    const out = join(folder, 'export.json');
    await run('guard', 'export', '--data', source, '--out', out);
    expect(await runJson('guard', 'import', '--data', data, '--in', out)).toMatchObject({
      code: 8,
      error: { code: 'GUARD_CONFLICT', message: expect.stringMatching(/signed twice/) },
    });
    expect(await stateIn(data)).toEqual(stateOf(9n, 2, 'prevote', hashOf(7)));
  });

  test('an export replaces no file, and a folder that is not there is not made', async () => {
    const data = await dataWith('data', stateOf(5n, 1, 'prevote', hashOf(7)));
    const out = join(folder, 'export.json');
    await writeFile(out, 'mine');
    expect(await runJson('guard', 'export', '--data', data, '--out', out)).toMatchObject({
      code: 2,
      error: { code: 'FILE_EXISTS' },
    });
    expect(await readFile(out, 'utf8')).toBe('mine');
    for (const argv of [
      ['guard', 'inspect'],
      ['guard', 'export', '--out', join(folder, 'x')],
      ['guard', 'raise', '--height', '5'],
      ['wal', 'inspect'],
      ['wal', 'repair', '--yes'],
    ])
      expect(await runJson(...argv, '--data', join(folder, 'nowhere'))).toMatchObject({
        code: 3,
        error: { code: 'NO_DATA_FOLDER' },
      });
    expect(await readdir(folder)).toEqual(['data', 'export.json']);
  });

  test('no guard, or one that is broken, ends with code 8 and the remedy', async () => {
    const data = join(folder, 'data');
    await mkdir(join(data, 'consensus'), { recursive: true });
    expect(await runJson('guard', 'inspect', '--data', data)).toMatchObject({
      code: 8,
      error: { code: 'NO_GUARD' },
    });
    expect(await runJson('guard', 'raise', '--data', data, '--height', '5')).toMatchObject({
      code: 8,
      error: { code: 'NO_GUARD', hint: expect.stringMatching(/--validator and --genesis-hash/) },
    });
    await writeFile(join(data, 'consensus', 'guard'), new Uint8Array(4_348));
    expect(await runJson('guard', 'inspect', '--data', data)).toMatchObject({
      code: 8,
      error: { code: 'GUARD_CORRUPT' },
    });
  });

  test('a raise by more than 100,000 heights needs --yes', async () => {
    const data = await dataWith('data', stateOf(5n, 1, 'prevote', hashOf(7)));
    expect(await runJson('guard', 'raise', '--data', data, '--height', '100006')).toMatchObject({
      code: 8,
      error: { code: 'GUARD_TOO_FAR', message: expect.stringMatching(/silent/) },
    });
    expect((await stateIn(data)).height).toBe(5n);
    expect((await run('guard', 'raise', '--data', data, '--height', '100006', '--yes')).code).toBe(0);
    expect((await stateIn(data)).height).toBe(100_006n);
  });
});

test('a key moves: exported, imported where nothing is, and nothing that it signed is signed again', async () => {
  const newest = stateOf(9n, 2, 'precommit', hashOf(7));
  const source = await dataWith('source', newest);
  const out = join(folder, 'export.json');
  expect(await runJson('guard', 'export', '--data', source, '--out', out)).toMatchObject({
    code: 0,
    ...OWNER,
  });
  expect(await readFile(out, 'utf8')).toMatch(/"format": "causeway-sign-guard",\n {2}"version": 1/);
  const target = join(folder, 'target');
  await mkdir(target);
  expect(await runJson('guard', 'import', '--data', target, '--in', out)).toMatchObject({
    code: 0,
    changed: true,
    created: true,
    lock: { round: 2, valueId: hashOf(7) },
  });
  expect(await stateIn(target)).toEqual(newest);
  expect(await refusalOf(target, 9n, 1)).toBe('GUARD_BACKWARD');
  expect(await refusalOf(target, 10n, 0)).toBe('signed');
});

test('an import only raises: an older file changes nothing, a newer height is taken over', async () => {
  const [older, newer] = [stateOf(4n, 0, 'prevote', NIL), stateOf(9n, 2, 'prevote', NIL)];
  const data = await dataWith('data', newer);
  const out = join(folder, 'older.json');
  await run('guard', 'export', '--data', await dataWith('a', older), '--out', out);
  expect(await runJson('guard', 'import', '--data', data, '--in', out)).toMatchObject({
    code: 0,
    changed: false,
  });
  expect(await stateIn(data)).toEqual(newer);
  const again = join(folder, 'newer.json');
  await run('guard', 'export', '--data', data, '--out', again);
  const behind = await dataWith('b', older);
  expect(await runJson('guard', 'import', '--data', behind, '--in', again)).toMatchObject({
    code: 0,
    changed: true,
  });
  expect(await stateIn(behind)).toEqual(newer);
});

test('two histories of one height: the higher step, the higher lock, and the height is closed', async () => {
  const data = await dataWith('data', stateOf(9n, 1, 'precommit', hashOf(7)));
  const out = join(folder, 'export.json');
  await run(
    'guard',
    'export',
    '--data',
    await dataWith('a', stateOf(9n, 3, 'prevote', hashOf(8))),
    '--out',
    out,
  );
  await run('guard', 'import', '--data', data, '--in', out);
  expect(await stateIn(data)).toEqual({
    ...stateOf(9n, 3, 'prevote', hashOf(8)),
    lock: { round: 1, valueId: hashOf(7) },
    learned: true,
  });
  expect(await refusalOf(data, 9n, 4)).toBe('GUARD_BACKWARD');
  expect(await refusalOf(data, 10n, 0)).toBe('signed');
});

test('raised to a height, the key signs nothing at or below it, restarts included, and the next one at once', async () => {
  const data = await dataWith('data', stateOf(9n, 1, 'precommit', hashOf(7)));
  expect(await runJson('guard', 'raise', '--data', data, '--height', '20')).toMatchObject({
    code: 0,
    changed: true,
    newest: { height: '20', signature: null },
    heightClosed: true,
  });
  for (const [height, round] of [
    [9n, 5],
    [20n, 0],
    [20n, 2_147_483_647],
  ] as const)
    expect(await refusalOf(data, height, round)).toMatch(/GUARD_(BACKWARD|CONFLICT)/);
  expect(await runJson('guard', 'raise', '--data', data, '--height', '15')).toMatchObject({
    code: 0,
    changed: false,
  });
  expect(await refusalOf(data, 21n, 0)).toBe('signed');
  expect(await runJson('guard', 'inspect', '--data', data)).toMatchObject({
    newest: { height: '21' },
    heightClosed: false,
  });
});

test('raised to its own height, the guard keeps its lock', async () => {
  const data = await dataWith('data', stateOf(9n, 1, 'precommit', hashOf(7)));
  await run('guard', 'raise', '--data', data, '--height', '9');
  expect(await stateIn(data)).toMatchObject({
    height: 9n,
    lock: { round: 1, valueId: hashOf(7) },
    learned: true,
  });
  expect(await refusalOf(data, 9n, 2)).toBe('GUARD_BACKWARD');
});

test('a lost guard is made anew above a height that the operator names', async () => {
  const data = join(folder, 'data');
  await mkdir(data);
  const owner = ['--validator', OWNER.validator, '--genesis-hash', OWNER.genesisHash];
  expect(await runJson('guard', 'raise', '--data', data, '--height', '500', ...owner)).toMatchObject({
    code: 0,
    created: true,
  });
  expect(await refusalOf(data, 500n, 7)).toBe('GUARD_BACKWARD');
  expect(await refusalOf(data, 501n, 0)).toBe('signed');
});

test('inspect names validator, step, value and lock, for people and for machines', async () => {
  const data = await dataWith('data', stateOf(9n, 1, 'precommit', hashOf(7)));
  const { stdout } = await run('guard', 'inspect', '--data', data);
  expect(stdout).toMatch(new RegExp(`validator +${OWNER.validator}`));
  expect(stdout).toMatch(new RegExp(`newest +precommit of height 9 round 1, for ${hashOf(7)}`));
  expect(stdout).toMatch(new RegExp(`lock +${hashOf(7)}, precommitted in round 1`));
  expect(await runJson('guard', 'inspect', '--data', data)).toMatchObject({
    code: 0,
    ...OWNER,
    newest: { height: '9', round: 1, step: 'precommit' },
    runningPid: null,
  });
});
