/**
 * What this validator proposes, and what it leaves out for a while.
 *
 * Owns building in the height's course and the back-off of transactions: dropped ones, those of a payload that missed its
 * polka (RULES 4), an import that failed (RULES 31). Does not own what goes into a payload (payloadBuilder.ts).
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { payloadToHash } from '#consensus/digests.ts';
import { hasPolka } from '#consensus/heightState.ts';
import { hasQuorumOfAny } from '#consensus/voteKeeper.ts';
import type { Derivation, Head } from '#node/chain.ts';
import type { HeightLife } from '#node/consensus/heightLife.ts';
import type { HeightLoop } from '#node/consensus/heightLoop.ts';
import type { HostDependencies, HostOptions } from '#node/consensus/hostPorts.ts';
import { buildPayload, IMPORT_BACK_OFF_HEIGHTS } from '#node/consensus/payloadBuilder.ts';
import type { PayloadWork } from '#node/consensus/payloadWork.ts';

const PAYLOAD_BACK_OFF_HEIGHTS = 10;
const DROPPED_BACK_OFF_HEIGHTS = 5;

export type ProposingDependencies = Pick<
  HostDependencies,
  'chain' | 'mempool' | 'l1View' | 'clock' | 'logger'
> & { readonly loop: HeightLoop; readonly work: PayloadWork };

export class Proposing {
  readonly #options: HostOptions;
  readonly #deps: ProposingDependencies;
  #lastDerivation: Extract<Derivation, { valid: true }> | null = null;
  #importBackOffUntil = 0n;

  constructor(options: HostOptions, dependencies: ProposingDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  /** How the newest block was derived here; null when it was not. */
  lastDerivation(): Extract<Derivation, { valid: true }> | null {
    return this.#lastDerivation;
  }

  async build(life: HeightLife, round: number): Promise<void> {
    const { chain, mempool, l1View, clock, logger } = this.#deps;
    const head = chain.head();
    if (head.block.height + 1n !== life.height) return;
    const built = await buildPayload(
      { head, round, allowImport: life.height > this.#importBackOffUntil },
      this.#options,
      {
        mempool,
        l1View,
        clock,
        derive: (payload) => this.#deps.work.deriveOnce(life, payloadToHash(payload), payload),
      },
    );
    if (life.over || !this.#deps.loop.isRunning()) return;
    if (built.importLeftOut !== null) {
      logger.debug(built.importLeftOut, 'import left out of the proposal');
      if (built.importLeftOut.futile) mempool.backOff([built.importLeftOut.hash], IMPORT_BACK_OFF_HEIGHTS);
    }
    if (built.withImport) life.proposedImport = true;
    const payloadHash = payloadToHash(built.payload);
    this.#deps.work.keep(life, payloadHash, built.payload);
    this.#deps.loop.supervise(this.#deps.work.derive(life, payloadHash, built.payload));
    this.#deps.loop.enqueueInput(life, { type: 'built', round, payloadHash });
  }

  noteCommitted(life: HeightLife, { block }: Head): void {
    if (block.height !== life.height) return;
    const derivation = life.payloads
      .derivations()
      .find((entry) => entry.valid && entry.valueId === block.valueId);
    this.#lastDerivation = derivation?.valid ? derivation : null;
    if (derivation?.valid && derivation.dropped.length > 0)
      this.#deps.mempool.backOff(
        derivation.dropped.map(({ hash }) => hash),
        DROPPED_BACK_OFF_HEIGHTS,
      );
    if (life.proposedImport && !(derivation?.valid && derivation.imports))
      this.#importBackOffUntil = block.height + BigInt(IMPORT_BACK_OFF_HEIGHTS);
    this.#deps.logger.info(
      {
        height: block.height,
        hash: block.hash,
        valueId: block.valueId,
        round: block.certificate?.round,
        txs: block.transactions.length,
      },
      'block committed',
    );
  }

  /**
   * RULES 4: a payload that missed its polka although a quorum prevoted is too heavy, late or refused: its
   * transactions wait. Without a quorum of prevotes the round failed for want of voters, not because of the payload.
   */
  backOffMissed(life: HeightLife, round: number): void {
    const proposal = this.#deps.loop.state.proposals.get(round)?.first;
    if (proposal === undefined || proposal.polRound !== -1) return;
    const { votes, context } = this.#deps.loop.state;
    if (!hasQuorumOfAny(votes, context.set, round, 'prevote')) return;
    const derivation = life.payloads.derivation(proposal.payloadHash);
    if (derivation?.valid && hasPolka(this.#deps.loop.state, round, derivation.valueId)) return;
    const payload = life.payloads.get(proposal.payloadHash);
    if (payload === null || payload.transactions.length === 0) return;
    this.#deps.mempool.backOff(payload.transactions.map(keccak256Hex), PAYLOAD_BACK_OFF_HEIGHTS);
  }
}
