/** What a node without consensus can say, and a node in trouble. */
import { createNodeStatus, explainFollower } from '#node/nodeStatus.ts';
import { createFakeGenesis } from '#test/unit/node/rpc/fakes/genesis.ts';

const block = { height: 7n, hash: '0xb10c' };
const parts = () => {
  const listeners: ((committed: never) => void)[] = [];
  const clock = { ms: 1_000 };
  return {
    listeners,
    clock,
    deps: {
      name: 'full-1',
      emptyBlockIntervalMs: 10_000,
      genesis: createFakeGenesis(),
      chain: {
        head: () => ({ block }) as never,
        onCommitted: (listener: (committed: never) => void) => {
          listeners.push(listener);
          return () => undefined;
        },
      },
      network: { localPeerId: 'peer', peers: () => [{ peerId: 'a', name: 'validator-1', validator: null }] },
      l1: () => ({ state: 'ready' as const }),
      sync: () => ({ head: 7n, target: 7n, importing: false }),
      pendingTransactions: () => 0,
      anchoredHeight: () => 3n,
      host: null,
      fault: (): { code: string; message: string } | null => null,
      rpcPort: () => 8_545,
      nowMs: () => clock.ms,
    },
  };
};

const SYNCED = { head: 7n, target: 7n, importing: false };

test('a follower says that it has no peers, how far behind it is, or that no block comes', () => {
  const late = { quietMs: 60_000, lateMs: 25_000 };
  expect(explainFollower({ sync: SYNCED, peers: 0, ...late })).toMatchObject({
    state: 'stalled',
    code: 'NO_PEERS',
    remedy: expect.stringContaining('p2p.peers'),
  });
  expect(
    explainFollower({ sync: { ...SYNCED, target: 40n }, peers: 2, quietMs: 300, lateMs: 25_000 }),
  ).toMatchObject({
    state: 'behind',
    code: 'SYNCING',
    sentence: expect.stringContaining('33 heights behind its peers, which are at height 40'),
  });
  expect(explainFollower({ sync: { ...SYNCED, target: 40n }, peers: 2, ...late }).state).toBe('stalled');
  expect(explainFollower({ sync: SYNCED, peers: 2, ...late })).toMatchObject({
    state: 'stalled',
    code: 'NO_BLOCKS',
    sentence: 'No block for 60 s, and no peer has a newer one than 7',
  });
  // One block is the usual distance between hearing of a commit and making it.
  expect(
    explainFollower({ sync: { ...SYNCED, target: 8n }, peers: 2, quietMs: 300, lateMs: 25_000 }),
  ).toMatchObject({
    state: 'committing',
    code: 'FOLLOWING',
  });
});

test('the time since the newest block counts from its commit, and before the first from the start', () => {
  const { deps, clock, listeners } = parts();
  const status = createNodeStatus(deps);
  clock.ms += 400;
  expect(status()).toMatchObject({
    role: 'follower',
    lastBlockAgoMs: null,
    margin: null,
    votes: null,
    signing: null,
  });
  for (const listener of listeners) listener(undefined as never);
  clock.ms += 250;
  expect(status()).toMatchObject({
    lastBlockAgoMs: 250,
    progress: { state: 'committing' },
    waitingFor: null,
  });
  clock.ms += 30_000;
  expect(status()).toMatchObject({ progress: { state: 'stalled', code: 'NO_BLOCKS' } });
});

test('a fault comes before everything else, whatever consensus says', () => {
  const { deps } = parts();
  const status = createNodeStatus({
    ...deps,
    fault: () => ({ code: 'DIVERGED', message: 'expected x, found y' }),
  });
  expect(status()).toMatchObject({
    progress: {
      state: 'halted',
      code: 'HALTED',
      sentence: 'This node halted (DIVERGED): expected x, found y',
    },
    haltedReason: 'expected x, found y',
  });
});

test('a consensus host that has not begun is a node that starts, never an exception', () => {
  const { deps } = parts();
  const host = {
    status: () => {
      throw new TypeError('not begun');
    },
  };
  expect(createNodeStatus({ ...deps, host })()).toMatchObject({
    role: 'validator',
    progress: { state: 'stalled', code: 'STARTING' },
    validators: [],
  });
});
