/**
 * A map that forgets what was not used for long: bounded by entries, so use it for values of bounded size.
 *
 * Two generations: what is used is in the young one or comes back to it, and when that is full the old one goes. So no
 * entry is ever deleted by itself, which in a Map costs more than all the rest; and between half of the bound and all
 * of it is kept.
 */
export class BoundedCache<K, V> {
  #young = new Map<K, V>();
  #old = new Map<K, V>();
  readonly #maxYoung: number;
  readonly #whenKept: (value: V) => V;

  /** @param whenKept makes of a value what outlives its generation */
  constructor(maxEntries: number, whenKept: (value: V) => V = (value) => value) {
    this.#maxYoung = Math.ceil(maxEntries / 2);
    this.#whenKept = whenKept;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    const kept = this.#whenKept(old);
    this.set(key, kept);
    return kept;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#maxYoung) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  /** An entry of both generations counts twice. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
