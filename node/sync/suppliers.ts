/**
 * How well each peer supplies: whom to ask next, how long to leave a peer alone.
 *
 * Owns one score for each peer, in milliseconds a block. A slow peer is asked less, a failing one rests for a time that
 * doubles, one that served something wrong is distrusted for longer; nobody is excluded for ever, because an idle
 * score fades. Bounded by the allow-list: only its peers connect. Does not own what is wrong (the chain says so).
 */

export type Suppliers = {
  /** The peer that is expected to answer first; null when each one rests or has enough to do. */
  choose(candidates: readonly string[]): string | null;
  /** How long an answer of this many blocks should take. */
  expectedMs(peerId: string, blocks: number): number;
  began(peerId: string): void;
  answered(peerId: string, elapsedMs: number, blocks: number): void;
  /** @returns how often in a row */
  failed(peerId: string): number;
  /** The request is over, whatever became of it. */
  ended(peerId: string): void;
  /** @returns false when the peer is distrusted already: one lie is charged once */
  distrust(peerId: string): boolean;
  isDistrusted(peerId: string): boolean;
};

const MAX_REQUESTS_PER_PEER = 2;
const REST_MS = 1_000;
const MAX_REST_MS = 30_000;
const DISTRUST_MS = 30_000;
const MAX_DISTRUST_MS = 600_000;
/** The weight of the newest answer. */
const NEWEST = 0.3;
/** A score that is not renewed halves in this time, so that a slow peer gets another chance. */
const HALF_LIFE_MS = 20_000;
/** What an unknown peer is expected to take: it is tried early. */
const BEST_MS_PER_BLOCK = 1;

type Record = {
  open: number;
  msPerBlock: number;
  scoredMs: number;
  failures: number;
  restUntilMs: number;
  lies: number;
  distrustUntilMs: number;
};

const doubled = (firstMs: number, times: number, capMs: number): number =>
  Math.min(capMs, firstMs * 2 ** Math.min(times - 1, 30));

export const createSuppliers = (nowMs: () => number): Suppliers => {
  const records = new Map<string, Record>();

  const recordOf = (peerId: string): Record => {
    let record = records.get(peerId);
    if (record === undefined) {
      record = {
        open: 0,
        msPerBlock: BEST_MS_PER_BLOCK,
        scoredMs: nowMs(),
        failures: 0,
        restUntilMs: 0,
        lies: 0,
        distrustUntilMs: 0,
      };
      records.set(peerId, record);
    }
    return record;
  };

  const scoreOf = ({ msPerBlock, scoredMs }: Record): number =>
    Math.max(BEST_MS_PER_BLOCK, msPerBlock * 0.5 ** ((nowMs() - scoredMs) / HALF_LIFE_MS));

  const setScore = (record: Record, msPerBlock: number): void => {
    record.msPerBlock = msPerBlock;
    record.scoredMs = nowMs();
  };

  return {
    choose(candidates) {
      let best: string | null = null;
      let bestCost = Number.POSITIVE_INFINITY;
      for (const peerId of candidates) {
        const record = recordOf(peerId);
        if (record.open >= MAX_REQUESTS_PER_PEER) continue;
        if (Math.max(record.restUntilMs, record.distrustUntilMs) > nowMs()) continue;
        const cost = (record.open + 1) * scoreOf(record);
        if (cost >= bestCost) continue;
        best = peerId;
        bestCost = cost;
      }
      return best;
    },
    expectedMs: (peerId, blocks) => scoreOf(recordOf(peerId)) * blocks,
    began(peerId) {
      recordOf(peerId).open++;
    },
    answered(peerId, elapsedMs, blocks) {
      const record = recordOf(peerId);
      record.failures = 0;
      setScore(record, (1 - NEWEST) * scoreOf(record) + NEWEST * (elapsedMs / Math.max(1, blocks)));
    },
    failed(peerId) {
      const record = recordOf(peerId);
      record.failures++;
      record.restUntilMs = nowMs() + doubled(REST_MS, record.failures, MAX_REST_MS);
      setScore(record, 2 * scoreOf(record));
      return record.failures;
    },
    ended(peerId) {
      recordOf(peerId).open--;
    },
    distrust(peerId) {
      const record = recordOf(peerId);
      if (record.distrustUntilMs > nowMs()) return false;
      // Long enough after the last lie, the count begins again.
      if (nowMs() - record.distrustUntilMs > MAX_DISTRUST_MS) record.lies = 0;
      record.lies++;
      record.distrustUntilMs = nowMs() + doubled(DISTRUST_MS, record.lies, MAX_DISTRUST_MS);
      return true;
    },
    isDistrusted: (peerId) => (records.get(peerId)?.distrustUntilMs ?? 0) > nowMs(),
  };
};
