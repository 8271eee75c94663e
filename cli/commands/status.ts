/** `causeway status`: is the chain committing, and if not, why not. */
import { defineCommand } from '#cli/command.ts';
import { dataOption } from '#cli/devnet/options.ts';
import { EXIT } from '#cli/errors.ts';
import { toJson } from '#cli/io.ts';
import { parsePath, parseUrl, repeatedOption, switchOption } from '#cli/options.ts';

const WATCH_EVERY_MS = 1_000;
const CLEAR_SCREEN = '\x1b[H\x1b[2J';

export const statusCommand = defineCommand({
  path: ['status'],
  summary: 'is the chain committing; if not, why not and who is missing',
  description:
    'Asks nodes why blocks come or do not: one sentence first, then height, round, step, newest vote and latency of each validator, whose votes are missing, and how many more failures the chain survives. Without --rpc or --config it asks the devnet’s validators. Exit code 0: committing; 10: not committing; 4: nobody answers.',
  examples: [
    'status',
    'status --watch',
    'status --rpc http://127.0.0.1:8545 --rpc http://127.0.0.1:8546 --json',
    'status --config validator-1/node.toml',
  ],
  options: {
    rpc: repeatedOption('--rpc <url>', 'JSON-RPC endpoint of a node; may be repeated', parseUrl),
    config: repeatedOption('--config <file>', 'a node’s configuration; may be repeated', parsePath),
    data: dataOption,
    watch: switchOption('--watch', 'look again every second until Ctrl-C'),
  },
  run: async ({ watch, ...options }, io) => {
    const { findEndpoints } = await import('#cli/status/endpoints.ts');
    const { lookAt } = await import('#cli/status/look.ts');
    const endpoints = await findEndpoints(options);
    let look = await lookAt(endpoints, io.styleOut);
    if (!watch) return look;
    for (;;) {
      if (io.json) io.out(toJson(look.data));
      else io.out(io.isTerminal ? `${CLEAR_SCREEN}${look.text}` : `${look.text}\n`);
      await pause(WATCH_EVERY_MS, io.signal);
      if (io.signal.aborted) return { exitCode: look.exitCode ?? EXIT.ok, isWritten: true };
      look = await lookAt(endpoints, io.styleOut);
    }
  },
});

/** Ends early, without a fault, when the command is interrupted. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
