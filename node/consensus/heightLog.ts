/**
 * The log of the current height: what is written when, and what happens when it cannot be (RULES 12).
 *
 * Owns the order "payload, then sync" and the moment at which a log counts as lost; this node then only observes. Does
 * not own the file (wal.ts) or its records.
 */
import type { Hash } from '#consensus/primitives.ts';
import type { HeightLife } from '#node/consensus/heightLife.ts';
import { type HeightLoop, messageOf } from '#node/consensus/heightLoop.ts';
import { type Wal, WalError } from '#node/consensus/wal.ts';
import type { WalRecord } from '#node/consensus/walRecords.ts';
import { measureWait } from '#node/telemetry/stages.ts';

/** Appended but not yet synced beyond this: sync, so that memory stays bounded. */
const MAX_PENDING_WAL_BYTES = 1024 * 1024;

export type HeightLogDependencies = {
  readonly wal: Wal;
  readonly loop: HeightLoop;
  /** From now on nothing is signed. */
  readonly observe: (reason: string) => void;
};

export class HeightLog {
  readonly #deps: HeightLogDependencies;
  /** False while this height's log is unusable: nothing is written, and nothing is signed. */
  #isLogging = true;

  constructor(dependencies: HeightLogDependencies) {
    this.#deps = dependencies;
  }

  async open(height: bigint): Promise<readonly WalRecord[]> {
    try {
      const records = await this.#deps.wal.begin(height);
      this.#isLogging = true;
      return records;
    } catch (error) {
      if (!(error instanceof WalError)) throw error;
      this.#isLogging = false;
      this.#deps.observe(error.message);
      return [];
    }
  }

  append(record: WalRecord): void {
    if (this.#isLogging) this.#deps.wal.append(record);
  }

  logPayload(life: HeightLife, payloadHash: Hash): boolean {
    if (life.durable.has(payloadHash)) return true;
    const payload = life.payloads.get(payloadHash);
    if (payload === null) return false;
    this.append({ type: 'payload', payloadHash, payload });
    life.durable.add(payloadHash);
    return true;
  }

  async makeDurable(payloadHash: Hash | null): Promise<void> {
    if (payloadHash !== null && !this.logPayload(this.#deps.loop.life, payloadHash))
      throw new Error(`payload ${payloadHash} is not here, so nothing is signed for it`);
    if (!this.#isLogging) throw new Error('the WAL of this height is not usable');
    await measureWait('wal', () => this.#deps.wal.sync());
  }

  async sync(): Promise<void> {
    try {
      await measureWait('wal', () => this.#deps.wal.sync());
    } catch (error) {
      this.#isLogging = false;
      this.#deps.observe(messageOf(error));
    }
  }

  async syncIfMuch(): Promise<void> {
    if (this.#deps.wal.pendingBytes() > MAX_PENDING_WAL_BYTES) await this.sync();
  }
}
