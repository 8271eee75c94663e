/**
 * Transactions over gossipsub: batches out, checked batches in.
 *
 * Owns the batch format and the budgets. A batch is 8 random bytes (so that the same transactions can be announced
 * again later; the message id is the keccak of all the bytes), then each transaction with a uint32 length. Does not
 * own what a transaction is (node/mempool/).
 *
 * Invariant: a batch that is malformed, too large or over the sender's budget is not forwarded.
 */
import { randomBytes } from 'node:crypto';
import { concatBytes } from '#consensus/primitives.ts';
import { FRAME_HEADER_BYTES, frameHeader } from '#node/network/frames.ts';
import { NetworkError } from '#node/network/networkError.ts';

export const MAX_BATCH_BYTES = 256 * 1024;
export const MAX_BATCH_TRANSACTIONS = 1_024;
/** As MAX_TRANSACTION_BYTES of the admission checks. */
export const MAX_GOSSIPED_TRANSACTION_BYTES = 128 * 1024;
const SALT_BYTES = 8;
const COLLECT_MS = 5;
/** What may wait to be published; more is dropped (the pool announces again). */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

export const encodeBatch = (transactions: readonly Uint8Array[]): Uint8Array =>
  concatBytes(randomBytes(SALT_BYTES), ...transactions.flatMap((raw) => [frameHeader(raw.length), raw]));

/** @throws NetworkError MALFORMED, OVERSIZED */
export const decodeBatch = (data: Uint8Array): Uint8Array[] => {
  if (data.length > MAX_BATCH_BYTES)
    throw new NetworkError(
      'OVERSIZED',
      `expected a batch of at most ${MAX_BATCH_BYTES} bytes, found ${data.length}`,
    );
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const transactions: Uint8Array[] = [];
  let at = SALT_BYTES;
  while (at < data.length) {
    if (at + FRAME_HEADER_BYTES > data.length)
      throw new NetworkError('MALFORMED', 'a batch ends inside a length');
    const size = view.getUint32(at);
    at += FRAME_HEADER_BYTES;
    if (size > MAX_GOSSIPED_TRANSACTION_BYTES)
      throw new NetworkError('OVERSIZED', `a transaction of ${size} bytes in a batch`);
    if (size === 0 || at + size > data.length) throw new NetworkError('MALFORMED', 'a batch ends too early');
    // a copy, so that one kept transaction does not keep the whole batch
    transactions.push(data.slice(at, at + size));
    at += size;
    if (transactions.length > MAX_BATCH_TRANSACTIONS)
      throw new NetworkError('OVERSIZED', `more than ${MAX_BATCH_TRANSACTIONS} transactions in a batch`);
  }
  if (transactions.length === 0) throw new NetworkError('MALFORMED', 'an empty batch');
  return transactions;
};

export type Batcher = { add(transactions: readonly Uint8Array[]): void; stop(): void };

/** Collects for a few milliseconds, or until a batch is full. */
export const createBatcher = (publish: (batch: Uint8Array) => void): Batcher => {
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;

  const nextBatch = (): Uint8Array[] => {
    let bytes = SALT_BYTES;
    let count = 0;
    for (const raw of waiting) {
      if (count === MAX_BATCH_TRANSACTIONS || bytes + FRAME_HEADER_BYTES + raw.length > MAX_BATCH_BYTES)
        break;
      bytes += FRAME_HEADER_BYTES + raw.length;
      count++;
    }
    return waiting.splice(0, count);
  };

  const flush = (): void => {
    timer = null;
    while (waiting.length > 0) publish(encodeBatch(nextBatch()));
    waiting = [];
    waitingBytes = 0;
  };

  return {
    add(transactions) {
      if (stopped) return;
      for (const raw of transactions) {
        if (raw.length === 0 || raw.length > MAX_GOSSIPED_TRANSACTION_BYTES) continue;
        if (waitingBytes + raw.length > MAX_WAITING_BYTES) break;
        waiting.push(raw);
        waitingBytes += raw.length;
      }
      if (waitingBytes >= MAX_BATCH_BYTES / 2) {
        if (timer !== null) clearTimeout(timer);
        flush();
      } else if (waiting.length > 0) timer ??= setTimeout(flush, COLLECT_MS);
    },
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      waiting = [];
    },
  };
};
