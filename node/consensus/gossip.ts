/**
 * What goes to peers: own messages, summaries of what is here, what a peer lacks, answers to its requests (RULES 16).
 *
 * Owns when something is sent. Does not own what a peer lacks (relay.ts) or what an answer says (answers.ts).
 */
import type { Effect } from '#consensus/engine.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { Payload, SignedVote } from '#consensus/types.ts';
import type { Derivation } from '#node/chain.ts';
import { answerRequest } from '#node/consensus/answers.ts';
import type { HeightLife } from '#node/consensus/heightLife.ts';
import type { HeightLoop } from '#node/consensus/heightLoop.ts';
import type { HostDependencies } from '#node/consensus/hostPorts.ts';
import {
  type ConsensusMessage,
  decodeRequest,
  encodeMessage,
  type RoundSummary,
} from '#node/consensus/messages.ts';
import { missingFor, summarize } from '#node/consensus/relay.ts';
import type { Sessions } from '#node/consensus/sessions.ts';
import type { Peer } from '#node/network/network.ts';

const CERTIFICATE_REPEAT_MS = 500;

export type GossipDependencies = Pick<HostDependencies, 'network' | 'chain' | 'clock'> & {
  readonly loop: HeightLoop;
  readonly lastDerivation: () => Extract<Derivation, { valid: true }> | null;
  readonly sessions: Sessions;
};

export class Gossip {
  readonly #deps: GossipDependencies;
  readonly #certificateSentMs = new Map<string, number>();

  constructor(dependencies: GossipDependencies) {
    this.#deps = dependencies;
  }

  greet(peer: Peer): void {
    this.#deps.network.sendConsensus(peer.peerId, this.#summary());
  }

  broadcast(message: ConsensusMessage): void {
    this.#deps.network.broadcastConsensus(encodeMessage(message));
  }

  broadcastProposal(
    life: HeightLife,
    proposal: Extract<Effect, { type: 'broadcastProposal' }>['proposal'],
  ): void {
    this.broadcast({ type: 'proposal', proposal });
    const payload = life.payloads.get(proposal.payloadHash);
    if (payload !== null && proposal.polRound === -1)
      this.broadcast({ type: 'payload', height: life.height, payload });
  }

  /**
   * With our prevote goes the proposal that it answers: a proposer that told others something else is found out while
   * the height is still open, and a proposal travels around a dead link at once.
   */
  broadcastVote(vote: SignedVote): void {
    this.broadcast({ type: 'vote', vote });
    const { context, proposals } = this.#deps.loop.state;
    const proposal = vote.height === context.height ? proposals.get(vote.round)?.first : undefined;
    if (vote.type === 'prevote' && proposal !== undefined && proposal.proposer !== vote.validator)
      this.broadcast({ type: 'proposal', proposal });
  }

  sendSummaries(): void {
    this.#deps.network.broadcastConsensus(this.#summary());
  }

  #summary(): Uint8Array {
    return encodeMessage(
      summarize(this.#deps.loop.state, (payloadHash) => this.#deps.loop.life.payloads.has(payloadHash)),
    );
  }

  onSummary(peer: Peer, height: bigint, rounds: readonly RoundSummary[]): void {
    const { network, chain, clock } = this.#deps;
    const life = this.#deps.loop.life;
    if (height === life.height) {
      const payloadOfHash = (payloadHash: Hash): Payload | null => life.payloads.get(payloadHash);
      for (const message of missingFor(this.#deps.loop.state, rounds, payloadOfHash))
        network.sendConsensus(peer.peerId, encodeMessage(message));
      return;
    }
    const { certificate } = chain.head().block;
    if (certificate === null || height !== certificate.height) return;
    const nowMs = clock.monotonicMs();
    if (
      nowMs - (this.#certificateSentMs.get(peer.peerId) ?? Number.NEGATIVE_INFINITY) <
      CERTIFICATE_REPEAT_MS
    )
      return;
    if (this.#certificateSentMs.size > 1_024) this.#certificateSentMs.clear();
    this.#certificateSentMs.set(peer.peerId, nowMs);
    network.sendConsensus(peer.peerId, encodeMessage({ type: 'certificate', certificate }));
  }

  async answer(peer: Peer, bytes: Uint8Array): Promise<Uint8Array> {
    const decoded = decodeRequest(bytes);
    if (!decoded.ok) throw decoded.error;
    const { chain, clock, loop, sessions } = this.#deps;
    return answerRequest(
      {
        state: loop.state,
        payloads: loop.life.payloads,
        chain,
        lastCommitted: this.#deps.lastDerivation(),
        otherSession: (session) => {
          const { validator, peerId } = peer;
          return validator === null
            ? null
            : sessions.ask({ validator, peerId }, session, clock.monotonicMs());
        },
      },
      decoded.value,
    );
  }
}
