import fc from 'fast-check';
import { decodeTransaction, maxCostWei } from '#node/execution/transactionChecks.ts';
import {
  ALL,
  createAccount,
  createFakeState,
  createTestPool,
  type FakeState,
  GWEI,
  RULES,
  transfer,
} from './poolFixture.ts';

const ACCOUNTS = Array.from({ length: 5 }, (_, i) => createAccount(`account ${i}`));
const NONCES = 8;
const TIPS = [0n, 1n, GWEI, 3n * GWEI];
const LIMITS = { maxTransactions: 12, maxBytes: 2_000, maxExecutablePerSender: 3, maxQueuedPerSender: 2 };
const BALANCE = 21_000n * 4n * GWEI * 3n;

/** Signed once: signatures are most of the test's time. */
const TRANSACTIONS = ACCOUNTS.map((account) =>
  Array.from({ length: NONCES }, (_, nonce) =>
    TIPS.map((tip) => transfer(account, { nonce: BigInt(nonce), tip, maxFee: GWEI + tip })),
  ),
);

type Step =
  | {
      readonly kind: 'add';
      readonly account: number;
      readonly nonce: number;
      readonly tip: number;
      readonly local: boolean;
    }
  | { readonly kind: 'commit'; readonly count: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      account: fc.nat(ACCOUNTS.length - 1),
      nonce: fc.nat(NONCES - 1),
      tip: fc.nat(TIPS.length - 1),
      local: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('commit' as const), count: fc.nat(6) }) },
);

/** Executes a payload on nonces and balances as derivation would, and complains about the first that does not fit. */
const expectExecutable = (state: FakeState, payload: readonly Uint8Array[]): void => {
  const nonces = new Map<string, bigint>();
  const spent = new Map<string, bigint>();
  for (const raw of payload) {
    const decoded = decodeTransaction(raw, RULES);
    if (!decoded.ok) throw new Error(decoded.message);
    const { sender, nonce } = decoded.transaction;
    expect(nonce).toBe(nonces.get(sender) ?? state.nonceOf(sender));
    nonces.set(sender, nonce + 1n);
    spent.set(sender, (spent.get(sender) ?? 0n) + maxCostWei(decoded.transaction));
    expect(spent.get(sender)! <= state.balanceOf(sender)).toBe(true);
  }
};

test('whatever is added and committed, the bounds hold and a pick executes in its order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const state = createFakeState();
      for (const account of ACCOUNTS) state.set(account, { balance: BALANCE });
      const pool = createTestPool(state, { limits: LIMITS });
      for (const next of steps) {
        if (next.kind === 'add') {
          const raw = TRANSACTIONS[next.account]![next.nonce]![next.tip]!;
          await pool.add(raw, next.local ? 'local' : 'gossip');
        } else {
          state.commit(pool.pick({ ...ALL, maxCount: next.count }));
          // before and after the accounts were read again
          expectExecutable(state, pool.pick(ALL));
          await pool.settled();
        }
        expect(pool.size()).toBeLessThanOrEqual(LIMITS.maxTransactions);
        expect(pool.sizeBytes()).toBeLessThanOrEqual(LIMITS.maxBytes);
        const payload = pool.pick(ALL);
        expectExecutable(state, payload);
        expect(pool.hasWork()).toBe(payload.length > 0);
      }
      pool.close();
    }),
    { numRuns: 60 },
  );
});

test('any bytes are admitted or refused with a code, never thrown', async () => {
  const state = createFakeState();
  for (const account of ACCOUNTS) state.set(account, {});
  const pool = createTestPool(state);
  const whole = TRANSACTIONS[0]![0]![0]!;
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 120 }),
      fc.nat(whole.length - 1),
      fc.nat(255),
      async (bytes, at, value) => {
        const damaged = whole.slice();
        damaged[at] = value;
        for (const raw of [bytes, damaged, whole.subarray(0, at)]) {
          const admission = await pool.add(raw, 'gossip');
          expect(admission.admitted || admission.code.length > 0).toBe(true);
        }
      },
    ),
    { numRuns: 200 },
  );
  pool.close();
});
