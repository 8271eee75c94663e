/** An L1 view that says what the test wants. */
import type { AcceptedCheckpoint, FinalizedL1, L1Status, L1View } from '#bridge/l1/view.ts';
import type { Hash } from '#consensus/primitives.ts';

export class FakeL1 implements L1View {
  #status: L1Status = { state: 'ready' };
  #accepted: AcceptedCheckpoint | null = null;
  readonly #hashes = new Map<bigint, Hash>();
  readonly #listeners = new Set<() => void>();
  heldMs = 0;

  set(change: { status?: L1Status; accepted?: AcceptedCheckpoint; deposit?: readonly [bigint, Hash] }): void {
    if (change.status !== undefined) this.#status = change.status;
    if (change.accepted !== undefined) this.#accepted = change.accepted;
    if (change.deposit !== undefined) this.#hashes.set(...change.deposit);
    for (const listener of this.#listeners) listener();
  }
  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  status(): L1Status {
    return this.#status;
  }
  finalized(): FinalizedL1 | null {
    return null;
  }
  depositHashAt(count: bigint): Hash | null {
    return this.#hashes.get(count) ?? null;
  }
  heldForMs(count: bigint): number | null {
    return this.#hashes.has(count) ? this.heldMs : null;
  }
  latestAccepted(): AcceptedCheckpoint | null {
    return this.#accepted;
  }
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
