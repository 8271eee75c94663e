/** The kept candidates against a walk through the whole pool, and how often that walk is made. */
import fc from 'fast-check';
import type { DecodedTransaction, SenderState } from '#node/execution/transactionChecks.ts';
import { createEviction, MAX_CANDIDATES } from '#node/mempool/eviction.ts';
import {
  createSenderQueue,
  type Entry,
  executableCount,
  type SenderQueue,
} from '#node/mempool/senderQueue.ts';

const MAX_EXECUTABLE = 64;
const STATE: SenderState = { nonce: 0n, balance: 10n ** 30n, code: 'none' };

/** A pool of one-entry queues and longer ones, with a counter of walks. */
const create = () => {
  const queues = new Map<string, SenderQueue>();
  const here = new Set<Entry>();
  let walks = 0;
  let sequence = 0;
  const eviction = createEviction({
    queues: () => {
      walks++;
      return queues.values();
    },
    isHere: (entry) => here.has(entry),
    tipOf: ({ transaction }) => transaction.maxPriorityFeePerGas,
    maxExecutablePerSender: MAX_EXECUTABLE,
  });
  const add = (sender: string, tip: bigint, { gap = 0n, local = false } = {}): void => {
    const queue = queues.get(sender) ?? createSenderQueue(STATE);
    const last = queue.entries.at(-1);
    const nonce = (last === undefined ? 0n : last.transaction.nonce + 1n) + gap;
    const transaction = {
      nonce,
      gasLimit: 21_000n,
      valueWei: 0n,
      maxFeePerGas: tip,
      maxPriorityFeePerGas: tip,
    } as unknown as DecodedTransaction;
    const entry: Entry = { transaction, local, sequence: ++sequence, arrivedMs: 0 };
    queue.entries.push(entry);
    queues.set(sender, queue);
    here.add(entry);
    eviction.noteChanged(queue);
  };
  const dropLast = (sender: string): void => {
    const queue = queues.get(sender);
    const entry = queue?.entries.pop();
    if (queue === undefined || entry === undefined) return;
    here.delete(entry);
    if (queue.entries.length === 0) queues.delete(sender);
    else eviction.noteChanged(queue);
  };
  /** What the order of leaving says, found the long way. */
  const expected = (): Entry | null => {
    let found: { entry: Entry; executable: boolean } | null = null;
    for (const queue of queues.values()) {
      const entry = queue.entries.at(-1)!;
      const executable = executableCount(queue, MAX_EXECUTABLE) === queue.entries.length;
      if (entry.local && executable) continue;
      const key = (victim: { entry: Entry; executable: boolean }): readonly bigint[] => [
        victim.executable ? 1n : 0n,
        victim.entry.transaction.maxPriorityFeePerGas,
        -BigInt(victim.entry.sequence),
      ];
      const isCheaper =
        found === null ||
        key({ entry, executable }).reduce(
          (verdict, part, i) => (verdict !== 0 ? verdict : Number(part - key(found!)[i]!)),
          0,
        ) < 0;
      if (isCheaper) found = { entry, executable };
    }
    return found?.entry ?? null;
  };
  const owner = (entry: Entry): string => [...queues].find(([, queue]) => queue.entries.includes(entry))![0];
  return { eviction, queues, add, dropLast, expected, owner, walks: () => walks };
};

test('is always the one that a walk through all finds, whatever came and went meanwhile', () => {
  const action = fc.oneof(
    fc.record({
      kind: fc.constant('add' as const),
      sender: fc.nat(400),
      tip: fc.bigInt({ min: 1n, max: 50n }),
      gap: fc.constantFrom(0n, 0n, 0n, 2n),
      local: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('drop' as const), sender: fc.nat(400) }),
    fc.record({ kind: fc.constant('evict' as const) }),
    fc.record({ kind: fc.constant('block' as const) }),
  );
  fc.assert(
    fc.property(fc.array(action, { minLength: 300, maxLength: 900 }), (actions) => {
      const pool = create();
      for (const [i, step] of actions.entries()) {
        if (step.kind === 'add') pool.add(`${step.sender}`, step.tip, step);
        else if (step.kind === 'drop') pool.dropLast(`${step.sender}`);
        else if (step.kind === 'evict') {
          const victim = pool.eviction.cheapest();
          if (victim !== null) pool.dropLast(pool.owner(victim.entry));
        } else pool.eviction.forget();
        if (i % 7 === 0) expect(pool.eviction.cheapest()?.entry ?? null).toBe(pool.expected());
      }
    }),
    { numRuns: 30 },
  );
});

test('a full pool is not walked for each arrival, whether it makes room, is refused, or nobody may leave', () => {
  const pool = create();
  for (let i = 0; i < 2_000; i++) pool.add(`sender ${i}`, BigInt(10 + (i % 100)));
  const arrivals = 3 * MAX_CANDIDATES;
  for (let i = 0; i < arrivals; i++) {
    const victim = pool.eviction.cheapest()!;
    pool.dropLast(pool.owner(victim.entry));
    pool.add(`better ${i}`, 1_000n);
  }
  for (let i = 0; i < arrivals; i++) pool.eviction.cheapest();
  expect(pool.walks()).toBeLessThanOrEqual(arrivals / MAX_CANDIDATES + 2);
  const ours = create();
  for (let i = 0; i < 500; i++) ours.add(`client ${i}`, 5n, { local: true });
  for (let i = 0; i < 1_000; i++) expect(ours.eviction.cheapest()).toBeNull();
  expect(ours.walks()).toBe(1);
});
