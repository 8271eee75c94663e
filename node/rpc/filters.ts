/**
 * Filters that clients poll (eth_newFilter and its kin).
 *
 * A log or block filter is a position in the chain, not a buffer: what changed is read from the chain when it is asked
 * for. Only the pending filter buffers hashes, the newest few thousand. Bounded: an unpolled filter expires, and when
 * there are too many the one that was polled longest ago makes place.
 */
import { randomBytes } from 'node:crypto';
import type { Hash, Hex } from '#consensus/primitives.ts';
import type { LogFilter } from '#node/rpc/params.ts';

export type Filter =
  | {
      readonly kind: 'logs';
      readonly filter: LogFilter;
      /** First height not reported yet. */
      nextHeight: bigint;
      /** Last height that interests it, null for no end. */
      readonly lastHeight: bigint | null;
    }
  | { readonly kind: 'blocks'; nextHeight: bigint }
  | { readonly kind: 'pending'; hashes: Hash[] };

export type FilterRegistry = {
  /** @returns the filter's id */
  add(filter: Filter): Hex;
  /** Finds it and renews its life; null if unknown or expired. */
  use(id: string): Filter | null;
  remove(id: string): boolean;
  recordPending(hash: Hash): void;
  size(): number;
};

const MAX_PENDING_HASHES = 4_096;

/** geth's ids: random, without leading zeros. */
export const createId = (): Hex => `0x${randomBytes(16).toString('hex').replace(/^0+/, '').padStart(1, '1')}`;

export const createFilterRegistry = (options: {
  readonly maxFilters: number;
  readonly expiryMs: number;
  readonly nowMs: () => number;
}): FilterRegistry => {
  // In the order of last use, so that the first is the one to go.
  const filters = new Map<string, { readonly filter: Filter; usedMs: number }>();

  const dropExpired = (): void => {
    const oldestMs = options.nowMs() - options.expiryMs;
    for (const [id, { usedMs }] of filters) {
      if (usedMs >= oldestMs) return;
      filters.delete(id);
    }
  };

  return {
    add(filter) {
      dropExpired();
      const oldest = filters.keys().next();
      if (filters.size >= options.maxFilters && !oldest.done) filters.delete(oldest.value);
      const id = createId();
      filters.set(id, { filter, usedMs: options.nowMs() });
      return id;
    },
    use(id) {
      dropExpired();
      const entry = filters.get(id);
      if (entry === undefined) return null;
      filters.delete(id);
      filters.set(id, { filter: entry.filter, usedMs: options.nowMs() });
      return entry.filter;
    },
    remove: (id) => filters.delete(id),
    recordPending(hash) {
      for (const { filter } of filters.values()) {
        if (filter.kind !== 'pending') continue;
        filter.hashes.push(hash);
        if (filter.hashes.length > MAX_PENDING_HASHES) filter.hashes.shift();
      }
    },
    size: () => filters.size,
  };
};
