/**
 * Which process is meant: a pid alone is not enough, because the system gives it out again.
 *
 * Owns the pair (pid, start time) and the files that hold it. Invariant: nothing is ever signalled unless the live
 * process has the start time that was written down.
 */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import { replaceFileDurably } from '#node/keys/durableFile.ts';

const run = promisify(execFile);

export type ProcessIdentity = { readonly pid: number; readonly startTime: string };

/** Text of /proc/<pid>/stat. The name in parentheses may hold spaces and parentheses; field 22 is the start time. */
export const parseProcStat = (
  stat: string,
): { readonly startTicks: string; readonly state: string } | null => {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startTicks = fields[19];
  return state === undefined || startTicks === undefined ? null : { startTicks, state };
};

let bootId: string | undefined;

/** Unique for a pid until the machine restarts and after: null when there is no such live process. */
export const startTimeOf = async (pid: number): Promise<string | null> => {
  if (!Number.isInteger(pid) || pid <= 0) return null;
  if (process.platform === 'linux') {
    try {
      bootId ??= (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
      const stat = parseProcStat(await readFile(`/proc/${pid}/stat`, 'utf8'));
      return stat === null || stat.state === 'Z' || stat.state === 'X'
        ? null
        : `${bootId}:${stat.startTicks}`;
    } catch {
      return null;
    }
  }
  try {
    const { stdout } = await run('ps', ['-o', 'lstart=', '-p', String(pid)], {
      env: { ...process.env, LC_ALL: 'C' },
    });
    return stdout.trim() === '' ? null : stdout.trim();
  } catch {
    return null;
  }
};

export const identifyProcess = async (pid: number): Promise<ProcessIdentity | null> => {
  const startTime = await startTimeOf(pid);
  return startTime === null ? null : { pid, startTime };
};

export const isAlive = async ({ pid, startTime }: ProcessIdentity): Promise<boolean> =>
  (await startTimeOf(pid)) === startTime;

const recordSchema = z.object({
  name: z.string(),
  pid: z.int().positive(),
  startTime: z.string(),
  /** True if another process started it and stops it. */
  managed: z.boolean(),
});
export type ProcessRecord = z.infer<typeof recordSchema>;

/** Null when the file is missing, torn, or its process is gone: a stale record means nothing. */
export const readLiveRecord = async (path: string): Promise<ProcessRecord | null> => {
  try {
    const record = recordSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    return (await isAlive(record)) ? record : null;
  } catch {
    return null;
  }
};

export const writeRecord = async (
  path: string,
  name: string,
  pid: number,
  managed: boolean,
): Promise<ProcessRecord | null> => {
  const identity = await identifyProcess(pid);
  if (identity === null) return null;
  const record = { name, ...identity, managed };
  await replaceFileDurably(path, `${JSON.stringify(record)}\n`);
  return record;
};

export const removeRecord = (path: string): Promise<void> => rm(path, { force: true });

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** @returns true once it is gone */
export const awaitExit = async (identity: ProcessIdentity, timeoutMs: number): Promise<boolean> => {
  for (const end = performance.now() + timeoutMs; performance.now() < end; await pause(100))
    if (!(await isAlive(identity))) return true;
  return !(await isAlive(identity));
};

/** SIGTERM, and SIGKILL when that is not heeded in time; checked against the start time before each. */
export const stopProcess = async (identity: ProcessIdentity, graceMs = 10_000): Promise<void> => {
  for (const [signal, waitMs] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', 5_000],
  ] as const) {
    if (!(await isAlive(identity))) return;
    try {
      process.kill(identity.pid, signal);
    } catch {
      return; // gone in between
    }
    if (await awaitExit(identity, waitMs)) return;
  }
};
