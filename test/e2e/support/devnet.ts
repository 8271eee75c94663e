/**
 * A whole devnet for a test: the real `causeway devnet up` with its real processes, on free ports, in a folder of
 * its own, so that it runs beside `npm start`.
 *
 * Nothing here waits for a time: everything is awaited by what the processes say or answer, within a bound that
 * only a hang exceeds.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { devnetLayout, nodeFiles } from '#cli/devnet/layout.ts';
import { type DevnetPorts, devnetPorts, isPortFree, namedPorts } from '#cli/devnet/ports.ts';
import { nodeRecordPath } from '#cli/node/nodeProcess.ts';
import { readLiveRecord } from '#cli/processIdentity.ts';

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const MAIN = join(root, 'cli', 'main.ts');
const UP_BOUND_MS = 180_000;

export type Finished = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Runs one `causeway` command to its end. */
export const causeway = (
  args: readonly string[],
  options: { readonly boundMs?: number } = {},
): Promise<Finished> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const read = collect(child);
    const boundMs = options.boundMs ?? UP_BOUND_MS;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`causeway ${args.join(' ')} did not end within ${boundMs} ms:\n${read().stderr}`));
    }, boundMs);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, ...read() });
    });
  });

const collect = (child: ChildProcess): (() => { stdout: string; stderr: string }) => {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  return () => ({ stdout, stderr });
};

/** The first of a contiguous range that is free right now; below the range that the system hands out. */
export const freePortBase = async (): Promise<number> => {
  for (let attempt = 0; attempt < 200; attempt++) {
    const base = 12_000 + Math.floor(Math.random() * 19_000);
    const free = await Promise.all(namedPorts(devnetPorts(base)).map(([, port]) => isPortFree(port)));
    if (free.every(Boolean)) return base;
  }
  throw new Error('expected a free range of ports, found none in 200 tries');
};

/** Asks again until it is true; a bound that only a hang exceeds ends the test with what was last seen. */
export const eventually = async <T>(
  what: string,
  probe: () => Promise<T | null | false | undefined>,
  boundMs = 60_000,
): Promise<T> => {
  const end = Date.now() + boundMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await probe();
      if (found) return found;
      last = found;
    } catch (fault) {
      last = fault;
    }
    if (Date.now() > end) throw new Error(`expected ${what} within ${boundMs} ms, last saw: ${String(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

export const rpc = async <T>(url: string, method: string, params: readonly unknown[] = []): Promise<T> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(10_000),
  });
  const answer = (await response.json()) as { result?: T; error?: { code: number; message: string } };
  if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.code} ${answer.error.message}`);
  return answer.result as T;
};

export const heightOf = async (url: string): Promise<number> =>
  Number(await rpc<string>(url, 'eth_blockNumber'));

export type Devnet = {
  readonly data: string;
  readonly portBase: number;
  readonly ports: DevnetPorts;
  readonly l1Url: string;
  /** JSON-RPC of validators 1 to 4. */
  readonly urls: readonly string[];
  /** What `devnet up` has said so far. */
  said(): string;
  pidOf(name: string): Promise<number>;
  /** SIGKILL to one node; resolves when it is gone. */
  kill(name: string): Promise<void>;
  /** Starts one node by hand, as the printed table says. */
  restart(name: string): Promise<void>;
  /** SIGKILL to every process of the devnet at once, the driver and the L1 included. */
  killEverything(): Promise<void>;
  /** Ctrl-C; resolves with the exit code when every child is gone. */
  stop(): Promise<number | null>;
  /** Stops what is left and deletes the folder. */
  dispose(): Promise<void>;
};

export const VALIDATORS = ['validator-1', 'validator-2', 'validator-3', 'validator-4'] as const;
export const RELAYERS = ['relayer-1', 'relayer-2', 'relayer-3'] as const;

export const createDataFolder = (): string => mkdtempSync(join(tmpdir(), 'causeway-e2e-'));

/** Pids of every live process that was started with this data folder in its arguments, and the driver's children. */
export const processesOf = (data: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(data);
      } catch {
        return false; // ended meanwhile
      }
    })
    .map(Number);

const isGone = (pid: number): boolean => {
  try {
    return /^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
};

const killAndWait = async (pids: readonly number[]): Promise<void> => {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // ended meanwhile
    }
  }
  await eventually(`processes ${pids.join(', ')} gone`, async () => pids.every(isGone), 20_000);
};

export type StartOptions = {
  readonly data?: string;
  readonly portBase?: number;
  /** Resolve as soon as this text has been said; by default when everything is up. */
  readonly until?: string;
  readonly boundMs?: number;
};

/** Rejects when nothing came of it, and nothing of it runs any more then; its folder stays, for its logs. */

export const startDevnet = async (options: StartOptions = {}): Promise<Devnet> => {
  const data = options.data ?? createDataFolder();
  const portBase = options.portBase ?? (await freePortBase());
  const ports = devnetPorts(portBase);
  const layout = devnetLayout(data);
  const driver = spawn(
    process.execPath,
    [MAIN, 'devnet', 'up', '--data', data, '--port-base', String(portBase)],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const read = collect(driver);
  const exited = new Promise<number | null>((resolve) => driver.once('close', resolve));
  const byHand: ChildProcess[] = [];
  const said = (): string => read().stderr + read().stdout;

  const everyProcess = async (): Promise<number[]> => {
    const hasEnded = driver.exitCode !== null || driver.signalCode !== null;
    const anvil = await readLiveRecord(layout.anvilRecord);
    return [
      ...new Set([
        ...processesOf(data),
        ...(anvil === null ? [] : [anvil.pid]),
        ...(hasEnded ? [] : [driver.pid!]),
      ]),
    ];
  };
  const killEverything = async (): Promise<void> =>
    killAndWait((await everyProcess()).filter((pid) => !isGone(pid)));

  const wanted = options.until ?? 'Everything is up';
  const boundMs = options.boundMs ?? UP_BOUND_MS;
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(new Error(`devnet up in ${data} did not say "${wanted}" within ${boundMs} ms:\n${said()}`)),
        boundMs,
      );
      const look = (): void => {
        if (!said().includes(wanted)) return;
        clearTimeout(timer);
        resolve();
      };
      driver.stdout?.on('data', look);
      driver.stderr?.on('data', look);
      driver.once('close', (code) => {
        clearTimeout(timer);
        reject(new Error(`devnet up in ${data} ended with ${code}:\n${said()}`));
      });
    });
  } catch (error) {
    // the driver first: it may be about to start another
    if (driver.exitCode === null && driver.signalCode === null) await killAndWait([driver.pid!]);
    await killEverything();
    throw error;
  }

  const pidOf = async (name: string): Promise<number> => {
    const record = await readLiveRecord(nodeRecordPath(nodeFiles(layout, name).data));
    if (record === null) throw new Error(`expected ${name} to be running, found no process`);
    return record.pid;
  };
  return {
    data,
    portBase,
    ports,
    l1Url: `http://127.0.0.1:${ports.l1}`,
    urls: ports.validatorRpc.map((port) => `http://127.0.0.1:${port}`),
    said,
    pidOf,
    kill: async (name) => killAndWait([await pidOf(name)]),
    restart: async (name) => {
      const group = name.startsWith('relayer') ? 'relayer' : 'node';
      const child = spawn(
        process.execPath,
        [MAIN, group, 'run', '--config', nodeFiles(layout, name).config],
        {
          cwd: root,
          stdio: ['ignore', 'ignore', 'ignore'],
        },
      );
      byHand.push(child);
      await eventually(`${name} running`, async () =>
        readLiveRecord(nodeRecordPath(nodeFiles(layout, name).data)),
      );
    },
    killEverything,
    stop: async () => {
      driver.kill('SIGINT');
      const code = await exited;
      for (const child of byHand) child.kill('SIGTERM');
      return code;
    },
    dispose: async () => {
      await killEverything();
      rmSync(data, { recursive: true, force: true });
    },
  };
};
