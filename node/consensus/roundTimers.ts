/**
 * The timeouts of a height's rounds, and their two exceptions.
 *
 * A timer that fires late was held up by a busy thread: what came in meanwhile is read first. A propose timeout waits
 * while the payload, complete in time, is being derived (RULES 4). Does not own durations (#consensus/timeouts.ts).
 */
import type { Timeout } from '#consensus/engine.ts';
import type { Hash } from '#consensus/primitives.ts';
import { timeoutDurationMs } from '#consensus/timeouts.ts';
import type { HeightLife } from '#node/consensus/heightLife.ts';
import type { HeightLoop } from '#node/consensus/heightLoop.ts';
import type { HostDependencies, HostOptions } from '#node/consensus/hostPorts.ts';

/** A timer that fires later than this was held up by a busy thread: what came in meanwhile is read first. */
const LATE_TIMER_MS = 100;
const LATE_TIMER_GRACE_MS = 100;

export type RoundTimersDependencies = Pick<HostDependencies, 'clock'> & { readonly loop: HeightLoop };

export class RoundTimers {
  readonly #options: Pick<HostOptions, 'timeouts'>;
  readonly #deps: RoundTimersDependencies;

  constructor(options: Pick<HostOptions, 'timeouts'>, dependencies: RoundTimersDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  schedule(life: HeightLife, timeout: Timeout): void {
    const ms = timeoutDurationMs(this.#options.timeouts, timeout.kind, timeout.round);
    this.#setTimeout(life, timeout, ms, true);
  }

  #setTimeout(life: HeightLife, timeout: Timeout, ms: number, isFirst: boolean): void {
    const key = `${timeout.kind}:${timeout.round}`;
    const dueMs = this.#deps.clock.monotonicMs() + ms;
    life.timers.get(key)?.();
    const cancel = this.#deps.clock.setTimer(ms, () => {
      life.timers.delete(key);
      if (life.over || !this.#deps.loop.isRunning()) return;
      const isLate = this.#deps.clock.monotonicMs() - dueMs > LATE_TIMER_MS;
      if (isFirst && isLate) this.#setTimeout(life, timeout, LATE_TIMER_GRACE_MS, false);
      else this.#deps.loop.enqueue(() => this.#onTimeout(life, timeout));
    });
    life.timers.set(key, cancel);
  }

  async #onTimeout(life: HeightLife, timeout: Timeout): Promise<void> {
    if (life.over) return;
    const waitMs = this.#suspensionMs(life, timeout);
    if (waitMs <= 0) {
      await this.#deps.loop.process(life, { type: 'timeout', timeout });
      return;
    }
    life.suspended.push(timeout);
    this.#setTimeout(life, timeout, waitMs, false);
  }

  /** RULES 4: a payload that was complete in time suspends timeoutPropose while it is being derived, up to 2E. */
  #suspensionMs(life: HeightLife, { kind, round }: Timeout): number {
    if (
      kind !== 'propose' ||
      round !== this.#deps.loop.state.round.round ||
      this.#deps.loop.state.round.step !== 'propose'
    )
      return 0;
    const proposal = this.#deps.loop.state.proposals.get(round)?.first;
    if (proposal === undefined || this.#deps.loop.state.derived.has(proposal.payloadHash)) return 0;
    const receivedMs = life.payloads.receivedMs(proposal.payloadHash);
    if (receivedMs === null || !life.deriving.has(proposal.payloadHash)) return 0;
    const boundMs = Math.floor((2 * this.#options.timeouts.capMs) / 3);
    return receivedMs + boundMs - this.#deps.clock.monotonicMs();
  }

  resumeSuspended(life: HeightLife, payloadHash: Hash): void {
    const due = life.suspended.filter(
      ({ round }) => this.#deps.loop.state.proposals.get(round)?.first.payloadHash === payloadHash,
    );
    life.suspended = life.suspended.filter((timeout) => !due.includes(timeout));
    for (const timeout of due) this.#deps.loop.enqueueInput(life, { type: 'timeout', timeout });
  }

  /** What belongs to earlier rounds is called off. */
  enterRound(life: HeightLife, round: number): void {
    for (const [key, cancel] of life.timers)
      if (Number(key.split(':')[1]) < round) {
        cancel();
        life.timers.delete(key);
      }
    life.suspended = life.suspended.filter((timeout) => timeout.round >= round);
  }
}
