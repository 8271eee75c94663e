/**
 * Faults, bans and refusals: who is not listened to, for how long, and what is said about it.
 *
 * Owns the scores and what a ban does. A ban names whom it is for: the proven key of a validator, with all its
 * PeerIds, or a PeerId. Invariants: every ban ends by itself; bans never take more than a third of the voting power,
 * this node's own view of the set taken; what peers do cannot fill the log.
 */
import type { Address } from '#consensus/primitives.ts';
import type { AllowList } from '#node/network/allowList.ts';
import type { CounterBook } from '#node/network/counters.ts';
import type { Peer, PeerFault } from '#node/network/network.ts';
import { budgetName } from '#node/network/peerBudgets.ts';
import { createPeerScores, type ScoreOptions } from '#node/network/peerScore.ts';
import type { SecurityLog } from '#node/network/securityLog.ts';
import { createTokenBucket, type TokenBucket } from '#node/network/tokenBucket.ts';

export type Defence = {
  reportFault(peerId: string, fault: PeerFault, detail: string): void;
  isBanned(peerId: string): boolean;
  isKeyBanned(address: Address): boolean;
  banLeftMs(peerId: string): number;
  bannedNow(): readonly string[];
  /** One more connection of this known PeerId: false when it comes too often. */
  mayConnectAgain(peerId: string): boolean;
};

export type DefenceOptions = {
  readonly score: ScoreOptions;
  readonly allowList: AllowList;
  readonly counters: CounterBook;
  readonly log: SecurityLog;
  readonly nowMs: () => number;
  readonly connectedPeer: (peerId: string) => Peer | null;
  /** Ends every connection of whom this budget name belongs to. */
  readonly dropAll: (name: string, reason: string) => void;
};

const CONNECTS = { perSecond: 0.5, burst: 20 };
const MAX_PEERS = 1_024;

export const createDefence = (options: DefenceOptions): Defence => {
  const { allowList, counters, log, nowMs, connectedPeer, dropAll } = options;
  const scores = createPeerScores(options.score, nowMs);
  const connects = new Map<string, TokenBucket>();

  const bannedPower = (): bigint =>
    scores.banned().reduce((sum, name) => sum + allowList.power(keyOf(name)).own, 0n);

  /** The key that a name stands for: the name itself, or what the specification gives to the PeerId. */
  const keyOf = (name: string): Address | null =>
    name.startsWith('0x') ? (name as Address) : (allowList.get(name)?.validator ?? null);

  const mayBan = (key: Address | null): boolean => {
    const { own, total } = allowList.power(key);
    return own === 0n || 3n * (bannedPower() + own) < total;
  };

  const namesOf = (peerId: string): readonly string[] => {
    const validator = connectedPeer(peerId)?.validator ?? allowList.get(peerId)?.validator ?? null;
    return validator === null ? [peerId] : [peerId, validator];
  };
  const banLeftMs = (peerId: string): number => Math.max(...namesOf(peerId).map(scores.banLeftMs));

  return {
    reportFault(peerId, fault, detail) {
      const listed = allowList.get(peerId);
      const peer = connectedPeer(peerId) ?? listed;
      if (peer === null) return;
      counters.fault(peerId);
      log('debug', `fault ${fault}`, peerId, { peerId, fault, detail }, 'peer fault');
      const name = budgetName(peer);
      const key = keyOf(name);
      const isValidator = allowList.power(key).own > 0n;
      let kept = false;
      const banMs = scores.fault(
        {
          name,
          isValidator,
          mayBan: () => {
            kept = !mayBan(key);
            return !kept;
          },
        },
        fault,
      );
      const fields = { peerId, peer: peer.name, validator: peer.validator, fault, detail, banMs };
      if (banMs > 0) {
        counters.ban(peerId);
        log('warn', 'ban', name, fields, 'peer banned for a while: too many faults');
      } else if (kept)
        log('warn', 'ban withheld', name, fields, 'peer disconnected, not banned: the quorum may need it');
      else return;
      dropAll(name, fault);
    },
    isBanned: (peerId) => banLeftMs(peerId) > 0,
    isKeyBanned: (address) => scores.isBanned(address),
    banLeftMs,
    bannedNow: () => scores.banned(),
    mayConnectAgain(peerId) {
      let bucket = connects.get(peerId);
      if (bucket === undefined) {
        if (connects.size >= MAX_PEERS) connects.delete(connects.keys().next().value!);
        bucket = createTokenBucket(CONNECTS, nowMs);
        connects.set(peerId, bucket);
      }
      return bucket.take(1);
    },
  };
};
