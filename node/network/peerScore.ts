/**
 * What faults cost a peer, and when it is banned.
 *
 * Owns scores and bans, by the name that the owner gives (so the tables are as bounded as its names). A score
 * recovers with time and every ban expires: a peer that was misjudged, or repaired, comes back by itself. A
 * validator is banned for a moment only, and never when the set could not make a quorum without it: what it may
 * cost is bounded by budgets, and a ban by mistake must not stop the chain.
 */
import type { PeerFault } from '#node/network/network.ts';

export type ScoreOptions = {
  readonly cost: Readonly<Record<PeerFault, number>>;
  /** Faults that add up to this ban the peer. */
  readonly limit: number;
  readonly recoveryPerSecond: number;
  readonly banMs: number;
  readonly validatorBanMs: number;
};

export const DEFAULT_SCORE: ScoreOptions = {
  cost: { malformed: 60, invalid: 20, oversized: 100, flood: 5, forbidden: 30 },
  limit: 100,
  recoveryPerSecond: 1,
  banMs: 60_000,
  validatorBanMs: 5_000,
};

export type ScoredPeer = {
  readonly name: string;
  /** True for a validator of the chain: short bans. */
  readonly isValidator: boolean;
  /** False: the peer keeps its connection, whatever it did. Asked at the limit only. */
  readonly mayBan: () => boolean;
};

export type PeerScores = {
  /** @returns how long this fault banned the peer; 0 when it did not */
  fault(peer: ScoredPeer, fault: PeerFault): number;
  isBanned(name: string): boolean;
  /** Milliseconds until the ban ends, 0 when there is none. */
  banLeftMs(name: string): number;
  /** Names with a ban that has not ended. */
  banned(): readonly string[];
};

type Entry = { points: number; updatedMs: number; bannedUntilMs: number };
const MAX_ENTRIES = 4_096;

export const createPeerScores = (options: ScoreOptions, nowMs: () => number): PeerScores => {
  const entries = new Map<string, Entry>();

  const banLeftMs = (name: string): number => Math.max(0, (entries.get(name)?.bannedUntilMs ?? 0) - nowMs());

  const entryOf = (name: string, now: number): Entry => {
    let entry = entries.get(name);
    if (entry === undefined) {
      if (entries.size >= MAX_ENTRIES) entries.delete(entries.keys().next().value!);
      entry = { points: 0, updatedMs: now, bannedUntilMs: 0 };
      entries.set(name, entry);
    }
    return entry;
  };

  return {
    fault({ name, isValidator, mayBan }, fault) {
      const now = nowMs();
      const entry = entryOf(name, now);
      const recovered = (Math.max(0, now - entry.updatedMs) * options.recoveryPerSecond) / 1000;
      entry.points = Math.max(0, entry.points - recovered) + options.cost[fault];
      entry.updatedMs = now;
      if (entry.points < options.limit || entry.bannedUntilMs > now) return 0;
      entry.points = 0;
      if (!mayBan()) return 0;
      const banMs = isValidator ? options.validatorBanMs : options.banMs;
      entry.bannedUntilMs = now + banMs;
      return banMs;
    },
    isBanned: (name) => banLeftMs(name) > 0,
    banLeftMs,
    banned: () => [...entries.keys()].filter((name) => banLeftMs(name) > 0),
  };
};
