/** What a peer that sends transactions may cost: the real pool and the real gossip, a network that only hands over. */
import type { Address } from '#consensus/primitives.ts';
import {
  ADMISSION_BUDGET,
  ADMIT_AT_ONCE,
  connectPoolToNetwork,
  REFUSED_COST,
  WELCOME_BYTES,
} from '#node/mempool/gossip.ts';
import type { Peer, TransactionsHandler } from '#node/network/network.ts';
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
  const given: { to: string; transactions: readonly Uint8Array[] }[] = [];
  let handler: TransactionsHandler | null = null;
  let connected: (peer: Peer) => void = () => undefined;
  let lost: (peer: Peer) => void = () => undefined;
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
      onTransactions: (found) => {
        handler = found;
      },
      onPeerConnected: (listener) => {
        connected = listener;
        return () => undefined;
      },
      onTransactionsLost: (listener) => {
        lost = listener;
        return () => undefined;
      },
      publishTransactions: (transactions) => given.push({ to: 'everybody', transactions }),
      sendTransactions: (to, transactions) => given.push({ to, transactions }),
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
    given,
    connect: (from: Peer) => connected(from),
    lose: (from: Peer) => lost(from),
    deliver: (from: Peer, batch: readonly Uint8Array[]) => handler!(from, batch),
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
};
const open: (() => void)[] = [];
/** ESM has no global `jest`. */
const timers = (import.meta as unknown as { jest: typeof jest }).jest;
afterEach(() => {
  timers.useRealTimers();
  for (const close of open.splice(0)) close();
});

const repeated = (raw: Uint8Array, count: number): Uint8Array[] => Array.from({ length: count }, () => raw);
const transfers = (account: Account, count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, nonce) => transfer(account, { nonce: BigInt(nonce) }));

test('an honest peer’s transactions are admitted within two turns while a flooder’s batch is in work', async () => {
  const { deliver, asked, gossip, pool } = start(alice, bob);
  const flood = deliver(flooder, repeated(transfer(bob), 1_000));
  expect(gossip.waiting()).toBe(1_000);
  const mine = transfers(alice, 10);
  const before = asked.length;
  expect((await deliver(honest, mine)).fresh).toEqual(mine);
  expect(asked.length - before - mine.length).toBeLessThanOrEqual(2 * ADMIT_AT_ONCE);
  expect(mine.every((raw) => pool.get(hashOf(raw)) !== null)).toBe(true);
  await flood;
  expect(gossip.waiting()).toBe(0);
});

test('only what was new is given back to be passed on, in its order', async () => {
  const { deliver } = start(alice, bob);
  const [first, second, third] = transfers(alice, 3) as [Uint8Array, Uint8Array, Uint8Array];
  await deliver(honest, [second]);
  expect(await deliver(flooder, [third, second, first, first, ...transfers(poor, 2)])).toMatchObject({
    fresh: [third, first],
    isJunk: false,
  });
});

test('a peer beyond its budget has to wait until what it took is there again', async () => {
  const { deliver, pass } = start(bob);
  const spam = repeated(transfer(bob), 1_000);
  for (let sent = 0; sent < ADMISSION_BUDGET.burst; sent += spam.length)
    expect((await deliver(flooder, spam)).waitMs).toBe(0);
  expect((await deliver(flooder, spam)).waitMs).toBe((1_000 * 1_000) / ADMISSION_BUDGET.perSecond);
  expect((await deliver(honest, spam)).waitMs).toBe(0);
  pass(1_000);
  expect((await deliver(flooder, spam)).waitMs).toBe(0);
});

test('a refused transaction costs as much as eight', async () => {
  const { deliver } = start();
  const batch = transfers(poor, 20);
  let sent = 0;
  while ((await deliver(flooder, batch)).waitMs === 0) sent += batch.length;
  const affordable = ADMISSION_BUDGET.burst / REFUSED_COST;
  expect(sent).toBeLessThanOrEqual(affordable);
  expect(sent).toBeGreaterThan(affordable - 2 * batch.length);
});

test('the PeerIds of one consensus key share one budget', async () => {
  const { deliver } = start(bob);
  const spam = repeated(transfer(bob), ADMISSION_BUDGET.burst / 2);
  await deliver(peer('first', bob.address), spam);
  await deliver(peer('first', bob.address), spam);
  expect((await deliver(peer('second', bob.address), spam)).waitMs).toBeGreaterThan(0);
});

test('one forged transaction ends its batch, and nothing after it is recovered', async () => {
  const { deliver, asked, gossip } = start(alice);
  const elsewhere = transfer(alice, { chainId: 1n });
  expect(await deliver(flooder, [elsewhere, ...repeated(transfer(alice), 500)])).toMatchObject({
    isJunk: true,
  });
  expect(asked.length).toBeLessThanOrEqual(ADMIT_AT_ONCE);
  expect(gossip.waiting()).toBe(0);
});

describe('what is announced', () => {
  test('a client’s own goes to everybody, a peer’s to nobody from here', async () => {
    const { pool, deliver, given } = start(alice, bob);
    const mine = transfer(alice);
    await pool.add(mine, 'local');
    await deliver(honest, [transfer(bob)]);
    expect(given).toEqual([{ to: 'everybody', transactions: [mine] }]);
  });

  test('a peer that lost what waited for it is given it again, once and not at once', async () => {
    timers.useFakeTimers({ doNotFake: ['setImmediate'] });
    const { deliver, lose, given } = start(alice);
    const theirs = transfer(alice);
    await deliver(flooder, [theirs]);
    // giving it at once to who cannot take it would go round for ever
    for (let i = 0; i < 10; i++) lose(honest);
    expect(given).toEqual([]);
    timers.advanceTimersByTime(10_000);
    expect(given).toEqual([{ to: 'honest', transactions: [theirs] }]);
  });

  test('a peer that connects is given what waits, whoever sent it, within a bound', async () => {
    const { pool, deliver, connect, given } = start(alice, bob);
    connect(honest);
    expect(given).toEqual([]);
    const mine = transfer(alice);
    const theirs = transfer(bob);
    await deliver(flooder, [theirs]);
    await pool.add(mine, 'local');
    given.length = 0;
    connect(honest);
    expect(given).toEqual([{ to: 'honest', transactions: [theirs, mine] }]);
    for (let nonce = 1n; nonce < 8n; nonce++)
      await pool.add(transfer(alice, { nonce, data: new Uint8Array(100 * 1024), gas: 5_000_000n }), 'local');
    given.length = 0;
    connect(honest);
    const bytes = given[0]!.transactions.reduce((sum, raw) => sum + raw.length, 0);
    expect(bytes).toBeLessThanOrEqual(WELCOME_BYTES);
    expect(bytes).toBeGreaterThan(WELCOME_BYTES - 110 * 1024);
  });
});
