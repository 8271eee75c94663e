/**
 * Values that others voted for and no payload here derives to (RULES 15): asks the voters for payload and polka.
 *
 * Owns whom to ask, and what a peer's answer counts as: a claim that execution settles (valueClaims.ts).
 */
import { checkpointToValueId, payloadToHash } from '#consensus/digests.ts';
import { hasPolka, keptRounds, keptVotes, payloadOf } from '#consensus/heightState.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import type { SignedProposal } from '#consensus/types.ts';
import type { Asking } from '#node/consensus/asking.ts';
import type { Fetcher } from '#node/consensus/fetcher.ts';
import type { ForkWatch } from '#node/consensus/forkWatch.ts';
import type { HeightLife } from '#node/consensus/heightLife.ts';
import type { HeightLoop } from '#node/consensus/heightLoop.ts';
import type { HostDependencies } from '#node/consensus/hostPorts.ts';
import {
  decodeVotesAnswer,
  encodeMessage,
  encodeRequest,
  MAX_VOTES_ANSWER_BYTES,
  type ValueAnswer,
} from '#node/consensus/messages.ts';
import type { PayloadWork } from '#node/consensus/payloadWork.ts';
import type { Peer } from '#node/network/network.ts';

export type ValueFetchingDependencies = Pick<HostDependencies, 'network'> & {
  readonly loop: HeightLoop;
  readonly asking: Asking;
  readonly fetcher: Fetcher;
  readonly work: PayloadWork;
  readonly forks: ForkWatch;
  /** Takes in a message as if the peer had sent it. */
  readonly receive: (peer: Peer, bytes: Uint8Array) => void;
};

export class ValueFetching {
  readonly #deps: ValueFetchingDependencies;

  constructor(dependencies: ValueFetchingDependencies) {
    this.#deps = dependencies;
  }

  fetchValue(life: HeightLife, valueId: Hash): void {
    const isDerived = (): boolean => payloadOf(this.#deps.loop.state, valueId) !== null;
    if (!isDerived()) life.unknownValues.add(valueId);
    this.#deps.fetcher.pursue({
      key: `value:${valueId}`,
      candidates: () => this.peersToAsk(life, valueId, this.#votersOf(valueId)),
      isDone: () => life.over || isDerived(),
      attempt: (peer) => this.#attemptValue(life, peer, valueId),
    });
  }

  /**
   * A re-proposal that waits for a polka which is not here (line 28): the prevotes are asked for while a proposal of the
   * current round names it. To be called after each input; the value itself may have been asked for long before.
   */
  fetchPolka(life: HeightLife): void {
    const proposal = this.#waitingReproposal();
    if (proposal === null) return;
    const { polRound, valueId } = proposal;
    const isWanted = (): boolean => {
      const now = this.#waitingReproposal();
      return now?.polRound === polRound && now.valueId === valueId;
    };
    this.#deps.fetcher.pursue({
      key: `polka:${polRound}:${valueId}`,
      candidates: () => this.#deps.asking.peersFirst(this.#votersOf(valueId)),
      isDone: () => life.over || !isWanted(),
      attempt: (peer) => this.#attemptPolka(life, peer, polRound, valueId),
    });
  }

  #waitingReproposal(): SignedProposal | null {
    const { state } = this.#deps.loop;
    const proposal = state.proposals.get(state.round.round)?.first;
    if (proposal === undefined || proposal.polRound < 0) return null;
    return hasPolka(state, proposal.polRound, proposal.valueId) ? null : proposal;
  }

  async #attemptValue(life: HeightLife, peer: Peer, valueId: Hash): Promise<void> {
    const answer = await this.askForValue(life, peer, valueId);
    if (answer === null) return;
    await this.#deps.work.execute(life, payloadToHash(answer.payload), answer.payload);
    this.#deps.loop.enqueue(() => this.#deps.forks.checkDivergence(life));
  }

  /** The payload of the answer is kept, and what the peer says of it is noted. */
  async askForValue(life: HeightLife, peer: Peer, valueId: Hash): Promise<ValueAnswer | null> {
    const answer = await this.#deps.asking.askValue(peer, {
      type: 'valueById',
      height: life.height,
      valueId,
    });
    if (answer === null || life.over || peer.validator === null) return null;
    const payloadHash = payloadToHash(answer.payload);
    const claim = { peerId: peer.peerId, validator: peer.validator, valueId, payloadHash };
    life.claims.add(claim);
    if (answer.derived !== null) {
      if (checkpointToValueId(answer.derived.checkpoint) !== valueId) {
        life.claims.refute(claim);
        this.#deps.network.reportFault(peer.peerId, 'invalid', 'a checkpoint of another value');
        return null;
      }
      life.answers.set(valueId, answer.derived);
    }
    this.#deps.work.keep(life, payloadHash, answer.payload);
    return answer;
  }

  async #attemptPolka(life: HeightLife, peer: Peer, round: number, valueId: Hash): Promise<void> {
    const request = encodeRequest({ type: 'polka', height: life.height, round, valueId });
    const decoded = decodeVotesAnswer(await this.#deps.asking.ask(peer, request, MAX_VOTES_ANSWER_BYTES));
    if (!decoded.ok) throw this.#deps.asking.malformed(peer, decoded.error);
    if (life.over) return;
    for (const vote of decoded.value) this.#deps.receive(peer, encodeMessage({ type: 'vote', vote }));
  }

  /** Without those that gave a payload for it that did not derive to it, or that is here already. */
  peersToAsk(life: HeightLife, valueId: Hash, preferred: readonly Address[]): readonly Peer[] {
    const isHere = (payloadHash: Hash): boolean => life.payloads.has(payloadHash);
    return this.#deps.asking
      .peersFirst(preferred)
      .filter(({ peerId }) => life.claims.mayAsk(peerId, valueId, isHere));
  }

  #votersOf(valueId: Hash): readonly Address[] {
    return keptRounds(this.#deps.loop.state).flatMap((round) =>
      (['prevote', 'precommit'] as const).flatMap((type) =>
        keptVotes(this.#deps.loop.state, round, type)
          .filter((vote) => vote.valueId === valueId)
          .map(({ validator }) => validator),
      ),
    );
  }
}
