/**
 * Runs a program that knows nothing of us, and stops it when the process that asked for it is gone.
 *
 *   node tether.mjs <program> <arguments…>      with an IPC channel to the parent
 *
 * Tells the parent the program's pid, forwards SIGTERM, ends with the program's exit code.
 */
import { spawn } from 'node:child_process';

const [program, ...args] = process.argv.slice(2);
const KILL_AFTER_MS = 5_000;

const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
const stop = () => {
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS).unref();
};

child.on('spawn', () => process.send?.({ pid: child.pid }));
child.on('error', (error) => {
  process.stderr.write(`cannot start ${program}: ${error.message}\n`);
  process.exit(1);
});
child.on('exit', (code) => process.exit(code ?? 1));
process.on('disconnect', stop);
process.on('SIGTERM', stop);
process.on('SIGINT', () => {});
