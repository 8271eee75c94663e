/**
 * A payload's way from its bytes to the engine's `derived`.
 *
 * Owns when a payload is taken, withheld, asked for and executed, and that it is executed once. Does not own what makes
 * it worth executing (withholding.ts), its memory (payloads.ts) or execution (node/chain.ts).
 */
import { payloadToHash } from '#consensus/digests.ts';
import { payloadOf } from '#consensus/heightState.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { Payload } from '#consensus/types.ts';
import { ChainError, type Derivation } from '#node/chain.ts';
import type { Asking } from '#node/consensus/asking.ts';
import type { Fetcher } from '#node/consensus/fetcher.ts';
import type { HeightLife } from '#node/consensus/heightLife.ts';
import { type HeightLoop, messageOf } from '#node/consensus/heightLoop.ts';
import type { HostDependencies, HostOptions } from '#node/consensus/hostPorts.ts';
import { type PayloadWeight, weighPayload } from '#node/consensus/payloadWeight.ts';
import { namedValues, whyWithheld } from '#node/consensus/withholding.ts';
import type { Peer } from '#node/network/network.ts';

/** A payload that follows its proposal is not asked for before this. */
const PAYLOAD_PATIENCE_MS = 250;

export type PayloadWorkDependencies = Pick<HostDependencies, 'chain' | 'clock' | 'logger' | 'network'> & {
  readonly loop: HeightLoop;
  readonly asking: Asking;
  readonly fetcher: Fetcher;
};

export class PayloadWork {
  readonly #options: Pick<HostOptions, 'blockGasLimit'>;
  readonly #deps: PayloadWorkDependencies;

  constructor(options: Pick<HostOptions, 'blockGasLimit'>, dependencies: PayloadWorkDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  /** The engine wants this derived; it comes with its proposal, or is asked for. */
  wantPayload(life: HeightLife, payloadHash: Hash): void {
    const payload = life.payloads.get(payloadHash) ?? life.payloads.takeEarly(payloadHash);
    if (payload !== null) {
      this.addPayload(life, payloadHash, payload);
      return;
    }
    const key = `want:${Number.MAX_SAFE_INTEGER}:${payloadHash}`;
    const cancel = this.#deps.clock.setTimer(PAYLOAD_PATIENCE_MS, () => {
      life.timers.delete(key);
      if (!life.over && this.#deps.loop.isRunning()) this.#fetchPayload(life, payloadHash);
    });
    life.timers.set(key, cancel);
  }

  /** @returns was it waited for? */
  onPayload(peer: Peer, payloadHash: Hash, payload: Payload): boolean {
    const life = this.#deps.loop.life;
    if (life.payloads.has(payloadHash)) return false;
    const isWanted = this.#isWanted(payloadHash);
    if (isWanted) this.addPayload(life, payloadHash, payload);
    else life.payloads.addEarly(peer.peerId, payloadHash, payload);
    return isWanted;
  }

  /**
   * Is it proposed in a round that has come or comes next? Execution is the scarce thing: a validator may sign a
   * proposal for every later round of its own, and payloads for those wait until their round asks for them.
   */
  #isWanted(payloadHash: Hash): boolean {
    const last = this.#deps.loop.state.round.round + 1;
    for (const { first } of this.#deps.loop.state.proposals.values())
      if (first.payloadHash === payloadHash && first.round <= last) return true;
    return false;
  }

  #fetchPayload(life: HeightLife, payloadHash: Hash): void {
    const { height } = life;
    const proposal = [...this.#deps.loop.state.proposals.values()].find(
      ({ first }) => first.payloadHash === payloadHash,
    );
    this.#deps.fetcher.pursue({
      key: `payload:${payloadHash}`,
      candidates: () => this.#deps.asking.peersFirst([proposal?.first.proposer]),
      isDone: () => life.over || life.payloads.has(payloadHash),
      attempt: async (peer) => {
        const answer = await this.#deps.asking.askValue(peer, {
          type: 'valueByPayload',
          height,
          payloadHash,
        });
        if (answer === null || life.over || payloadToHash(answer.payload) !== payloadHash) return;
        this.addPayload(life, payloadHash, answer.payload);
      },
    });
  }

  /** Takes in a payload and executes it if it is worth that. */
  addPayload(life: HeightLife, payloadHash: Hash, payload: Payload): void {
    this.keep(life, payloadHash, payload);
    this.#deps.loop.supervise(this.execute(life, payloadHash, payload));
  }

  keep(life: HeightLife, payloadHash: Hash, payload: Payload): void {
    life.payloads.add(payloadHash, payload, this.#deps.clock.monotonicMs(), (kept) => this.#isNeeded(kept));
  }

  #isNeeded(payloadHash: Hash): boolean {
    const { locked, valid } = this.#deps.loop.state.round;
    if (
      [locked, valid].some(
        (lock) => lock !== null && payloadOf(this.#deps.loop.state, lock.valueId) === payloadHash,
      )
    )
      return true;
    return (
      this.#deps.loop.state.proposals.get(this.#deps.loop.state.round.round)?.first.payloadHash ===
      payloadHash
    );
  }

  /** Resolves when it is derived, or withheld: too heavy for what asks for it (RULES 4). */
  async execute(life: HeightLife, payloadHash: Hash, payload: Payload): Promise<void> {
    const weight = life.durable.has(payloadHash) ? null : weighPayload(payload);
    const reason = this.#whyWithheld(life, payloadHash, weight);
    if (weight !== null && reason !== null) this.#withhold(life, payloadHash, weight, reason);
    else await this.derive(life, payloadHash, payload);
  }

  #whyWithheld(life: HeightLife, payloadHash: Hash, weight: PayloadWeight | null): string | null {
    const inHand = { payloadHash, weight, claimedValues: life.claims.valuesOf(payloadHash) };
    return whyWithheld(this.#deps.loop.state, inHand, this.#options.blockGasLimit);
  }

  /** If it is this round's proposal, it is refused. */
  #withhold(life: HeightLife, payloadHash: Hash, weight: PayloadWeight, reason: string): void {
    life.withheld.set(payloadHash, weight);
    const { round } = this.#deps.loop.state.round;
    if (this.#deps.loop.state.proposals.get(round)?.first.payloadHash === payloadHash)
      this.refuse(life, round, payloadHash, reason);
  }

  refuse(life: HeightLife, round: number, payloadHash: Hash, reason: string): void {
    this.#deps.logger.debug({ height: life.height, round, reason }, 'proposal not accepted');
    life.refusal = { round, reason };
    this.#deps.loop.enqueueInput(life, { type: 'judged', round, payloadHash, accepted: false, reason });
  }

  reconsider(life: HeightLife): void {
    for (const [payloadHash, weight] of life.withheld) {
      const payload = life.payloads.get(payloadHash);
      if (payload !== null && this.#whyWithheld(life, payloadHash, weight) !== null) continue;
      life.withheld.delete(payloadHash);
      if (payload !== null) this.#deps.loop.supervise(this.derive(life, payloadHash, payload));
    }
  }

  async derive(life: HeightLife, payloadHash: Hash, payload: Payload): Promise<void> {
    life.withheld.delete(payloadHash);
    const derivation = await this.deriveOnce(life, payloadHash, payload);
    if (life.over) return;
    this.settleClaims(life, payloadHash, derivation);
    const value = derivation.valid
      ? { valid: true as const, valueId: derivation.valueId }
      : { valid: false as const, reason: `${derivation.code}: ${derivation.reason}` };
    this.#deps.loop.enqueueInput(life, { type: 'derived', payloadHash, value });
  }

  /** A refuted claim costs its peer, unless so many make it that it is our execution that differs. */
  settleClaims(life: HeightLife, payloadHash: Hash, derivation: Derivation): void {
    const derived = derivation.valid ? derivation.valueId : null;
    for (const { peerId, valueId } of life.claims.settle(payloadHash, derived))
      if (!namedValues(this.#deps.loop.state, payloadHash).includes(valueId))
        this.#deps.network.reportFault(peerId, 'invalid', `a payload that does not derive to ${valueId}`);
  }

  #haltOn(error: unknown, payloadHash: Hash): void {
    if (error instanceof ChainError && error.code === 'UPGRADE_REQUIRED')
      this.#deps.loop.halt(error.code, error.message);
    else this.#deps.loop.halt('EXECUTION_FAULT', `payload ${payloadHash}: ${messageOf(error)}`);
  }

  deriveOnce(life: HeightLife, payloadHash: Hash, payload: Payload): Promise<Derivation> {
    const running = life.deriving.get(payloadHash);
    if (running !== undefined) return running;
    const derivation = this.#deps.chain.derive(payload).then(
      (found) => {
        life.payloads.setDerivation(found);
        return found;
      },
      (error: unknown) => {
        if (!life.over) this.#haltOn(error, payloadHash);
        throw error;
      },
    );
    life.deriving.set(payloadHash, derivation);
    return derivation;
  }
}
