import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createCluster, createIdentity, type Identity, type TestNode, text } from './networkFixture.ts';

const SCRIPT = fileURLToPath(new URL('./peerProcess.ts', import.meta.url));
const cluster = createCluster();
const children: ChildProcess[] = [];
let one: Identity;
let two: Identity;
let node: TestNode;

const startPeer = (): ChildProcess => {
  const child = spawn(process.execPath, [SCRIPT, 'two', 'one', node.network.addresses()[0]!], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
};

/** Connected, disconnected … events of the peer so far. */
const events = (): string[] => node.events.map((event) => event[0]!);

const until = (count: number): Promise<void> =>
  new Promise((resolve) => {
    const check = (): void => {
      if (node.events.length < count) return;
      resolve();
    };
    node.network.onPeerConnected(() => setImmediate(check));
    node.network.onPeerDisconnected(() => setImmediate(check));
    check();
  });

const expectEcho = async (message: string): Promise<void> => {
  node.network.sendConsensus(two.peerId, text(message));
  await node.message((bytes) => Buffer.from(bytes).toString() === message);
};

beforeEach(async () => {
  [one, two] = await Promise.all([createIdentity('one'), createIdentity('two')]);
  node = await cluster.start(one, [one, two], [], { tuning: { pingIntervalMs: 300, pingTimeoutMs: 1_500 } });
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await cluster.stopAll();
});

test('a process that is killed is missed at once, and welcome again', async () => {
  const first = startPeer();
  await until(1);
  await expectEcho('one');
  first.kill('SIGKILL');
  await until(2);
  startPeer();
  await until(3);
  await expectEcho('two');
  expect(events()).toEqual(['+', '-', '+']);
});

test('a process that is stopped is missed by its silence, and back when it goes on', async () => {
  const peer = startPeer();
  await until(1);
  await expectEcho('before');
  peer.kill('SIGSTOP');
  await until(2);
  peer.kill('SIGCONT');
  await until(3);
  await expectEcho('after');
  expect(events()).toEqual(['+', '-', '+']);
});
