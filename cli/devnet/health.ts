/** Waiting until every node of the devnet answers and the chain has begun, or saying why one does not. */
import { readFile } from 'node:fs/promises';
import type { Child } from '#cli/devnet/child.ts';
import { type DevnetPorts, HOST } from '#cli/devnet/ports.ts';
import { rpcRequest } from '#cli/devnet/rpc.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';

const START_TIMEOUT_MS = 120_000;
const LOOK_EVERY_MS = 250;
const SHOWN_LOG_LINES = 5;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Height of a node's head; null: no answer. */
export const headOf = async (port: number): Promise<bigint | null> => {
  try {
    return BigInt(await rpcRequest<string>(`http://${HOST}:${port}`, 'eth_blockNumber', [], 2_000));
  } catch {
    return null;
  }
};

export const relayerAnswers = async (port: number): Promise<boolean> => {
  try {
    const response = await fetch(`http://${HOST}:${port}/v1/status`, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
};

const lastLines = async (path: string): Promise<string> => {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-SHOWN_LOG_LINES).join('\n');
};

const requireAlive = async (children: readonly Child[], ended: ReadonlySet<Child>): Promise<void> => {
  const dead = children.find((child) => ended.has(child));
  if (dead === undefined) return;
  throw new CliError(
    `expected ${dead.name} to start, found it ended. The last lines of its log:\n${await lastLines(dead.logPath)}`,
    { code: 'NODE_ENDED', exitCode: EXIT.internal, hint: `The whole log: ${dead.logPath}` },
  );
};

/** Everybody answers and block 1 is committed everywhere. @throws CliError NODE_ENDED, NODES_SILENT */
export const awaitNodes = async (ports: DevnetPorts, children: readonly Child[], io: Io): Promise<void> => {
  const ended = new Set<Child>();
  for (const child of children) void child.exited.then(() => ended.add(child));
  let missing: string[] = [];
  let shown = -1;
  for (
    const end = performance.now() + START_TIMEOUT_MS;
    performance.now() < end;
    await pause(LOOK_EVERY_MS)
  ) {
    io.signal.throwIfAborted();
    await requireAlive(children, ended);
    const [heads, relayers] = await Promise.all([
      Promise.all(ports.validatorRpc.map(headOf)),
      Promise.all(ports.relayerExchange.map(relayerAnswers)),
    ]);
    missing = [
      ...heads.flatMap((head, index) =>
        head === null ? `validator-${index + 1}` : head < 1n ? `validator-${index + 1} (at height 0)` : [],
      ),
      ...relayers.flatMap((answers, index) => (answers ? [] : `relayer-${index + 1}`)),
    ];
    if (missing.length === 0) {
      io.progress(`Every node answers; the chain is at height ${heads[0]}`);
      return;
    }
    const up = heads.filter((head) => head !== null).length + relayers.filter(Boolean).length;
    if (up !== shown)
      io.progress(io.style('dim', `  … ${up} of ${heads.length + relayers.length} nodes answer`));
    shown = up;
  }
  throw new CliError(
    `expected every node to answer and height 1 within ${START_TIMEOUT_MS / 1_000} s, still waiting for ${missing.join(', ')}`,
    {
      code: 'NODES_SILENT',
      exitCode: EXIT.timeout,
      hint: `Logs: ${children[0]?.logPath ?? ''} and beside it`,
    },
  );
};
