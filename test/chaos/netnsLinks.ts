/**
 * A network namespace for each validator. Peers meet over bridges in a namespace of their own, one bridge for each
 * side of a partition; JSON-RPC and the L1 go over a second interface that no partition touches.
 *
 *     root ── 10.203.n.1/30 ── validator n ── 10.204.0.n/24 ── bridge 0 or 1
 */
import { execFile } from 'node:child_process';
import { connect, createServer, type Server } from 'node:net';
import { promisify } from 'node:util';
import type { LinkOptions, Links } from '#test/chaos/links.ts';

const run = promisify(execFile);
const ip = async (...args: readonly string[]): Promise<void> => {
  await run('ip', [...args]);
};

const peerAddress = (validator: number): string => `10.204.0.${validator + 1}`;
const rootAddress = (validator: number): string => `10.203.${validator}.1`;
const ownAddress = (validator: number): string => `10.203.${validator}.2`;

/** Whether this process may make network namespaces here. */
export const canMakeNamespaces = async (): Promise<boolean> => {
  const name = `cwprobe${process.pid}`;
  try {
    await ip('netns', 'add', name);
    await ip('netns', 'del', name);
    return true;
  } catch {
    return false;
  }
};

/** The L1 listens on the host's loopback only. */
const forwardL1 = (validator: number, l1Port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer((near) => {
      const far = connect({ host: '127.0.0.1', port: l1Port });
      near.on('error', () => far.destroy());
      far.on('error', () => near.destroy());
      near.pipe(far).pipe(near);
    });
    server.once('error', reject);
    server.listen({ host: rootAddress(validator), port: l1Port }, () => resolve(server));
  });

export const createNetnsLinks = async ({ validators, p2pPorts, l1Port }: LinkOptions): Promise<Links> => {
  const prefix = `cw${process.pid}`;
  const bridges = `${prefix}b`;
  const spaceOf = (validator: number): string => `${prefix}v${validator}`;
  const everyone = Array.from({ length: validators }, (_, index) => index);
  const forwards: Server[] = [];

  const close = async (): Promise<void> => {
    for (const server of forwards) server.close();
    for (const space of [bridges, ...everyone.map(spaceOf)])
      await ip('netns', 'del', space).catch(() => undefined); // its interfaces go with it
  };

  const inSpace = (space: string, ...args: readonly string[]): Promise<void> => ip('-n', space, ...args);

  const build = async (): Promise<void> => {
    await ip('netns', 'add', bridges);
    for (const side of [0, 1]) {
      await inSpace(bridges, 'link', 'add', `side${side}`, 'type', 'bridge', 'forward_delay', '0');
      await inSpace(bridges, 'link', 'set', `side${side}`, 'up');
    }
    for (const validator of everyone) {
      const space = spaceOf(validator);
      const outer = `${prefix}m${validator}`;
      await ip('netns', 'add', space);
      await inSpace(space, 'link', 'set', 'lo', 'up');
      await ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', 'manage', 'netns', space);
      await ip('addr', 'add', `${rootAddress(validator)}/30`, 'dev', outer);
      await ip('link', 'set', outer, 'up');
      await inSpace(space, 'addr', 'add', `${ownAddress(validator)}/30`, 'dev', 'manage');
      await inSpace(space, 'link', 'set', 'manage', 'up');
      const port = `port${validator}`;
      await inSpace(space, 'link', 'add', 'peers', 'type', 'veth', 'peer', 'name', port, 'netns', bridges);
      await inSpace(space, 'addr', 'add', `${peerAddress(validator)}/24`, 'dev', 'peers');
      await inSpace(space, 'link', 'set', 'peers', 'up');
      await inSpace(bridges, 'link', 'set', port, 'up', 'master', 'side0');
      forwards.push(await forwardL1(validator, l1Port));
    }
  };

  const moveTo = async (validator: number, side: number): Promise<void> =>
    inSpace(bridges, 'link', 'set', `port${validator}`, 'master', `side${side}`);

  try {
    await build();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    kind: 'namespaces',
    wrap: (validator, command) => ['ip', 'netns', 'exec', spaceOf(validator), ...command],
    listen: (validator) => `/ip4/${peerAddress(validator)}/tcp/${p2pPorts[validator]}`,
    dial: (_, to) => `/ip4/${peerAddress(to)}/tcp/${p2pPorts[to]}`,
    rpcHost: ownAddress,
    l1Url: (validator) => `http://${rootAddress(validator)}:${l1Port}`,
    partition: async (groups) => {
      for (const validator of everyone) await moveTo(validator, groups[0]!.includes(validator) ? 0 : 1);
    },
    heal: async () => {
      for (const validator of everyone) await moveTo(validator, 0);
    },
    close,
  };
};
