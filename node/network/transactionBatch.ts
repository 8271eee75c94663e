/**
 * A batch of transactions on the wire: who has it already, then the transactions.
 *
 *   count      uint8   number of holders
 *   holders    count × uint32   first four bytes of keccak-256 of a PeerId: whom its sender gave it to, and had it from
 *   then, for each transaction, its length as uint32 and its bytes
 *
 * Owns the format and its bounds. Does not own what a transaction is (node/mempool/). The holders are a hint: one who
 * lies about them only keeps back what it could have kept back anyway.
 */
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { FRAME_HEADER_BYTES } from '#node/network/frames.ts';
import { NetworkError } from '#node/network/networkError.ts';

export const MAX_BATCH_BYTES = 256 * 1024;
export const MAX_BATCH_TRANSACTIONS = 1_024;
/** As MAX_TRANSACTION_BYTES of the admission checks. */
export const MAX_GOSSIPED_TRANSACTION_BYTES = 128 * 1024;
export const MAX_HOLDERS = 255;
const HOLDER_BYTES = 4;

export type Batch = { readonly holders: ReadonlySet<number>; readonly transactions: readonly Uint8Array[] };

/** What a peer is called in a batch. */
export const holderOf = (peerId: string): number => {
  const hash = keccak256(new TextEncoder().encode(peerId));
  return new DataView(hash.buffer, hash.byteOffset).getUint32(0);
};

const MAX_PREFIX_BYTES = 1 + MAX_HOLDERS * HOLDER_BYTES;

/** As many batches as the bounds make necessary; transactions that no batch can hold are left out. */
export const splitTransactions = (transactions: readonly Uint8Array[]): Uint8Array[][] => {
  const batches: Uint8Array[][] = [];
  let batch: Uint8Array[] = [];
  let bytes = MAX_PREFIX_BYTES;
  for (const raw of transactions) {
    if (raw.length === 0 || raw.length > MAX_GOSSIPED_TRANSACTION_BYTES) continue;
    const cost = FRAME_HEADER_BYTES + raw.length;
    if (batch.length === MAX_BATCH_TRANSACTIONS || bytes + cost > MAX_BATCH_BYTES) {
      batches.push(batch);
      batch = [];
      bytes = MAX_PREFIX_BYTES;
    }
    batch.push(raw);
    bytes += cost;
  }
  return batch.length === 0 ? batches : [...batches, batch];
};

/** Of more holders than fit the first are named. */
export const encodeBatch = (holders: Iterable<number>, transactions: readonly Uint8Array[]): Uint8Array => {
  const named = [...holders].slice(0, MAX_HOLDERS);
  const sizeBytes = transactions.reduce(
    (sum, raw) => sum + FRAME_HEADER_BYTES + raw.length,
    1 + HOLDER_BYTES * named.length,
  );
  const data = new Uint8Array(sizeBytes);
  const view = new DataView(data.buffer);
  view.setUint8(0, named.length);
  let at = 1;
  for (const holder of named) {
    view.setUint32(at, holder);
    at += HOLDER_BYTES;
  }
  for (const raw of transactions) {
    view.setUint32(at, raw.length);
    data.set(raw, at + FRAME_HEADER_BYTES);
    at += FRAME_HEADER_BYTES + raw.length;
  }
  return data;
};

/** @throws NetworkError MALFORMED, OVERSIZED */
export const decodeBatch = (data: Uint8Array): Batch => {
  if (data.length > MAX_BATCH_BYTES)
    throw new NetworkError(
      'OVERSIZED',
      `expected a batch of at most ${MAX_BATCH_BYTES} bytes, found ${data.length}`,
    );
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const count = data[0] ?? 0;
  let at = 1 + HOLDER_BYTES * count;
  if (at >= data.length) throw new NetworkError('MALFORMED', 'expected transactions in a batch, found none');
  const holders = new Set<number>();
  for (let i = 0; i < count; i++) holders.add(view.getUint32(1 + HOLDER_BYTES * i));
  const transactions: Uint8Array[] = [];
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
  return { holders, transactions };
};
