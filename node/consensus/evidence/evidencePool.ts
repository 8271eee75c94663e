/**
 * The evidence that this node keeps: verified, each conflict once, bounded, and let go when it is too old.
 *
 * Owns what is kept and until when. Does not own the file (evidenceStore.ts), who is told (evidenceGossip.ts) or the
 * proof itself (#consensus/evidence.ts). Invariants: nothing unverified is kept; the set that judges is the one of the
 * evidence's own height; a validator fills its own places only, and what has no place is dropped before any signature
 * is looked at; a disk that fails costs durability, never a vote.
 *
 * Age: a piece is let go when it is older than `maxAgeHeights` AND `maxAgeSeconds`, by the timestamps of blocks. Seven
 * days is how long the L1 hears evidence (RULES 29); the heights keep a long halt of the chain from eating them up.
 */
import { canonicalMisbehaviour, type Misbehaviour, verifyMisbehaviour } from '#consensus/evidence.ts';
import type { Address } from '#consensus/primitives.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import type { ChainReader } from '#node/chain.ts';
import { keyOf, slotOf, subjectOf } from '#node/consensus/evidence/evidenceCodec.ts';
import type { EvidenceRecord, EvidenceStore } from '#node/consensus/evidence/evidenceStore.ts';
import type { HostLogger } from '#node/consensus/hostPorts.ts';

export type EvidencePoolOptions = {
  readonly domain: ConsensusDomain;
  readonly maxAgeHeights: bigint;
  readonly maxAgeSeconds: bigint;
  /** For each offender and each of prevote, precommit and proposal; for conflicting commits together. */
  readonly maxPerSlot: number;
  readonly maxTotal: number;
};

export const DEFAULT_EVIDENCE_OPTIONS: Omit<EvidencePoolOptions, 'domain'> = {
  maxAgeHeights: 100_000n,
  maxAgeSeconds: 7n * 86_400n,
  maxPerSlot: 8,
  maxTotal: 1_024,
};

export type EvidencePoolDependencies = {
  readonly chain: Pick<ChainReader, 'head' | 'blockAt' | 'validatorsAt'>;
  readonly logger: HostLogger;
};

export type KeptEvidence = EvidenceRecord & {
  readonly key: string;
  readonly slot: string;
  /** Who is convicted, ascending; empty for two certificates of different rounds. */
  readonly offenders: readonly Address[];
};

export type EvidenceVerdict =
  | { readonly status: 'added'; readonly kept: KeptEvidence }
  /** Nobody's fault: known, no place for it, too old, or of a height whose set is not known here yet. */
  | { readonly status: 'known' | 'full' | 'expired' | 'ahead' }
  /** It proves nothing: whoever sent it pays. */
  | { readonly status: 'invalid'; readonly code: string };

export class EvidencePool {
  readonly #options: EvidencePoolOptions;
  readonly #deps: EvidencePoolDependencies;
  readonly #kept = new Map<string, KeptEvidence>();
  readonly #slots = new Map<string, number>();
  readonly #warned = new Set<string>();
  /** Null: this run keeps evidence in memory only. */
  #store: EvidenceStore | null = null;
  #writing: Promise<void> = Promise.resolve();
  #expiredSinceRewrite = 0;

  constructor(options: EvidencePoolOptions, dependencies: EvidencePoolDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  /** What an earlier run kept. Each piece is verified again: the file is not trusted. */
  async restore(store: EvidenceStore, records: readonly EvidenceRecord[]): Promise<void> {
    for (const { item, atSeconds } of records) await this.#take(item, atSeconds);
    this.#store = store;
    if (this.#kept.size < records.length) this.#rewrite();
  }

  async add(item: Misbehaviour): Promise<EvidenceVerdict> {
    const verdict = await this.#take(item, null);
    if (verdict.status === 'added') {
      this.#warn(verdict.kept);
      const { kept } = verdict;
      this.#write((store) => store.append(kept));
    }
    return verdict;
  }

  /** Whether it would be kept if it proved something; looks at no signature. */
  hasPlaceFor(item: Misbehaviour): boolean {
    return this.#refusalOf(item) === null;
  }

  #refusalOf(item: Misbehaviour): EvidenceVerdict | null {
    const subject = subjectOf(item);
    if (this.#kept.has(keyOf(subject))) return { status: 'known' };
    const used = this.#slots.get(slotOf(subject)) ?? 0;
    if (used >= this.#options.maxPerSlot || this.#kept.size >= this.#options.maxTotal)
      return { status: 'full' };
    return null;
  }

  async #take(item: Misbehaviour, knownSeconds: bigint | null): Promise<EvidenceVerdict> {
    const refusal = this.#refusalOf(item);
    if (refusal !== null) return refusal;
    const { domain } = this.#options;
    const { height } = item.first;
    const set = await this.#setAt(height);
    if (set === null) return height < 1n ? { status: 'invalid', code: 'OUT_OF_RANGE' } : { status: 'ahead' };
    const atSeconds = knownSeconds ?? (await this.#secondsOf(height));
    if (this.#isExpired(height, atSeconds)) return { status: 'expired' };
    const result = verifyMisbehaviour(domain, set, item);
    if (!result.valid) return { status: 'invalid', code: result.code };
    const subject = subjectOf(item);
    const kept: KeptEvidence = {
      item: canonicalMisbehaviour(domain, item),
      atSeconds,
      key: keyOf(subject),
      slot: slotOf(subject),
      offenders: result.offenders,
    };
    // Somebody else may have come first while the set was looked up.
    const late = this.#refusalOf(item);
    if (late !== null) return late;
    this.#kept.set(kept.key, kept);
    this.#slots.set(kept.slot, (this.#slots.get(kept.slot) ?? 0) + 1);
    return { status: 'added', kept };
  }

  /** Sets change at epoch boundaries; the chain knows every one that voted, and the next. */
  async #setAt(height: bigint): Promise<ValidatorSet | null> {
    const { block, nextValidators } = this.#deps.chain.head();
    if (height === block.height + 1n) return nextValidators;
    return height < 1n || height > block.height ? null : this.#deps.chain.validatorsAt(height);
  }

  async #secondsOf(height: bigint): Promise<bigint> {
    const { chain } = this.#deps;
    const head = chain.head().block;
    if (height >= head.height) return head.timestamp;
    return (await chain.blockAt(height))?.timestamp ?? head.timestamp;
  }

  #isExpired(height: bigint, atSeconds: bigint): boolean {
    const { block } = this.#deps.chain.head();
    const { maxAgeHeights, maxAgeSeconds } = this.#options;
    return block.height - height > maxAgeHeights && block.timestamp - atSeconds > maxAgeSeconds;
  }

  /** After each block. */
  expire(): void {
    for (const { key, slot, item, atSeconds } of [...this.#kept.values()]) {
      if (!this.#isExpired(item.first.height, atSeconds)) continue;
      this.#kept.delete(key);
      this.#expiredSinceRewrite++;
      const left = (this.#slots.get(slot) ?? 1) - 1;
      if (left > 0) this.#slots.set(slot, left);
      else this.#slots.delete(slot);
    }
    // Rewriting costs as much as what is left: it is done when as much has gone, so the file is at most twice that.
    if (this.#expiredSinceRewrite > this.#kept.size) this.#rewrite();
  }

  #rewrite(): void {
    this.#expiredSinceRewrite = 0;
    this.#write((store) => store.rewrite([...this.#kept.values()]));
  }

  /** One at a time, beside everything else. */
  #write(work: (store: EvidenceStore) => Promise<void>): void {
    this.#writing = this.#writing.then(async () => {
      if (this.#store === null) return;
      try {
        await work(this.#store);
      } catch (error) {
        this.#deps.logger.error(
          { err: error },
          'evidence could not be written: it is kept in memory and sent to the other validators; check the disk',
        );
      }
    });
  }

  /** Once for each offender, height, round and kind. */
  #warn({ item, key, offenders }: KeptEvidence): void {
    if (this.#warned.has(key)) return;
    if (this.#warned.size >= 4 * this.#options.maxTotal) this.#warned.clear();
    this.#warned.add(key);
    const { height, round } = item.first;
    const { step } = subjectOf(item);
    if (item.type === 'conflictingCommit')
      this.#deps.logger.warn(
        { kind: item.type, height, offenders, values: [item.first.valueId, item.second.valueId] },
        'two values were committed at one height: compare block hashes with the other operators',
      );
    else
      this.#deps.logger.warn(
        { kind: item.type, step, offender: offenders[0], height, round },
        'a validator signed two messages for one step: tell its operator',
      );
  }

  /** In ascending order of height, then of key. */
  list(): readonly KeptEvidence[] {
    return [...this.#kept.values()].sort((a, b) => {
      const byHeight = a.item.first.height - b.item.first.height;
      if (byHeight !== 0n) return byHeight < 0n ? -1 : 1;
      return a.key < b.key ? -1 : 1;
    });
  }

  has(key: string): boolean {
    return this.#kept.has(key);
  }

  size(): number {
    return this.#kept.size;
  }

  /** Where nothing more is taken. */
  fullSlots(): readonly string[] {
    return [...this.#slots].filter(([, used]) => used >= this.#options.maxPerSlot).map(([slot]) => slot);
  }

  /** Resolves when everything taken so far is on disk, or could not be written. */
  flushed(): Promise<void> {
    return this.#writing;
  }

  async close(): Promise<void> {
    await this.#writing;
    const store = this.#store;
    this.#store = null;
    await store?.close();
  }
}
