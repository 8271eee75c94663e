/**
 * The devnet's ports, whether they are free, and who has them if not.
 *
 * `--port-base` moves all of them to one contiguous range, in the order of `PORT_NAMES`.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { CliError, EXIT } from '#cli/errors.ts';

const run = promisify(execFile);

export const HOST = '127.0.0.1';

export type DevnetPorts = {
  readonly l1: number;
  readonly validatorRpc: readonly number[];
  readonly validatorP2p: readonly number[];
  readonly relayerExchange: readonly number[];
  readonly relayerP2p: readonly number[];
};

export const VALIDATOR_COUNT = 4;
export const RELAYER_COUNT = 3;
export const PORT_COUNT = 1 + 2 * VALIDATOR_COUNT + 2 * RELAYER_COUNT;

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

/** @param base null for the well-known ports */
export const devnetPorts = (base: number | null): DevnetPorts => {
  if (base === null)
    return {
      l1: 9545,
      validatorRpc: range(8545, VALIDATOR_COUNT),
      validatorP2p: range(26656, VALIDATOR_COUNT),
      relayerExchange: range(8601, RELAYER_COUNT),
      relayerP2p: range(26660, RELAYER_COUNT),
    };
  return {
    l1: base,
    validatorRpc: range(base + 1, VALIDATOR_COUNT),
    validatorP2p: range(base + 5, VALIDATOR_COUNT),
    relayerExchange: range(base + 9, RELAYER_COUNT),
    relayerP2p: range(base + 12, RELAYER_COUNT),
  };
};

export const namedPorts = (ports: DevnetPorts): readonly (readonly [name: string, port: number])[] => [
  ['L1', ports.l1],
  ...ports.validatorRpc.map((port, i) => [`validator ${i + 1}'s JSON-RPC`, port] as const),
  ...ports.validatorP2p.map((port, i) => [`validator ${i + 1}'s p2p`, port] as const),
  ...ports.relayerExchange.map((port, i) => [`relayer ${i + 1}'s exchange`, port] as const),
  ...ports.relayerP2p.map((port, i) => [`relayer ${i + 1}'s p2p`, port] as const),
];

export const isPortFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: HOST, exclusive: true }, () => server.close(() => resolve(true)));
  });

/** Inodes of listening sockets on this port, out of /proc/net/tcp or tcp6. */
export const listeningInodes = (table: string, port: number): string[] => {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => state === '0A' && local?.endsWith(suffix))
    .flatMap((fields) => fields[9] ?? []);
};

export type PortHolder = { readonly pid: number; readonly command: string };

const findHolderInProc = async (port: number): Promise<PortHolder | null> => {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFile(path, 'utf8').catch(() => '')),
  );
  const sockets = new Set(
    tables.flatMap((table) => listeningInodes(table, port)).map((inode) => `socket:[${inode}]`),
  );
  if (sockets.size === 0) return null;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const descriptor of descriptors) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '');
      if (!sockets.has(target)) continue;
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return { pid: Number(pid), command: command.replaceAll('\0', ' ').trim().slice(0, 120) };
    }
  }
  return null;
};

const findHolderWithLsof = async (port: number): Promise<PortHolder | null> => {
  const { stdout } = await run('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc']);
  const pid = /^p(\d+)$/m.exec(stdout)?.[1];
  return pid === undefined ? null : { pid: Number(pid), command: /^c(.+)$/m.exec(stdout)?.[1] ?? '' };
};

/** Null when it cannot be found out, for example because it belongs to another user. */
export const findPortHolder = async (port: number): Promise<PortHolder | null> => {
  try {
    return await (process.platform === 'linux' ? findHolderInProc(port) : findHolderWithLsof(port));
  } catch {
    return null;
  }
};

/** @throws CliError PORT_BUSY */
export const requireFreePorts = async (ports: DevnetPorts): Promise<void> => {
  for (const [name, port] of namedPorts(ports)) {
    if (await isPortFree(port)) continue;
    const holder = await findPortHolder(port);
    const who =
      holder === null
        ? 'a process that cannot be seen from here'
        : `process ${holder.pid} (${holder.command})`;
    throw new CliError(`expected port ${port} free for the ${name}, found it taken by ${who}`, {
      code: 'PORT_BUSY',
      exitCode: EXIT.config,
      hint:
        holder === null
          ? 'Stop whatever listens there, or move the devnet with --port-base <port>.'
          : `Stop it (kill ${holder.pid}; if it is an older devnet: causeway devnet down), or move the devnet with --port-base <port>.`,
    });
  }
};
