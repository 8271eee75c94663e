/**
 * The host's loop: one piece of work at a time, in the order it came.
 *
 * Owns order and bound. `offer` is for what peers send, and drops it when the queue is full: it comes again with the
 * next summary (RULES 16). `push` is for this node's own timeouts, derivations and signatures, which are bounded where
 * they arise and never dropped: nobody would send them again. Work never runs inside its caller.
 */
export type Work = () => Promise<void> | void;

export type WorkQueueOptions = { readonly maxLength: number };

export type WorkQueueDependencies = {
  /** False: nothing is taken in, and what waits is discarded. */
  readonly isRunning: () => boolean;
  readonly onFault: (error: unknown) => void;
};

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #deps: WorkQueueDependencies;
  readonly #waiting: Work[] = [];
  #isPumping = false;
  #pumping: Promise<void> = Promise.resolve();

  constructor(options: WorkQueueOptions, dependencies: WorkQueueDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  push(work: Work): void {
    if (!this.#deps.isRunning()) return;
    this.#waiting.push(work);
    if (this.#isPumping) return;
    this.#isPumping = true;
    this.#pumping = this.#pump();
  }

  offer(work: Work): void {
    if (this.#waiting.length < this.#options.maxLength) this.push(work);
  }

  /** Resolves when everything taken in so far is done. */
  idle(): Promise<void> {
    return this.#pumping;
  }

  async #pump(): Promise<void> {
    await Promise.resolve();
    for (let work = this.#waiting.shift(); work !== undefined; work = this.#waiting.shift()) {
      if (!this.#deps.isRunning()) continue;
      try {
        await work();
      } catch (error) {
        this.#deps.onFault(error);
      }
    }
    this.#isPumping = false; // in the same turn as the last look at the queue
  }
}
