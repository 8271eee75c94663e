import fc from 'fast-check';
import { NetworkError } from '#node/network/networkError.ts';
import {
  decodeBatch,
  encodeBatch,
  holderOf,
  MAX_BATCH_BYTES,
  MAX_BATCH_TRANSACTIONS,
  MAX_GOSSIPED_TRANSACTION_BYTES,
  MAX_HOLDERS,
  splitTransactions,
} from '#node/network/transactionBatch.ts';

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7);

test('a batch survives the wire with its holders', () => {
  const transactions = [Uint8Array.of(1), bytes(1_000)];
  const holders = [holderOf('one'), holderOf('two'), 0xffffffff];
  expect(decodeBatch(encodeBatch(holders, transactions))).toEqual({
    holders: new Set(holders),
    transactions,
  });
  expect(decodeBatch(encodeBatch([], transactions)).holders.size).toBe(0);
});

test('of more holders than fit the first are named', () => {
  const many = Array.from({ length: MAX_HOLDERS + 20 }, (_, i) => i);
  expect([...decodeBatch(encodeBatch(many, [bytes(1)])).holders]).toEqual(many.slice(0, MAX_HOLDERS));
});

test.each([
  ['too large', bytes(MAX_BATCH_BYTES + 1)],
  ['nothing at all', bytes(0)],
  ['without transactions', encodeBatch([1, 2], [])],
  ['cut in its holders', encodeBatch([1, 2], [bytes(3)]).subarray(0, 6)],
  ['an empty transaction', encodeBatch([], [bytes(0)])],
  ['cut in a length', encodeBatch([], [bytes(3)]).subarray(0, 3)],
  ['cut in a transaction', encodeBatch([], [bytes(3)]).subarray(0, 7)],
  [
    'too many',
    encodeBatch(
      [],
      Array.from({ length: MAX_BATCH_TRANSACTIONS + 1 }, () => bytes(1)),
    ),
  ],
  ['a transaction too large', encodeBatch([], [bytes(MAX_GOSSIPED_TRANSACTION_BYTES + 1)])],
])('%s is refused', (_what, data) => {
  expect(() => decodeBatch(data)).toThrow(NetworkError);
});

test('any bytes are decoded or refused with the typed error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (data) => {
      try {
        return decodeBatch(data).transactions.length > 0;
      } catch (error) {
        return error instanceof NetworkError;
      }
    }),
  );
});

test('what is split fits: every batch is within its bounds, with all its holders, and nothing is lost or moved', () => {
  const all = [
    ...Array.from({ length: 2_500 }, (_, i) => bytes(1 + (i % 150))),
    ...Array.from({ length: 7 }, () => bytes(MAX_GOSSIPED_TRANSACTION_BYTES)),
  ];
  const everybody = Array.from({ length: MAX_HOLDERS }, (_, i) => i);
  const batches = splitTransactions([bytes(0), ...all, bytes(MAX_GOSSIPED_TRANSACTION_BYTES + 1)]);
  expect(batches.flatMap((batch) => decodeBatch(encodeBatch(everybody, batch)).transactions)).toEqual(all);
});
