/**
 * The language between the pure height machine and its host: inputs in, effects out.
 *
 * `handle(state, input) → {state, effects}` (heightMachine.ts) is the whole engine: no clock, no randomness, no
 * await. Signatures, built payloads, derived values and subjective verdicts come back as inputs, so that a log of
 * inputs replays a run. Every proposal, vote and certificate given as an input has been authenticated already
 * (authenticate.ts); membership, round and height rules are the machine's own.
 *
 * Source: "The latest gossip on BFT consensus", arXiv 1807.04938; RULES B.
 */
import type { Hash } from '#consensus/primitives.ts';
import type { CommitCertificate, Proposal, SignedProposal, SignedVote, Vote } from '#consensus/types.ts';

export type TimeoutKind = 'propose' | 'prevote' | 'precommit';
export type Timeout = { readonly kind: TimeoutKind; readonly height: bigint; readonly round: number };

/** What execution found: a deterministic function of the parent state and the payload (RULES 9). */
export type DerivedValue =
  | { readonly valid: true; readonly valueId: Hash }
  | { readonly valid: false; readonly reason: string };

export type Input =
  /** Round 0 may begin: there is work, somebody else has begun, or the empty interval has passed (RULES 17). */
  | { readonly type: 'start' }
  /** The answer to `build`: our payload, durable and ready to be proposed. */
  | { readonly type: 'built'; readonly round: number; readonly payloadHash: Hash }
  | { readonly type: 'proposal'; readonly proposal: SignedProposal }
  | { readonly type: 'vote'; readonly vote: SignedVote }
  /** A whole commit certificate from a peer, verified against this height's set. */
  | { readonly type: 'certificate'; readonly certificate: CommitCertificate }
  /** The payload was executed (or refused by rule); given once per payloadHash. */
  | { readonly type: 'derived'; readonly payloadHash: Hash; readonly value: DerivedValue }
  /** The subjective verdict of line 22 on a fresh payload in this round: own L1 view, clock bound, gas and import rules of the round (RULES 4, 9–11). Positive sticks; a negative one may be given again as positive until timeoutPropose. */
  | {
      readonly type: 'judged';
      readonly round: number;
      readonly payloadHash: Hash;
      readonly accepted: boolean;
      readonly reason: string;
    }
  /** Our own message, past WAL and guard: it may leave now. `signature` made it a SignedProposal or SignedVote. */
  | { readonly type: 'ownProposal'; readonly proposal: SignedProposal }
  | { readonly type: 'ownVote'; readonly vote: SignedVote }
  | { readonly type: 'timeout'; readonly timeout: Timeout };

export type Evidence =
  | { readonly type: 'duplicateVote'; readonly first: SignedVote; readonly second: SignedVote }
  | { readonly type: 'duplicateProposal'; readonly first: SignedProposal; readonly second: SignedProposal };

export type Effect =
  /** Line 14–18: we propose in this round and have no validValue; answer with `built`. */
  | { readonly type: 'build'; readonly round: number }
  /** Answer with `ownProposal` once WAL, guard and signer allow it; refusal is silence. */
  | { readonly type: 'signProposal'; readonly proposal: Proposal }
  /** Answer with `ownVote`. `payloadHash` names the payload that must be durable first (RULES 12), null for nil. */
  | { readonly type: 'signVote'; readonly vote: Vote; readonly payloadHash: Hash | null }
  | { readonly type: 'broadcastProposal'; readonly proposal: SignedProposal }
  | { readonly type: 'broadcastVote'; readonly vote: SignedVote }
  /** The host owns durations (options.ts); a timeout that comes back for a past step is ignored. */
  | { readonly type: 'schedule'; readonly timeout: Timeout }
  /** Execute this payload as soon as it is here; answer with `derived`. */
  | { readonly type: 'derive'; readonly payloadHash: Hash }
  /** Judge a fresh payload for line 22; answer with `judged`. */
  | { readonly type: 'judge'; readonly round: number; readonly payloadHash: Hash }
  /**
   * f+1 or a quorum voted for a value that no payload here derives to: ask those voters (RULES 15). Or a re-proposal
   * names a polka that we lack: ask for that round's prevotes for the value as well (`polkaFor` answers a peer). Given
   * once for each (round, value); try until the payload is derived or the height is over.
   */
  | { readonly type: 'fetchValue'; readonly round: number; readonly valueId: Hash }
  | { readonly type: 'roundStarted'; readonly round: number }
  | { readonly type: 'evidence'; readonly evidence: Evidence }
  /** Terminal for the height. `payloadHash` names a payload here that derives to the certificate's valueId. */
  | { readonly type: 'decide'; readonly certificate: CommitCertificate; readonly payloadHash: Hash };
