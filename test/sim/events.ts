/**
 * Everything that happened in a run, as one hash and, when asked for, as lines to read.
 *
 * The hash is over all events in their order: messages, timers, disk operations, signatures, commits, crashes. Two runs
 * with one hash were the same run.
 */
import { createHash } from 'node:crypto';

const FLUSH_AT = 16_384;

export class Events {
  readonly #hash = createHash('sha256');
  readonly #now: () => number;
  readonly #print: ((line: string) => void) | null;
  #pending = '';
  count = 0;

  /** @param now virtual milliseconds since the run began @param print null: nobody reads */
  constructor(now: () => number, print: ((line: string) => void) | null) {
    this.#now = now;
    this.#print = print;
  }

  /** @param detail words that are the same whenever the run is; @param readable what a person reads instead */
  add(what: string, detail: string, readable?: () => string): void {
    this.count++;
    this.#pending += `${this.#now()} ${what} ${detail}\n`;
    if (this.#pending.length > FLUSH_AT) this.#flush();
    if (this.#print === null) return;
    const time = (this.#now() / 1_000).toFixed(3).padStart(8);
    this.#print(`${time} s  ${what.padEnd(9)} ${readable?.() ?? detail}`);
  }

  /** The hash of what was added so far, 32 bytes in hex. */
  digest(): string {
    this.#flush();
    return this.#hash.copy().digest('hex');
  }

  #flush(): void {
    this.#hash.update(this.#pending);
    this.#pending = '';
  }
}
