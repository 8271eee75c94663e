/** What a gossiping neighbour may cost: the real pool and the real gossip, a network that only hands batches over. */
import type { Address } from '#consensus/primitives.ts';
import {
  ADMISSION_BUDGET,
  connectPoolToNetwork,
  MAX_WAITING_BYTES,
  MAX_WAITING_BYTES_PER_PEER,
  MAX_WAITING_PER_PEER,
  REPEAT_BUDGET,
} from '#node/mempool/gossip.ts';
import type { BatchVerdict, Peer, TransactionsHandler } from '#node/network/network.ts';
import {
  type Account,
  createAccount,
  createFakeState,
  createTestPool,
  hashOf,
  transfer,
} from './poolFixture.ts';

const peer = (peerId: string, validator: Address | null = null): Peer => ({
  peerId,
  name: peerId,
  validator,
});
const flooder = peer('flooder');
const honest = peer('honest');
const alice = createAccount('alice');
const bob = createAccount('bob');
const poor = createAccount('poor');

/** A pool, its gossip, a clock that stands, and what was asked of the pool. */
const start = (...accounts: readonly Account[]) => {
  const state = createFakeState();
  for (const account of accounts) state.set(account, {});
  const pool = createTestPool(state);
  const asked: Uint8Array[] = [];
  let handler: TransactionsHandler | null = null;
  let nowMs = 0;
  const gossip = connectPoolToNetwork(
    {
      ...pool,
      add: (raw, source) => {
        asked.push(raw);
        return pool.add(raw, source);
      },
    },
    {
      onTransactions: (given) => {
        handler = given;
      },
      publishTransactions: () => undefined,
    },
    () => nowMs,
  );
  open.push(() => {
    gossip.stop();
    pool.close();
  });
  return {
    pool,
    gossip,
    asked,
    deliver: async (from: Peer, batch: readonly Uint8Array[]): Promise<BatchVerdict> =>
      (await handler!(from, batch))!,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
};
const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

const repeated = (raw: Uint8Array, count: number): Uint8Array[] => Array.from({ length: count }, () => raw);
const transfers = (account: Account, count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, nonce) => transfer(account, { nonce: BigInt(nonce) }));

test('an honest peer’s transactions are admitted within two turns while a flooder’s queue is full', async () => {
  const { deliver, asked, gossip, pool } = start(alice, bob);
  const spam = transfer(bob);
  const batches = Array.from({ length: MAX_WAITING_PER_PEER / 512 }, () =>
    deliver(flooder, repeated(spam, 512)),
  );
  // one turn of it is under way already
  expect(await deliver(flooder, repeated(spam, 32))).toBe('unread');
  expect(gossip.counters().waiting).toBeGreaterThan(MAX_WAITING_PER_PEER - 64);
  const mine = transfers(alice, 10);
  const before = asked.length;
  expect(await deliver(honest, mine)).toBe('forward');
  expect(asked.length - before - mine.length).toBeLessThanOrEqual(2 * 16);
  expect(mine.every((raw) => pool.get(hashOf(raw)) !== null)).toBe(true);
  await Promise.all(batches);
});

test('a flooder’s full queue does not grow, in transactions or in bytes', async () => {
  const { deliver, gossip } = start(bob);
  const spam = transfer(bob);
  void deliver(flooder, repeated(spam, MAX_WAITING_PER_PEER));
  expect(await deliver(flooder, repeated(spam, 32))).toBe('unread');
  const large = new Uint8Array(100 * 1024).fill(1);
  const other = peer('other');
  const many = Math.floor(MAX_WAITING_BYTES_PER_PEER / large.length);
  void deliver(other, repeated(large, many));
  expect(await deliver(other, [large])).toBe('unread');
  expect(gossip.counters().dropped).toBe(33);
});

test('a peer with nothing waiting is admitted for while others have filled all the room there is', async () => {
  const { deliver, pool } = start(alice, bob);
  const large = transfer(bob, { data: new Uint8Array(100 * 1024), gas: 5_000_000n });
  const each = Math.floor(MAX_WAITING_BYTES_PER_PEER / large.length);
  const batches: Promise<BatchVerdict>[] = [];
  for (let left = Math.floor(MAX_WAITING_BYTES / large.length); left > 0; left -= each)
    batches.push(deliver(peer(`flooder ${left}`), repeated(large, Math.min(left, each))));
  const mine = transfer(alice, { data: new Uint8Array(100 * 1024), gas: 5_000_000n });
  expect(await deliver(honest, [mine])).toBe('forward');
  expect(pool.get(hashOf(mine))).not.toBeNull();
  await Promise.all(batches);
});

test('a peer over its budget is dropped for without being asked about, and again later not', async () => {
  const { deliver, asked, pass } = start(bob);
  const spam = repeated(transfer(bob), 1_000);
  for (let sent = 0; sent < ADMISSION_BUDGET.burst; sent += spam.length) await deliver(flooder, spam);
  const before = asked.length;
  expect(await deliver(flooder, spam)).toBe('unread');
  expect(asked.length).toBe(before);
  pass(1_000);
  await deliver(flooder, spam);
  expect(asked.length).toBe(before + spam.length);
});

test('a refused transaction costs as much as eight', async () => {
  const { deliver, asked } = start();
  const batch = transfers(poor, 20);
  while ((await deliver(flooder, batch)) !== 'unread');
  expect(asked.length).toBeGreaterThanOrEqual(ADMISSION_BUDGET.burst / 8);
  expect(asked.length).toBeLessThanOrEqual(ADMISSION_BUDGET.burst / 8 + batch.length);
});

test('the PeerIds of one consensus key share one budget', async () => {
  const { deliver } = start(bob);
  const spam = transfer(bob);
  void deliver(peer('first', bob.address), repeated(spam, MAX_WAITING_PER_PEER));
  expect(await deliver(peer('second', bob.address), repeated(spam, 32))).toBe('unread');
});

test('one forged transaction ends its batch, and nothing after it is recovered', async () => {
  const { deliver, asked, gossip } = start(alice);
  const elsewhere = transfer(alice, { chainId: 1n });
  expect(await deliver(flooder, [elsewhere, ...repeated(transfer(alice), 500)])).toBe('reject');
  expect(asked.length).toBeLessThanOrEqual(16);
  expect(gossip.counters().waiting).toBe(0);
});

describe('what is forwarded costs us at our neighbours', () => {
  test('a flooder makes us repeat no more than its share, and what is new goes on', async () => {
    const { deliver, pass } = start(alice, bob);
    const known = transfer(bob);
    expect(await deliver(honest, [known])).toBe('forward');
    let forwarded = 0;
    for (let i = 0; i < 7; i++)
      if ((await deliver(flooder, repeated(known, 1_000))) === 'forward') forwarded += 1_000;
    expect(forwarded).toBeLessThanOrEqual(REPEAT_BUDGET.burst);
    expect(forwarded).toBeGreaterThan(0);
    const fresh = transfers(alice, 3);
    expect(await deliver(flooder, [fresh[0]!])).toBe('forward');
    // another peer's announcement is repeated all the same
    expect(await deliver(honest, [known])).toBe('forward');
    pass(1_000);
    expect(await deliver(flooder, repeated(known, REPEAT_BUDGET.perSecond))).toBe('forward');
    expect(await deliver(flooder, repeated(known, 1_000))).toBe('ignore');
  });

  test('all flooders together leave half of an admission budget', async () => {
    const { deliver } = start(bob);
    const known = transfer(bob);
    await deliver(honest, [known]);
    let forwarded = 0;
    for (let i = 0; i < 10; i++)
      for (let j = 0; j < 3; j++)
        if ((await deliver(peer(`flooder ${i}`), repeated(known, 1_000))) === 'forward') forwarded += 1_000;
    expect(forwarded).toBeLessThanOrEqual(ADMISSION_BUDGET.burst / 2);
  });

  test('refused transactions count eight, and a batch that is mostly refused is not forwarded', async () => {
    const { deliver } = start(bob);
    const known = transfer(bob);
    await deliver(honest, [known]);
    const refused = transfers(poor, 60);
    expect(await deliver(flooder, [known, ...refused.slice(0, 2)])).toBe('ignore');
    const half = [...refused, ...repeated(known, 60)];
    let forwarded = 0;
    for (let i = 0; i < 8; i++) if ((await deliver(flooder, half)) === 'forward') forwarded++;
    expect(forwarded).toBe(Math.floor(REPEAT_BUDGET.burst / (60 + 8 * 60)));
  });
});
