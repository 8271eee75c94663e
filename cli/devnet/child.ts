/**
 * One process of the devnet: started with a channel that closes when this process goes away, logged, stopped.
 *
 * The channel is what makes children stop when their parent was killed: `causeway node run` and tether.mjs end when
 * it closes. Children lead their own process group, so that Ctrl-C reaches this process alone, which stops them in
 * order.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { openBoundedLog } from '#cli/devnet/boundedLog.ts';

export type ChildExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type Child = {
  readonly name: string;
  readonly pid: number;
  readonly logPath: string;
  /** Resolves when it has ended, asked or not. */
  readonly exited: Promise<ChildExit>;
  /** The first message that the child sent over the channel. */
  readonly message: Promise<unknown>;
  /** SIGTERM, then SIGKILL after the bound. */
  stop(graceMs?: number): Promise<void>;
  wasAsked(): boolean;
};

const DEFAULT_GRACE_MS = 8_000;

const requestStop = async (
  child: ChildProcess,
  exited: Promise<ChildExit>,
  graceMs: number,
): Promise<void> => {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await exited;
  clearTimeout(timer);
};

export const startChild = (name: string, command: readonly string[], logPath: string): Child => {
  const [program, ...args] = command;
  const log = openBoundedLog(logPath);
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true });
  child.stdout?.on('data', log.write);
  child.stderr?.on('data', log.write);
  const exited = new Promise<ChildExit>((resolve) => {
    child.once('error', (error) => {
      log.write(Buffer.from(`cannot start ${program}: ${error.message}\n`));
      resolve({ code: 1, signal: null });
    });
    child.once('close', (code, signal) => {
      log.close();
      resolve({ code, signal });
    });
  });
  let asked = false;
  return {
    name,
    pid: child.pid ?? -1,
    logPath,
    exited,
    message: new Promise((resolve) => {
      child.once('message', resolve);
    }),
    stop: (graceMs = DEFAULT_GRACE_MS) => {
      asked = true;
      return requestStop(child, exited, graceMs);
    },
    wasAsked: () => asked,
  };
};
