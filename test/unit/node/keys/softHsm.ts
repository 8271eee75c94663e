/**
 * A real PKCS#11 token for a test: Debian's softhsm2 in a folder of its own.
 *
 * SoftHSM reads its configuration from the environment of the process, which a test cannot change for itself: whatever
 * uses the token runs as a process of its own.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

const hasBinding = (): boolean => {
  try {
    createRequire(import.meta.url).resolve('pkcs11js');
    return true;
  } catch {
    return false;
  }
};

/** Null where softhsm2 or the optional package pkcs11js is not installed. */
export const SOFTHSM_MODULE: string | null =
  (hasBinding() ? MODULES.find((path) => existsSync(path)) : undefined) ?? null;

const MAIN = fileURLToPath(new URL('../../../../cli/main.ts', import.meta.url));

export type Finished = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export type SoftToken = {
  readonly root: string;
  readonly module: string;
  readonly label: string;
  readonly pinFile: string;
  readonly env: NodeJS.ProcessEnv;
  /** One `causeway` command as a process that sees the token, with --json. */
  causeway(
    ...args: string[]
  ): Promise<{ readonly code: number | null; readonly answer: Record<string, unknown> }>;
  script(path: URL, ...args: string[]): Promise<Finished>;
  /** As if it were pulled out. */
  pull(): Promise<void>;
  plugIn(): Promise<void>;
  remove(): Promise<void>;
};

const run = (program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Finished> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });

export const createSoftToken = async (label: string, pin: string): Promise<SoftToken> => {
  const root = await mkdtemp(join(tmpdir(), 'causeway-token-'));
  const tokens = join(root, 'tokens');
  const pinFile = join(root, 'pin');
  const configuration = join(root, 'softhsm2.conf');
  await mkdir(tokens);
  await writeFile(pinFile, `${pin}\n`, { mode: 0o600 });
  await writeFile(
    configuration,
    `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, SOFTHSM2_CONF: configuration, NO_COLOR: '1' };
  const made = await run(
    'softhsm2-util',
    ['--init-token', '--free', '--label', label, '--so-pin', `so${pin}`, '--pin', pin],
    env,
  );
  if (made.code !== 0) throw new Error(`softhsm2-util: ${made.stdout}${made.stderr}`);
  return {
    root,
    module: SOFTHSM_MODULE!,
    label,
    pinFile,
    env,
    causeway: async (...args) => {
      const { code, stdout, stderr } = await run(process.execPath, [MAIN, ...args, '--json'], env);
      const last = stdout.trim().split('\n').at(-1) ?? '';
      if (last === '') throw new Error(`causeway ${args.join(' ')}: code ${code}: ${stderr}`);
      return { code, answer: JSON.parse(last) };
    },
    script: (path, ...args) => run(process.execPath, [fileURLToPath(path), ...args], env),
    pull: () => rename(tokens, `${tokens}-away`),
    plugIn: () => rename(`${tokens}-away`, tokens),
    remove: () => rm(root, { recursive: true, force: true }),
  };
};
