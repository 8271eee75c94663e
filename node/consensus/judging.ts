/**
 * Line 22 in the course of a height: when a fresh payload is judged, and judged again.
 *
 * Owns the waiting for the clock or the L1. Does not own the verdict (judge.ts). A payload too heavy for its round is
 * refused before it gets here (payloadWork.ts).
 */
import type { Hash } from '#consensus/primitives.ts';
import type { HeightLife } from '#node/consensus/heightLife.ts';
import type { HeightLoop } from '#node/consensus/heightLoop.ts';
import type { HostDependencies, HostOptions } from '#node/consensus/hostPorts.ts';
import { acceptableFromMs, judgePayload } from '#node/consensus/judge.ts';
import type { PayloadWork } from '#node/consensus/payloadWork.ts';

export type JudgingDependencies = Pick<HostDependencies, 'l1View' | 'clock'> & {
  readonly loop: HeightLoop;
  readonly work: PayloadWork;
};

export class Judging {
  readonly #options: Pick<HostOptions, 'blockGasLimit' | 'timeouts'>;
  readonly #deps: JudgingDependencies;

  constructor(options: Pick<HostOptions, 'blockGasLimit' | 'timeouts'>, dependencies: JudgingDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  judge(life: HeightLife, round: number, payloadHash: Hash, isFirst: boolean): void {
    const derivation = life.payloads.derivation(payloadHash);
    if (derivation === null) {
      this.#deriveToJudge(life, round, payloadHash);
      return;
    }
    if (!derivation.valid) return;
    const { l1View, clock } = this.#deps;
    const verdict = judgePayload(derivation, {
      round,
      nowMs: clock.nowMs(),
      blockGasLimit: this.#options.blockGasLimit,
      depositHashAt: (count) => (l1View?.status().state === 'ready' ? l1View.depositHashAt(count) : null),
    });
    const key = `${round}:${payloadHash}`;
    if (verdict.accepted) {
      life.unjudged.delete(key);
      this.#deps.loop.enqueueInput(life, { type: 'judged', round, payloadHash, accepted: true, reason: '' });
      return;
    }
    if (isFirst) this.#deps.work.refuse(life, round, payloadHash, verdict.reason);
    if (verdict.retry === 'never') life.unjudged.delete(key);
    if (verdict.retry === 'clock') this.#judgeLater(life, round, payloadHash, derivation.timestamp);
  }

  #judgeLater(life: HeightLife, round: number, payloadHash: Hash, timestamp: bigint): void {
    const waitMs = acceptableFromMs(timestamp) - this.#deps.clock.nowMs();
    if (waitMs > this.#options.timeouts.capMs) return;
    const key = `judge:${round}:${payloadHash}`;
    const cancel = this.#deps.clock.setTimer(Math.max(1, waitMs), () => {
      life.timers.delete(key);
      if (!life.over && life.unjudged.has(`${round}:${payloadHash}`))
        this.judge(life, round, payloadHash, false);
    });
    life.timers.set(key, cancel);
  }

  /** After a restart the verdict needs what the WAL does not hold: the derivation. */
  #deriveToJudge(life: HeightLife, round: number, payloadHash: Hash): void {
    const payload = life.payloads.get(payloadHash);
    if (payload === null) return;
    this.#deps.loop.supervise(
      (async () => {
        await this.#deps.work.deriveOnce(life, payloadHash, payload);
        if (!life.over) this.judge(life, round, payloadHash, true);
      })(),
    );
  }

  /** What an L1 view that moved may have turned. */
  judgeAgain(life: HeightLife): void {
    for (const { round, payloadHash } of [...life.unjudged.values()])
      this.judge(life, round, payloadHash, false);
  }
}
