/**
 * What each peer may cost, per type, kept while it is away so that reconnecting buys nothing.
 *
 * Owns the budgets by budget name: the proven consensus key of a validator (whatever its PeerIds), the PeerId of a
 * full node. Invariants: no two names share a budget; the table is bounded, the longest unused goes first.
 */

import { type AnswerTurns, createAnswerTurns } from '#node/network/answerTurns.ts';
import type { Peer } from '#node/network/network.ts';
import type { ReadingAccount, ReadingTurns } from '#node/network/readingTurns.ts';
import { type Budget, createTokenBucket, type TokenBucket } from '#node/network/tokenBucket.ts';

export type PeerLimits = {
  /** Consensus messages; beyond them the stream is not read. */
  readonly messages: Budget;
  /** Everything that is read from the peer's sockets; beyond it they are not read. */
  readonly bytes: Budget;
  /** Processor milliseconds that reading takes, for a validator; beyond them its sockets are not read. */
  readonly validatorCpuMs: Budget;
  readonly fullNodeCpuMs: Budget;
  /** Of these, what may turn out to have been of no use. */
  readonly validatorUselessCpuMs: Budget;
  readonly fullNodeUselessCpuMs: Budget;
  readonly requests: Budget;
  /** Keep-alive requests, which must not wait behind others. */
  readonly pings: Budget;
  readonly answerBytes: Budget;
  /** Batches of transactions; beyond them the stream is not read. */
  readonly gossipMessages: Budget;
  readonly gossipBytes: Budget;
};

export type PeerBudgets = {
  readonly messages: TokenBucket;
  readonly requests: TokenBucket;
  readonly pings: TokenBucket;
  readonly answers: AnswerTurns;
  readonly gossipMessages: TokenBucket;
  readonly gossipBytes: TokenBucket;
  readonly reading: ReadingAccount;
};

export const budgetName = ({ peerId, validator }: Pick<Peer, 'peerId' | 'validator'>): string =>
  validator ?? peerId;

const MAX_NAMES = 1_024;

export const createPeerBudgets = (
  limits: PeerLimits,
  turns: Pick<ReadingTurns, 'createAccount'>,
  nowMs: () => number,
): ((peer: Peer) => PeerBudgets) => {
  const byName = new Map<string, PeerBudgets>();
  const bucket = (budget: Budget): TokenBucket => createTokenBucket(budget, nowMs);
  return (peer) => {
    const name = budgetName(peer);
    const known = byName.get(name);
    byName.delete(name);
    const budgets = known ?? {
      messages: bucket(limits.messages),
      requests: bucket(limits.requests),
      pings: bucket(limits.pings),
      answers: createAnswerTurns(bucket(limits.answerBytes)),
      gossipMessages: bucket(limits.gossipMessages),
      gossipBytes: bucket(limits.gossipBytes),
      reading: turns.createAccount({
        bytes: limits.bytes,
        cpuMs: peer.validator === null ? limits.fullNodeCpuMs : limits.validatorCpuMs,
        uselessCpuMs: peer.validator === null ? limits.fullNodeUselessCpuMs : limits.validatorUselessCpuMs,
      }),
    };
    byName.set(name, budgets);
    if (byName.size > MAX_NAMES) byName.delete(byName.keys().next().value!);
    return budgets;
  };
};
