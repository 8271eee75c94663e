/**
 * The loop: one input at a time into the pure engine, its effects in order, and whether this node still runs.
 *
 * Owns the engine's state, the current height's life, the gate before height 1 (RULES 33) and the halt. Invariants: an
 * input that changed the state is recorded before any of its effects; after `halt` or `stop` no work is begun. Does not
 * own what effects do.
 */
import type { Effect, Input } from '#consensus/engine.ts';
import { handle } from '#consensus/heightMachine.ts';
import type { HeightState } from '#consensus/heightState.ts';
import type { HeightLife } from '#node/consensus/heightLife.ts';
import type { Halt, HaltCode, HostDependencies } from '#node/consensus/hostPorts.ts';
import { type Work, WorkQueue } from '#node/consensus/workQueue.ts';

const MAX_QUEUE = 65_536;
const MAX_HELD = 8_192;

export type HeightLoopDependencies = Pick<HostDependencies, 'l1View' | 'logger'> & {
  /** An input that changed the state. */
  readonly record: (input: Input) => void;
  readonly perform: (life: HeightLife, effect: Effect) => Promise<void>;
  /** After its effects. */
  readonly onHandled: (life: HeightLife, input: Input) => Promise<void>;
  readonly onHalted: (halt: Halt) => void;
};

const isFromPeer = ({ type }: Input): boolean =>
  type === 'vote' || type === 'proposal' || type === 'certificate';

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class HeightLoop {
  readonly #deps: HeightLoopDependencies;
  readonly #queue: WorkQueue;
  state!: HeightState;
  life!: HeightLife;
  #held: Input[] = [];
  #halt: Halt | null = null;
  #isStopped = false;

  constructor(dependencies: HeightLoopDependencies) {
    this.#deps = dependencies;
    this.#queue = new WorkQueue(
      { maxLength: MAX_QUEUE },
      { isRunning: () => this.isRunning(), onFault: (error) => this.#onFault(error) },
    );
  }

  isRunning(): boolean {
    return this.#halt === null && !this.#isStopped;
  }

  halted(): Halt | null {
    return this.#halt;
  }

  /** For good: nothing is signed or committed any more. */
  halt(code: HaltCode, message: string): void {
    if (!this.isRunning()) return;
    this.#halt = { code, message };
    this.#deps.logger.error({ code, height: this.life?.height, reason: message }, 'consensus halted');
    this.#deps.onHalted(this.#halt);
  }

  /** @returns false when it was stopped before */
  stop(): boolean {
    if (this.#isStopped) return false;
    this.#isStopped = true;
    return true;
  }

  idle(): Promise<void> {
    return this.#queue.idle();
  }

  /** Begins a height with nothing of it known. */
  enter(life: HeightLife, state: HeightState): void {
    this.#held = [];
    this.state = state;
    this.life = life;
  }

  enqueue(work: Work): void {
    this.#queue.push(work);
  }

  enqueueInput(life: HeightLife, input: Input): void {
    this.#queue.push(() => this.process(life, input));
  }

  /** Dropped when too much waits already. */
  enqueuePeerInput(input: Input): void {
    const { life } = this;
    this.#queue.offer(() => this.process(life, input));
  }

  /** Work beside the loop; its fault is this node's fault, unless its height is over. */
  supervise(work: Promise<void>): void {
    const { life } = this;
    work.catch((error: unknown) => {
      if (!life.over && this.isRunning()) this.halt('EXECUTION_FAULT', messageOf(error));
    });
  }

  /** RULES 33: height 1 is not begun before the L1 contracts are verified. */
  isGated(): boolean {
    const { l1View } = this.#deps;
    return this.life.height === 1n && l1View !== null && l1View.status().state !== 'ready';
  }

  /** What waited for the gate. */
  releaseHeld(): void {
    if (this.isGated()) return;
    const held = this.#held;
    this.#held = [];
    for (const input of held) this.enqueueInput(this.life, input);
  }

  async process(life: HeightLife, input: Input): Promise<void> {
    if (life.over || life !== this.life) return;
    if (this.isGated()) {
      if (this.#held.length < MAX_HELD || !isFromPeer(input)) this.#held.push(input);
      return;
    }
    const before = this.state;
    const { state, effects } = handle(before, input);
    if (state === before && effects.length === 0) return;
    this.state = state;
    this.#deps.record(input);
    for (const effect of effects) await this.#deps.perform(life, effect);
    if (!life.over) await this.#deps.onHandled(life, input);
  }

  #onFault(error: unknown): void {
    this.halt('HOST_FAULT', `expected no fault in the consensus host, found ${messageOf(error)}`);
    this.#deps.logger.error({ err: error }, 'consensus host fault');
  }
}
