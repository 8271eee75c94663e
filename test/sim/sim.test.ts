/**
 * The simulator's own promises, a bounded exploration, and every plan that ever failed.
 *
 * Runs are processes of their own: the hooks that put the keyed hash in place work before anything is loaded, and the
 * same hash from two processes is what determinism means.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Hash } from '#consensus/primitives.ts';
import type { KeptFailure } from './failures.ts';
import { privateKeyToAddress, recoverAddress, signDigest } from './keyedHash.ts';

/** A machine that does other things as well is no failure. */
const PATIENCE_MS = 900_000;

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const KEPT = fileURLToPath(new URL('./failures', import.meta.url));

/** The first seed of the bounded exploration; `SIM_FIRST_SEED` and `SIM_RUNS` try others. */
const FIRST_SEED = process.env.SIM_FIRST_SEED ?? '1';
const RUNS = process.env.SIM_RUNS ?? '40';

type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

const sim = (...args: readonly string[]): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });

const withFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-sim-'));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

test(
  'options that mean nothing end with 2 and say what was expected',
  async () => {
    const { code, err } = await sim('--seed', 'many');
    expect(code).toBe(2);
    expect(err).toMatch(/--seed: expected a whole number .*, found "many"/);
  },
  PATIENCE_MS,
);

test(
  '44 · with a third of the power Byzantine the checker finds a fork, and its plan shrinks to one that still forks',
  async () => {
    await withFolder(async (folder) => {
      const found = await sim('--too-many', '--runs', '40', '--validators', '4', '--heights', '6', '--json');
      expect(found.code).toBe(0);
      const { failures } = JSON.parse(found.out.trim().split('\n').at(-1)!);
      expect(failures[0]).toMatchObject({ code: 'FORK' });
      const seed = String(failures[0].seed);
      const options = ['--too-many', '--seed', seed, '--validators', '4', '--heights', '6'];
      const kept = await sim(...options, '--shrink', '--failures', folder);
      expect(kept.err).toMatch(/kept in .*fork-/);
      const file = join(folder, readdirSync(folder)[0]!);
      const failure = JSON.parse(readFileSync(file, 'utf8')) as KeptFailure;
      const whole = (await sim(...options, '--show-plan')).out;
      expect(JSON.stringify(failure.plan).length).toBeLessThan(JSON.stringify(JSON.parse(whole).plan).length);
      expect(failure.trace.at(-1)).toMatch(/violation FORK/);
      const replayed = await sim('--plan', file, '--json');
      expect(replayed.code).toBe(1);
      expect(JSON.parse(replayed.out)).toMatchObject({
        hash: failure.found.hash,
        violation: { code: 'FORK' },
      });
    });
  },
  PATIENCE_MS,
);

test(
  'one seed gives one hash, in another process and beside one that keeps a core busy',
  async () => {
    let busy: ChildProcess | null = null;
    try {
      const alone = JSON.parse((await sim('--seed', '12', '--json')).out);
      busy = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
      const [again, other] = await Promise.all([
        sim('--seed', '12', '--json'),
        sim('--seed', '13', '--json'),
      ]);
      expect(JSON.parse(again.out)).toEqual(alone);
      expect(JSON.parse(other.out).hash).not.toBe(alone.hash);
    } finally {
      busy?.kill('SIGKILL');
    }
  },
  PATIENCE_MS,
);

test(
  'a run with secp256k1 holds as those with the keyed hash do',
  async () => {
    const { code, out } = await sim('--seed', '50', '--json');
    expect(JSON.parse(out)).toMatchObject({ violation: null });
    expect(code).toBe(0);
  },
  PATIENCE_MS,
);

test(
  'a keyed hash is recovered from its own digest only, and made by nobody without the key',
  () => {
    const [first, second] = [1, 2].map((byte) => new Uint8Array(32).fill(byte)) as [Uint8Array, Uint8Array];
    const address = privateKeyToAddress(first);
    const other = privateKeyToAddress(second);
    const digest = `0x${'ab'.repeat(32)}` as Hash;
    const signature = signDigest(digest, first);
    expect(recoverAddress(digest, signature)).toBe(address);
    expect(recoverAddress(`0x${'ac'.repeat(32)}` as Hash, signature)).toBe(null);
    const renamed = signature.replace(address.slice(2), other.slice(2)) as typeof signature;
    expect(recoverAddress(digest, renamed)).toBe(null);
    expect(recoverAddress(digest, `${signature.slice(0, -2)}1c` as typeof signature)).toBe(null);
  },
  PATIENCE_MS,
);

test(
  'seeds are explored without a violation, and meet what they are for',
  async () => {
    await withFolder(async (folder) => {
      process.stdout.write(
        `explores ${RUNS} seeds from ${FIRST_SEED}; replay one: npm run sim -- --seed N\n`,
      );
      const { out, err } = await sim(
        '--first-seed',
        FIRST_SEED,
        '--runs',
        RUNS,
        '--failures',
        folder,
        '--json',
      );
      const totals = JSON.parse(out.trim().split('\n').at(-1)!);
      if (totals.failures.length > 0) throw new Error(err);
      expect(totals.runs).toBe(Number(RUNS));
      expect(totals.heights).toBeGreaterThanOrEqual(20 * totals.runs);
      expect(totals.crashes).toBeGreaterThan(0);
      expect(totals.byzantineRuns).toBeGreaterThan(0);
    });
  },
  PATIENCE_MS,
);

test.each(readdirSync(KEPT).filter((name) => name.endsWith('.json')))(
  'the kept plan %s holds',
  async (name) => {
    const { code, out } = await sim('--plan', join(KEPT, name));
    process.stdout.write(out);
    expect(code).toBe(0);
  },
  PATIENCE_MS,
);
