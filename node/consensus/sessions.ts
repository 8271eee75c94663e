/**
 * Which process each other validator signs from, as far as this node hears: the memory behind the fence (fence.ts).
 *
 * A session is a random name for one run of one process. Owns the newest session of each validator and when it was
 * last heard. The first that is heard stays until it falls silent, so a second process with the same key is told of
 * the first, never the reverse; a session that signs replaces one that only asked. Bounded, and only the key's own
 * holder can add to its entry: the network has proven who speaks.
 */
import type { Address, Hash } from '#consensus/primitives.ts';

/** Sessions are heard once a second; after this silence the process counts as gone. */
export const SESSION_SILENCE_MS = 5_000;
const MAX_SESSIONS = 1_024;

type Entry = {
  readonly session: Hash;
  /** The connection that it was heard on; another process with the key has another. */
  readonly peerId: string;
  readonly heardMs: number;
  readonly signs: boolean;
};

/** Who speaks, as the network has proven it. */
export type SessionPeer = { readonly validator: Address; readonly peerId: string };

export class Sessions {
  readonly #byValidator = new Map<Address, Entry>();

  /** This session says that it signs. @returns false when another one, still heard, does as well */
  noteSigning({ validator, peerId }: SessionPeer, session: Hash, nowMs: number): boolean {
    const known = this.#heard(validator, nowMs);
    if (known !== null && known.session !== session && known.signs) return false;
    this.#set(validator, { session, peerId, heardMs: nowMs, signs: true });
    return true;
  }

  /** This session asks whether it may sign. @returns how long ago another one was heard, null when none is */
  ask({ validator, peerId }: SessionPeer, session: Hash, nowMs: number): number | null {
    const known = this.#heard(validator, nowMs);
    if (known !== null && known.session !== session) return nowMs - known.heardMs;
    this.#set(validator, { session, peerId, heardMs: nowMs, signs: known?.signs ?? false });
    return null;
  }

  /** The connection to that process has closed: a restart need not wait. That of another process changes nothing. */
  forget({ validator, peerId }: SessionPeer): void {
    if (this.#byValidator.get(validator)?.peerId === peerId) this.#byValidator.delete(validator);
  }

  #heard(validator: Address, nowMs: number): Entry | null {
    const known = this.#byValidator.get(validator);
    return known === undefined || nowMs - known.heardMs >= SESSION_SILENCE_MS ? null : known;
  }

  #set(validator: Address, entry: Entry): void {
    this.#byValidator.delete(validator);
    this.#byValidator.set(validator, entry);
    if (this.#byValidator.size > MAX_SESSIONS)
      this.#byValidator.delete(this.#byValidator.keys().next().value!);
  }
}
