/**
 * Asks one peer after the other until something is there: payloads, values and polkas that this height needs (RULES 15).
 *
 * Owns the patience: one pursuit for each key, peers in the caller's order, a growing pause between the rounds, an end
 * with the height. Does not own what is asked. Bounded: `MAX_PURSUITS` at a time, one request each.
 */
import type { Clock } from '#node/consensus/clock.ts';
import type { HostLogger } from '#node/consensus/hostPorts.ts';
import type { Peer } from '#node/network/network.ts';

export const MAX_PURSUITS = 32;
const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 2_000;

export type Pursuit = {
  readonly key: string;
  /** Best first; asked again for each round, because peers come and go. */
  readonly candidates: () => readonly Peer[];
  readonly isDone: () => boolean;
  /** One request to one peer; a rejection moves on to the next. */
  readonly attempt: (peer: Peer) => Promise<void>;
};

type Control = { stopped: boolean; wake: () => void; readonly asked: Set<string> };

export class Fetcher {
  readonly #clock: Clock;
  readonly #logger: HostLogger;
  readonly #running = new Map<string, Control>();

  constructor(clock: Clock, logger: HostLogger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  pursue(pursuit: Pursuit): void {
    if (this.#running.has(pursuit.key) || this.#running.size >= MAX_PURSUITS) return;
    const control: Control = { stopped: false, wake: () => {}, asked: new Set() };
    this.#running.set(pursuit.key, control);
    void this.#run(pursuit, control).finally(() => {
      if (this.#running.get(pursuit.key) === control) this.#running.delete(pursuit.key);
    });
  }

  /** Names of the peers that running pursuits of this asked, for the status. */
  askedFor(hash: string): readonly string[] {
    const names = new Set<string>();
    for (const [key, { asked }] of this.#running)
      if (key.endsWith(hash)) for (const name of asked) names.add(name);
    return [...names];
  }

  /** Ends every pursuit; what is on the way is ignored by `isDone` of its owner. */
  stop(): void {
    for (const control of this.#running.values()) {
      control.stopped = true;
      control.wake();
    }
    this.#running.clear();
  }

  async #run(pursuit: Pursuit, control: Control): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      for (const peer of pursuit.candidates()) {
        if (control.stopped || pursuit.isDone()) return;
        control.asked.add(peer.name);
        try {
          await pursuit.attempt(peer);
        } catch (error) {
          this.#logger.debug({ key: pursuit.key, peer: peer.name, err: error }, 'peer did not answer');
        }
      }
      if (control.stopped || pursuit.isDone()) return;
      await this.#pause(pauseMs, control);
    }
  }

  #pause(ms: number, control: { wake: () => void }): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.setTimer(ms, resolve);
      control.wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
