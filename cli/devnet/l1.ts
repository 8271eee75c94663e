/**
 * The devnet's L1: anvil from npm, with our miner instead of its own (miner.ts says why).
 *
 * Owns starting, resuming from the newest snapshot, and stopping. Does not own who is funded.
 */

import { rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MNEMONIC, USER_COUNT } from '#cli/devnet/accounts.ts';
import { type Child, startChild } from '#cli/devnet/child.ts';
import { openL1Store } from '#cli/devnet/l1Store.ts';
import { createMiner, type Miner } from '#cli/devnet/miner.ts';
import { HOST } from '#cli/devnet/ports.ts';
import { rpcRequest } from '#cli/devnet/rpc.ts';
import { CliError, EXIT } from '#cli/errors.ts';

export const L1_CHAIN_ID = 31_337n;
const START_TIMEOUT_MS = 30_000;
/** After a resume anvil knows the state of its newest block only: these make it the finalized one. */
const BLOCKS_AFTER_RESUME = 3;

/** The platform's own package holds the binary; the launcher beside it would be one more process to lose. */
const anvilPath = (): string => {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve(`@foundry-rs/anvil-${process.platform}-${arch}/package.json`);
    return join(dirname(manifest), 'bin', process.platform === 'win32' ? 'anvil.exe' : 'anvil');
  } catch (error) {
    throw new CliError(`expected anvil for ${process.platform}-${process.arch} in node_modules, found none`, {
      code: 'NO_ANVIL',
      exitCode: EXIT.config,
      hint: 'Run `npm install` again; @foundry-rs/anvil has builds for linux, darwin (x64, arm64) and win32 (x64).',
      cause: error,
    });
  }
};

export type DevnetL1 = {
  readonly url: string;
  readonly child: Child;
  readonly miner: Miner;
  readonly anvilPid: number;
  /** Null when this chain is new. */
  readonly resumedAt: bigint | null;
};

export type L1Options = {
  readonly folder: string;
  readonly port: number;
  readonly logPath: string;
  readonly signal: AbortSignal;
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const awaitAnswer = async (url: string, child: Child, signal: AbortSignal): Promise<void> => {
  let ended = false;
  void child.exited.then(() => {
    ended = true;
  });
  for (const end = performance.now() + START_TIMEOUT_MS; performance.now() < end; await pause(50)) {
    signal.throwIfAborted();
    if (ended) break;
    try {
      await rpcRequest(url, 'eth_chainId', [], 1_000);
      return;
    } catch {
      // not listening yet
    }
  }
  throw new CliError(
    `expected anvil to answer at ${url} within ${START_TIMEOUT_MS / 1_000} s, found silence`,
    {
      code: 'L1_SILENT',
      exitCode: EXIT.timeout,
      hint: `Its log says why: ${child.logPath}`,
    },
  );
};

/** @throws CliError NO_ANVIL, L1_SILENT */
export const startL1 = async ({ folder, port, logPath, signal }: L1Options): Promise<DevnetL1> => {
  const store = await openL1Store(folder);
  const snapshot = await store.load();
  const loadPath = join(folder, 'loading.json');
  if (snapshot !== null) await writeFile(loadPath, snapshot.state, { mode: 0o600 });
  const child = startChild(
    'L1',
    [
      process.execPath,
      fileURLToPath(new URL('./tether.mjs', import.meta.url)),
      anvilPath(),
      ...['--host', HOST, '--port', String(port), '--chain-id', String(L1_CHAIN_ID)],
      ...['--hardfork', 'osaka', '--slots-in-an-epoch', '1', '--no-mining', '--enable-tx-gas-limit'],
      ...['--mnemonic', MNEMONIC, '--accounts', String(USER_COUNT), '--balance', '10000'],
      ...['--cache-path', join(folder, 'cache'), '--quiet'],
      ...(snapshot === null ? [] : ['--load-state', loadPath]),
    ],
    logPath,
  );
  const url = `http://${HOST}:${port}`;
  try {
    await awaitAnswer(url, child, signal);
    const miner = createMiner(url, store);
    if (snapshot !== null) for (let i = 0; i < BLOCKS_AFTER_RESUME; i++) await miner.mine();
    const { pid } = (await child.message) as { pid: number };
    return { url, child, miner, anvilPid: pid, resumedAt: snapshot?.blockNumber ?? null };
  } catch (error) {
    await child.stop();
    throw error;
  } finally {
    await rm(loadPath, { force: true });
  }
};
