/**
 * What faults cost a peer, and when it is banned.
 *
 * Owns scores and bans of allow-listed peers (so the tables are as bounded as the list). A score recovers with time
 * and a ban expires: a peer that was misjudged, or repaired, comes back by itself.
 */
import type { PeerFault } from '#node/network/network.ts';

export type ScoreOptions = {
  readonly cost: Readonly<Record<PeerFault, number>>;
  /** Faults that add up to this ban the peer. */
  readonly limit: number;
  readonly recoveryPerSecond: number;
  readonly banMs: number;
};

export const DEFAULT_SCORE: ScoreOptions = {
  cost: { malformed: 60, invalid: 20, oversized: 100, flood: 5, forbidden: 30 },
  limit: 100,
  recoveryPerSecond: 1,
  banMs: 60_000,
};

export type PeerScores = {
  /** @returns true if this fault banned the peer */
  fault(peerId: string, fault: PeerFault): boolean;
  isBanned(peerId: string): boolean;
  /** Milliseconds until the ban ends, 0 when there is none. */
  banLeftMs(peerId: string): number;
};

type Entry = { points: number; updatedMs: number; bannedUntilMs: number };

export const createPeerScores = (options: ScoreOptions, nowMs: () => number): PeerScores => {
  const entries = new Map<string, Entry>();

  const banLeftMs = (peerId: string): number =>
    Math.max(0, (entries.get(peerId)?.bannedUntilMs ?? 0) - nowMs());

  return {
    fault(peerId, fault) {
      const now = nowMs();
      const entry = entries.get(peerId) ?? { points: 0, updatedMs: now, bannedUntilMs: 0 };
      entries.set(peerId, entry);
      const recovered = (Math.max(0, now - entry.updatedMs) * options.recoveryPerSecond) / 1000;
      entry.points = Math.max(0, entry.points - recovered) + options.cost[fault];
      entry.updatedMs = now;
      if (entry.points < options.limit || entry.bannedUntilMs > now) return false;
      entry.bannedUntilMs = now + options.banMs;
      entry.points = 0;
      return true;
    },
    isBanned: (peerId) => banLeftMs(peerId) > 0,
    banLeftMs,
  };
};
