/**
 * Who leaves a full pool first, without looking at all of it for each arrival.
 *
 * Owns the order of leaving: what is not executable before what is, then the smallest tip, then the latest arrival;
 * always the last nonce of its sender, so that no gap opens, and never what our own client sent and could be next. Some
 * hundred candidates are kept, cheapest first; the whole pool is walked only when they are used up, or after a block.
 * Invariant: what `cheapest` gives is in the pool, may leave, and nothing that was added since is cheaper.
 */
import { type Entry, executableCount, type SenderQueue } from '#node/mempool/senderQueue.ts';

export type Victim = { readonly queue: SenderQueue; readonly entry: Entry; readonly executable: boolean };

export type Eviction = {
  /** Null when nothing may leave. */
  cheapest(): Victim | null;
  /** The queue has changed: its last entry is another one now, or was added. */
  noteChanged(queue: SenderQueue): void;
  /** States have changed: whatever was executable may not be now. */
  forget(): void;
};

export type EvictionOptions = {
  readonly queues: () => Iterable<SenderQueue>;
  readonly isHere: (entry: Entry) => boolean;
  readonly tipOf: (entry: Entry) => bigint;
  readonly maxExecutablePerSender: number;
};

export const MAX_CANDIDATES = 256;

export const createEviction = (options: EvictionOptions): Eviction => {
  const { queues, isHere, tipOf, maxExecutablePerSender } = options;
  /** Cheapest last, so that taking it is cheap. */
  let candidates: Victim[] = [];
  /** Has the pool been walked since the states last changed? */
  let isKnown = false;
  /** Are there others that may leave? They are dearer than each of the candidates. */
  let hasMore = false;

  const victimOf = (queue: SenderQueue): Victim | null => {
    const entry = queue.entries.at(-1);
    if (entry === undefined) return null;
    const executable = executableCount(queue, maxExecutablePerSender) === queue.entries.length;
    return entry.local && executable ? null : { queue, entry, executable };
  };

  const isCheaper = (a: Victim, b: Victim): boolean => {
    if (a.executable !== b.executable) return !a.executable;
    const [tipA, tipB] = [tipOf(a.entry), tipOf(b.entry)];
    return tipA === tipB ? a.entry.sequence > b.entry.sequence : tipA < tipB;
  };

  const collect = (): void => {
    const all: Victim[] = [];
    for (const queue of queues()) {
      const victim = victimOf(queue);
      if (victim !== null) all.push(victim);
    }
    all.sort((a, b) => (isCheaper(a, b) ? 1 : -1));
    candidates = all.slice(-MAX_CANDIDATES);
    hasMore = all.length > candidates.length;
    isKnown = true;
  };

  const isStill = ({ queue, entry, executable }: Victim): boolean => {
    if (!isHere(entry) || queue.entries.at(-1) !== entry) return false;
    return (executableCount(queue, maxExecutablePerSender) === queue.entries.length) === executable;
  };

  return {
    cheapest() {
      for (let last = candidates.at(-1); last !== undefined; last = candidates.at(-1)) {
        if (isStill(last)) return last;
        candidates.pop();
      }
      if (!isKnown || hasMore) collect();
      return candidates.at(-1) ?? null;
    },
    noteChanged(queue) {
      const victim = isKnown ? victimOf(queue) : null;
      if (victim === null) return;
      const dearest = candidates[0];
      if (hasMore && (dearest === undefined || !isCheaper(victim, dearest))) return;
      let [low, high] = [0, candidates.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (isCheaper(victim, candidates[middle]!)) low = middle + 1;
        else high = middle;
      }
      if (candidates[low]?.entry === victim.entry || candidates[low - 1]?.entry === victim.entry) return;
      candidates.splice(low, 0, victim);
      if (candidates.length <= MAX_CANDIDATES) return;
      candidates.shift();
      hasMore = true;
    },
    forget() {
      candidates = [];
      isKnown = false;
      hasMore = false;
    },
  };
};
