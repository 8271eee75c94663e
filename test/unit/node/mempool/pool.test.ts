import { concatBytes } from '#consensus/primitives.ts';
import type { Admission } from '#node/mempool/mempool.ts';
import type { Pool } from '#node/mempool/pool.ts';
import {
  type Account,
  ALL,
  accessListTransfer,
  BASE_FEE,
  createAccount,
  createFakeState,
  createTestPool,
  delegation,
  ETHER,
  type FakeState,
  GWEI,
  hashOf,
  importOf,
  legacyTransfer,
  transfer,
} from './poolFixture.ts';

const alice = createAccount('alice');
const bob = createAccount('bob');
const relayer = createAccount('relayer');
const relayerTwo = createAccount('relayer two');
let state: FakeState;
let pool: Pool;

beforeEach(() => {
  state = createFakeState([relayer, relayerTwo]);
  for (const account of [alice, bob, relayer, relayerTwo]) state.set(account, {});
  pool = createTestPool(state);
});
afterEach(() => pool.close());

const codeOf = (admission: Admission): string => (admission.admitted ? 'ADMITTED' : admission.code);
const add = async (raw: Uint8Array): Promise<string> => codeOf(await pool.add(raw, 'local'));
const picked = (): string[] => pool.pick(ALL).map(hashOf);

describe('what is refused, in geth’s words', () => {
  const refusal = async (raw: Uint8Array): Promise<readonly [string, string]> => {
    const admission = await pool.add(raw, 'local');
    return admission.admitted ? ['ADMITTED', ''] : [admission.code, admission.message];
  };

  test.each<[string, () => Uint8Array, string, string]>([
    ['bytes that are no transaction', () => Uint8Array.of(1, 2, 3), 'UNDECODABLE', ''],
    ['nothing', () => new Uint8Array(0), 'UNDECODABLE', ''],
    ['a blob transaction', () => Uint8Array.of(3, 0xc0), 'BLOB_REFUSED', 'transaction type not supported'],
    ['another chain id', () => transfer(alice, { chainId: 1n }), 'WRONG_CHAIN_ID', 'invalid chain id'],
    ['too many bytes', () => new Uint8Array(200_000).fill(2), 'TOO_LARGE', 'oversized data'],
    ['too little gas', () => transfer(alice, { gas: 20_000n }), 'INTRINSIC_GAS', 'intrinsic gas too low'],
    [
      'a fee below the base fee',
      () => transfer(alice, { maxFee: BASE_FEE - 1n }),
      'UNDERPRICED',
      'max fee per gas less than block base fee',
    ],
    [
      'too little money',
      () => transfer(alice, { value: ETHER }),
      'INSUFFICIENT_FUNDS',
      'insufficient funds for gas * price + value',
    ],
    [
      'an account without anything',
      () => transfer(createAccount('nobody')),
      'INSUFFICIENT_FUNDS',
      'insufficient funds',
    ],
    ['a nonce far ahead', () => transfer(alice, { nonce: 5_000n }), 'NONCE_TOO_HIGH', 'nonce too high'],
    ['an import from somebody else', () => importOf(alice, 0n), 'NOT_PERMITTED', 'only a relayer'],
  ])('%s', async (_what, raw, code, message) => {
    const [foundCode, foundMessage] = await refusal(raw());
    expect(foundCode).toBe(code);
    expect(foundMessage).toContain(message);
    expect(pool.size()).toBe(0);
  });

  test('a past nonce', async () => {
    state.set(alice, { nonce: 3n });
    expect(await refusal(transfer(alice, { nonce: 2n }))).toEqual([
      'NONCE_TOO_LOW',
      expect.stringContaining('nonce too low'),
    ]);
  });

  test('a sender with code', async () => {
    state.set(alice, { code: Uint8Array.of(0x60, 0x00) });
    expect((await refusal(transfer(alice)))[0]).toBe('SENDER_IS_CONTRACT');
  });

  test('the same transaction again, even while it is being checked', async () => {
    const raw = transfer(alice);
    const [first, second] = await Promise.all([pool.add(raw, 'local'), pool.add(raw, 'gossip')]);
    expect([codeOf(first), codeOf(second)]).toEqual(['ADMITTED', 'ALREADY_KNOWN']);
    expect(await refusal(raw)).toEqual(['ALREADY_KNOWN', 'already known']);
  });

  test('an account that is not permitted', async () => {
    pool.close();
    pool = createTestPool(state, { isPermitted: ({ sender }) => sender !== alice.address });
    expect(await add(transfer(alice))).toBe('NOT_PERMITTED');
    expect(await add(transfer(bob))).toBe('ADMITTED');
  });
});

test('every supported type is admitted', async () => {
  expect(await add(legacyTransfer(alice, 0n))).toBe('ADMITTED');
  expect(await add(accessListTransfer(alice, 1n))).toBe('ADMITTED');
  expect(await add(transfer(alice, { nonce: 2n }))).toBe('ADMITTED');
  expect(await add(delegation(bob))).toBe('ADMITTED');
});

describe('replacement', () => {
  test('needs ten percent more on both fee caps', async () => {
    const fees = { maxFee: 10n * GWEI, tip: 1n * GWEI };
    await add(transfer(alice, fees));
    expect(await add(transfer(alice, { maxFee: 11n * GWEI, tip: 1n * GWEI }))).toBe(
      'REPLACEMENT_UNDERPRICED',
    );
    expect(await add(transfer(alice, { maxFee: 10n * GWEI, tip: 2n * GWEI }))).toBe(
      'REPLACEMENT_UNDERPRICED',
    );
    expect(await add(transfer(alice, { maxFee: 11n * GWEI - 1n, tip: 2n * GWEI }))).toBe(
      'REPLACEMENT_UNDERPRICED',
    );
    const better = transfer(alice, { maxFee: 11n * GWEI, tip: (11n * GWEI) / 10n });
    expect(await add(better)).toBe('ADMITTED');
    expect(picked()).toEqual([hashOf(better)]);
    expect(pool.size()).toBe(1);
  });
});

describe('order', () => {
  test('goes by effective tip between senders and by nonce within one', async () => {
    const slow = transfer(alice, { tip: 1n });
    const richer = transfer(alice, { nonce: 1n, tip: 9n * GWEI });
    const middle = transfer(bob, { tip: 5n });
    for (const raw of [richer, slow, middle]) await add(raw);
    expect(picked()).toEqual([middle, slow, richer].map(hashOf));
  });

  test('the effective tip is what the fee cap leaves over the base fee', async () => {
    const capped = transfer(alice, { tip: 50n, maxFee: BASE_FEE + 50n });
    const promised = transfer(bob, { tip: 40n * GWEI, maxFee: 40n * GWEI });
    await add(capped);
    await add(promised);
    expect(picked()).toEqual([promised, capped].map(hashOf));
  });

  test('stays within gas, bytes and count', async () => {
    for (let nonce = 0n; nonce < 5n; nonce++) await add(transfer(alice, { nonce }));
    expect(pool.pick({ ...ALL, maxGas: 50_000n })).toHaveLength(2);
    expect(pool.pick({ ...ALL, maxCount: 3 })).toHaveLength(3);
    expect(pool.pick({ ...ALL, maxCount: 0 })).toHaveLength(0);
    expect(pool.pick({ ...ALL, maxBytes: transfer(alice).length * 4 })).toHaveLength(4);
  });

  test('one that does not fit does not hold up other senders', async () => {
    await add(transfer(alice, { gas: 1_000_000n, tip: 9n }));
    const small = transfer(bob, { tip: 1n });
    await add(small);
    expect(pool.pick({ ...ALL, maxGas: 21_000n }).map(hashOf)).toEqual([hashOf(small)]);
  });

  test('a gap waits until it is filled, and then counts as work', async () => {
    let work = 0;
    pool.onWork(() => work++);
    await add(transfer(alice, { nonce: 1n }));
    expect([picked().length, pool.hasWork(), work]).toEqual([0, false, 0]);
    expect(pool.pendingNonce(alice.address)).toBeNull();
    await add(transfer(alice, { nonce: 0n }));
    expect([picked().length, pool.hasWork(), work]).toEqual([2, true, 1]);
    expect(pool.pendingNonce(alice.address)).toBe(2n);
  });

  test('transactions that together cost more than the balance are refused', async () => {
    state.set(alice, { balance: 21_000n * BASE_FEE * 2n + 10n });
    expect(await add(transfer(alice, { nonce: 0n, value: 5n }))).toBe('ADMITTED');
    expect(await add(transfer(alice, { nonce: 1n, value: 6n }))).toBe('INSUFFICIENT_FUNDS');
    expect(await add(transfer(alice, { nonce: 1n, value: 5n }))).toBe('ADMITTED');
  });
});

describe('limits', () => {
  const withLimits = (limits: object): void => {
    pool.close();
    pool = createTestPool(state, { limits });
  };

  test('one sender holds a bounded number', async () => {
    withLimits({ maxExecutablePerSender: 2, maxQueuedPerSender: 1 });
    const codes: string[] = [];
    for (const nonce of [0n, 1n, 2n, 3n, 9n]) codes.push(await add(transfer(alice, { nonce })));
    expect(codes).toEqual(['ADMITTED', 'ADMITTED', 'ADMITTED', 'SENDER_LIMIT', 'SENDER_LIMIT']);
    expect(picked()).toHaveLength(2);
    expect(await add(transfer(bob))).toBe('ADMITTED');
  });

  test('a full pool lets the cheapest go for a better one, and nobody for a worse one', async () => {
    withLimits({ maxTransactions: 2 });
    const cheap = transfer(alice, { tip: 2n });
    await pool.add(cheap, 'gossip');
    await pool.add(transfer(bob, { tip: 5n }), 'gossip');
    const worse = createAccount('worse');
    state.set(worse, {});
    expect(codeOf(await pool.add(transfer(worse, { tip: 1n }), 'gossip'))).toBe('POOL_FULL');
    expect(codeOf(await pool.add(transfer(worse, { tip: 3n }), 'gossip'))).toBe('ADMITTED');
    expect(pool.get(hashOf(cheap))).toBeNull();
    expect(pool.size()).toBe(2);
  });

  test('a full pool of better ones refuses before it looks at the signature, and takes what pays more or waits its turn', async () => {
    withLimits({ maxTransactions: 2 });
    await pool.add(transfer(alice, { tip: 5n }), 'gossip');
    await pool.add(transfer(bob, { tip: 5n }), 'gossip');
    const forge = (raw: Uint8Array): Uint8Array => {
      const forged = Uint8Array.from(raw);
      forged.fill(0xff, forged.length - 32);
      return forged;
    };
    expect(codeOf(await pool.add(forge(transfer(bob, { nonce: 1n, tip: 5n })), 'gossip'))).toBe('POOL_FULL');
    expect(codeOf(await pool.add(forge(transfer(bob, { nonce: 1n, tip: 5n })), 'local'))).toBe(
      'BAD_SIGNATURE',
    );
    expect(codeOf(await pool.add(forge(transfer(bob, { nonce: 1n, tip: 6n })), 'gossip'))).toBe(
      'BAD_SIGNATURE',
    );
    // one that cannot be executed yet may go for one that can
    expect(codeOf(await pool.add(transfer(alice, { nonce: 2n, tip: 9n }), 'gossip'))).toBe('UNDERPRICED');
    withLimits({ maxTransactions: 2 });
    await pool.add(transfer(alice, { tip: 5n }), 'gossip');
    await pool.add(transfer(alice, { nonce: 2n, tip: 5n }), 'gossip');
    expect(codeOf(await pool.add(transfer(bob, { tip: 1n }), 'gossip'))).toBe('ADMITTED');
    const imported = importOf(relayer, 0n, 0n, 1);
    expect(codeOf(await pool.add(imported, 'gossip'))).toBe('ADMITTED');
  });

  test('what is announced again: imports, what can be next, the rest; and all of it in turn', async () => {
    const gapped = [];
    for (let nonce = 5n; nonce < 9n; nonce++) {
      gapped.push(transfer(alice, { nonce }));
      await pool.add(gapped.at(-1)!, 'local');
    }
    const next = transfer(bob);
    await pool.add(next, 'local');
    const imported = importOf(relayer, 0n, 0n, 1);
    await pool.add(imported, 'local');
    const room = imported.length + next.length + 2 * gapped[0]!.length + 10;
    const announced = pool.waiting({ localSinceMs: 0, maxBytes: room });
    expect(announced.transactions.map(hashOf)).toEqual([imported, next, gapped[0]!, gapped[1]!].map(hashOf));
    const again = pool.waiting({ localSinceMs: 0, maxBytes: room, after: announced.last });
    expect(again.transactions.map(hashOf)).toEqual([imported, next, gapped[2]!, gapped[3]!].map(hashOf));
  });

  test('a client may replace its own in a full pool, whatever others pay', async () => {
    withLimits({ maxTransactions: 2 });
    await pool.add(transfer(alice, { tip: 2n }), 'local');
    await pool.add(transfer(bob, { tip: 10n * GWEI }), 'gossip');
    expect(codeOf(await pool.add(transfer(alice, { tip: 5n * GWEI, value: 1n }), 'local'))).toBe('ADMITTED');
  });

  test('what waits for a nonce goes first, whoever sent it', async () => {
    withLimits({ maxTransactions: 1 });
    await pool.add(transfer(alice, { nonce: 1n, tip: 9n * GWEI }), 'local');
    expect(codeOf(await pool.add(transfer(bob), 'gossip'))).toBe('ADMITTED');
    expect(picked()).toHaveLength(1);
  });

  test('local transactions that could be next are not evicted', async () => {
    withLimits({ maxTransactions: 1 });
    await pool.add(transfer(alice, { tip: 1n }), 'local');
    expect(codeOf(await pool.add(transfer(bob, { tip: 9n }), 'gossip'))).toBe('POOL_FULL');
    expect(codeOf(await pool.add(transfer(bob, { tip: 9n }), 'local'))).toBe('POOL_FULL');
  });

  test('bytes are bounded as well', async () => {
    const raw = transfer(alice, { data: new Uint8Array(1_000), gas: 100_000n, tip: 1n });
    withLimits({ maxBytes: raw.length + 10 });
    expect(await add(raw)).toBe('ADMITTED');
    expect(await add(transfer(bob, { tip: 5n }))).toBe('POOL_FULL');
    expect(pool.sizeBytes()).toBe(raw.length);
  });

  test('transactions that are being checked are bounded', async () => {
    withLimits({ maxInFlight: 1 });
    const { promise, resolve } = Promise.withResolvers<void>();
    state.hold = promise;
    const first = pool.add(transfer(alice), 'local');
    expect(await add(transfer(bob))).toBe('POOL_FULL');
    resolve();
    expect(codeOf(await first)).toBe('ADMITTED');
  });
});

describe('imports of deposits', () => {
  test('a stolen key that sends one after another does not starve an honest relayer', async () => {
    const honest = importOf(relayer, 0n, 0n, 1);
    await add(honest);
    const chosen = [];
    for (let salt = 2; salt < 8; salt++) {
      await add(importOf(relayerTwo, 0n, 0n, salt));
      chosen.push(picked()[0]);
    }
    expect(chosen.filter((hash) => hash === hashOf(honest))).toHaveLength(3);
  });

  test('come first, without fees, when they are allowed', async () => {
    const ordinary = transfer(alice, { tip: 9n * GWEI });
    const deposit = importOf(relayer, 0n);
    await add(ordinary);
    expect(await add(deposit)).toBe('ADMITTED');
    expect(picked()).toEqual([deposit, ordinary].map(hashOf));
    expect(pool.pick({ ...ALL, allowImport: false }).map(hashOf)).toEqual([hashOf(ordinary)]);
  });

  test('one a block, the newest, and one a relayer, replaced freely', async () => {
    const older = importOf(relayer, 0n, 0n, 1);
    const newer = importOf(relayer, 0n, 0n, 2);
    const other = importOf(relayerTwo, 0n, 0n, 3);
    for (const raw of [older, newer, other]) expect(await add(raw)).toBe('ADMITTED');
    expect(pool.size()).toBe(2);
    expect(pool.get(hashOf(older))).toBeNull();
    expect(picked()).toEqual([hashOf(other)]);
    pool.backOff([hashOf(other)], 10);
    expect(picked()).toEqual([hashOf(newer)]);
  });

  test('only what starts at the next deposit is executable; what is behind is refused and dropped', async () => {
    const later = importOf(relayer, 4n);
    expect(await add(later)).toBe('ADMITTED');
    expect(picked()).toEqual([]);
    const now = importOf(relayerTwo, 0n);
    await add(now);
    state.commit([now], 4n);
    await pool.settled();
    expect(picked()).toEqual([hashOf(later)]);
    expect(await add(importOf(relayerTwo, 0n, 1n))).toBe('NOT_PERMITTED');
    state.commit([], 8n);
    expect(pool.size()).toBe(0);
  });

  test('a pool full of ordinary transactions takes them all the same', async () => {
    pool.close();
    pool = createTestPool(state, { limits: { maxTransactions: 1 } });
    await add(transfer(alice));
    expect(await add(importOf(relayer, 0n))).toBe('ADMITTED');
  });

  test('the same relayer’s other transactions wait for another block', async () => {
    const deposit = importOf(relayer, 0n);
    await add(deposit);
    await add(transfer(relayer, { nonce: 1n }));
    expect(picked()).toEqual([hashOf(deposit)]);
  });
});

describe('an account with a delegation (RULES 17)', () => {
  const delegated = concatBytes(Uint8Array.of(0xef, 0x01, 0x00), new Uint8Array(20).fill(1));

  test('has one pending transaction, which can be replaced', async () => {
    state.set(alice, { code: delegated });
    expect(await add(transfer(alice, { nonce: 1n }))).toBe('DELEGATION_PENDING');
    expect(await add(transfer(alice, { nonce: 0n }))).toBe('ADMITTED');
    expect(await add(transfer(alice, { nonce: 1n }))).toBe('DELEGATION_PENDING');
    expect(await add(transfer(alice, { nonce: 0n, tip: GWEI, maxFee: 3n * GWEI }))).toBe('ADMITTED');
    expect(pool.size()).toBe(1);
  });

  test('keeps one when it becomes delegated while more wait', async () => {
    for (let nonce = 0n; nonce < 3n; nonce++) await add(transfer(alice, { nonce }));
    const set = delegation(bob);
    state.set(alice, { code: delegated });
    state.commit([set]);
    await pool.settled();
    expect(pool.size()).toBe(1);
    expect(picked()).toHaveLength(1);
  });
});

describe('a committed block', () => {
  test('takes what it included and what it overtook, at once', async () => {
    const own = transfer(alice, { nonce: 0n, tip: 1n });
    const elsewhere = transfer(alice, { nonce: 0n, value: 77n });
    const next = transfer(alice, { nonce: 1n });
    await add(own);
    await add(next);
    state.commit([elsewhere]);
    expect(pool.get(hashOf(own))).toBeNull();
    expect(picked()).toEqual([hashOf(next)]);
    await pool.settled();
    expect(picked()).toEqual([hashOf(next)]);
    expect(await add(own)).toBe('NONCE_TOO_LOW');
  });

  test('makes what its sender can no longer pay for wait until it can', async () => {
    await add(transfer(alice, { nonce: 1n, value: ETHER / 2n }));
    state.commit([transfer(alice, { nonce: 0n, value: (ETHER * 3n) / 4n })]);
    await pool.settled();
    expect(picked()).toEqual([]);
    expect(pool.hasWork()).toBe(false);
    state.set(alice, { nonce: 1n, balance: ETHER });
    state.commit([transfer(bob)]);
    await pool.settled();
    expect(picked()).toHaveLength(1);
  });

  test('does not confuse an admission that reads while it happens', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    state.hold = promise;
    const first = transfer(alice, { nonce: 0n });
    const late = pool.add(transfer(alice, { nonce: 0n, tip: 7n }), 'local');
    state.commit([first]);
    state.hold = null;
    resolve();
    expect(codeOf(await late)).toBe('NONCE_TOO_LOW');
  });

  test('ends a back-off after its heights', async () => {
    const raw = transfer(alice);
    const after = transfer(alice, { nonce: 1n });
    await add(raw);
    await add(after);
    pool.backOff([hashOf(raw)], 2);
    expect(picked()).toEqual([]);
    expect(pool.hasWork()).toBe(false);
    state.commit([]);
    expect(picked()).toEqual([]);
    state.commit([]);
    expect(picked()).toEqual([raw, after].map(hashOf));
  });
});

describe('work per transaction', () => {
  test('a sender is read once for all its transactions', async () => {
    for (let nonce = 0n; nonce < 10n; nonce++) await add(transfer(alice, { nonce }));
    expect(state.reads.accounts).toBe(1);
  });

  test('an admission does not look at the many others that are held back', async () => {
    const senders = Array.from({ length: 200 }, (_, index) => createAccount(`held back ${index}`));
    for (const sender of senders) state.set(sender, {});
    const held = senders.map((sender) => transfer(sender));
    for (const raw of held) await add(raw);
    pool.backOff(held.map(hashOf), 10);
    await pool.settled();
    let heard = 0;
    pool.onWork(() => heard++);

    state.reads.heads = 0;
    expect(await add(transfer(senders[0]!, { nonce: 1n }))).toBe('ADMITTED');
    expect(heard).toBe(0);
    expect(state.reads.heads).toBeLessThan(20);

    expect(await add(transfer(alice))).toBe('ADMITTED');
    state.reads.heads = 0;
    expect(await add(transfer(bob))).toBe('ADMITTED');
    expect(pool.hasWork()).toBe(true);
    expect(state.reads.heads).toBeLessThan(20);
    expect(heard).toBe(2);
    expect(picked()).toHaveLength(2);
  });

  test('there is work as long as anybody has some, whoever had it last', async () => {
    await add(transfer(alice));
    expect(pool.hasWork()).toBe(true);
    await add(transfer(bob));
    state.commit([transfer(bob)]);
    await pool.settled();
    expect(pool.hasWork()).toBe(true);
    state.commit([transfer(alice)]);
    await pool.settled();
    expect(pool.hasWork()).toBe(false);
  });

  test('listeners hear of each admitted transaction once, clients’ own ones apart', async () => {
    const admitted: string[] = [];
    const local: string[] = [];
    pool.onAdmitted(({ hash }) => admitted.push(hash));
    pool.onLocal(({ hash }) => local.push(hash));
    const mine: Uint8Array = transfer(alice);
    const theirs = transfer(bob);
    await pool.add(mine, 'local');
    await pool.add(theirs, 'gossip');
    await pool.add(mine, 'gossip');
    expect(admitted).toEqual([mine, theirs].map(hashOf));
    expect(local).toEqual([hashOf(mine)]);
    expect(pool.waiting({ localSinceMs: 0, maxBytes: 10_000 }).transactions.map(hashOf)).toEqual([
      hashOf(mine),
    ]);
    expect(pool.waiting({ localSinceMs: 0, maxBytes: 10 }).transactions).toEqual([]);
    const account: Account = alice;
    expect(pool.get(hashOf(mine))).toMatchObject({ sender: account.address, nonce: 0n, gasLimit: 21_000n });
  });
});
