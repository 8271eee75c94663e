/**
 * From a certificate to a committed block: WAL(decision) → derivation → one batch (RULES 12).
 *
 * Whatever the certificate says and execution here does not is a divergence, and halts. Does not own the batch
 * (node/chain.ts).
 */
import { payloadToHash } from '#consensus/digests.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { CommitCertificate, Payload } from '#consensus/types.ts';
import { ChainError, type Derivation } from '#node/chain.ts';
import { explainDivergence } from '#node/consensus/divergence.ts';
import type { Fetcher } from '#node/consensus/fetcher.ts';
import type { HeightLife } from '#node/consensus/heightLife.ts';
import type { HeightLog } from '#node/consensus/heightLog.ts';
import { type HeightLoop, messageOf } from '#node/consensus/heightLoop.ts';
import type { HostDependencies } from '#node/consensus/hostPorts.ts';
import type { PayloadWork } from '#node/consensus/payloadWork.ts';
import type { ValueFetching } from '#node/consensus/valueFetching.ts';

export type CommittingDependencies = Pick<HostDependencies, 'chain'> & {
  readonly loop: HeightLoop;
  readonly log: HeightLog;
  readonly fetcher: Fetcher;
  readonly work: PayloadWork;
  readonly values: ValueFetching;
};

export class Committing {
  readonly #deps: CommittingDependencies;

  constructor(dependencies: CommittingDependencies) {
    this.#deps = dependencies;
  }

  async commit(life: HeightLife, certificate: CommitCertificate, payloadHash: Hash): Promise<void> {
    const payload = life.payloads.get(payloadHash);
    if (payload === null) {
      // Only after a restart that lost the payload's bytes: the peers have them.
      this.#fetchForCommit(life, certificate, payloadHash);
      return;
    }
    this.#deps.log.logPayload(life, payloadHash);
    this.#deps.log.append({ type: 'decision', certificate, payloadHash });
    await this.#deps.log.sync();
    let derivation: Derivation;
    try {
      derivation = await this.#deps.work.deriveOnce(life, payloadHash, payload);
      if (life.over) return;
      if (derivation.valid && derivation.valueId === certificate.valueId) {
        await this.#commitDerived(life, payload, certificate);
        return;
      }
    } catch (error) {
      if (this.#deps.chain.head().block.height >= life.height) return; // committed by sync meanwhile
      this.#deps.loop.halt(
        'EXECUTION_FAULT',
        `height ${life.height} cannot be committed: ${messageOf(error)}`,
      );
      return;
    }
    const ours = derivation.valid
      ? { valid: true as const, valueId: derivation.valueId }
      : { valid: false as const, reason: derivation.reason };
    const divergence = { valueId: certificate.valueId, payloadHash, ours, claimants: [] };
    this.#deps.loop.halt('DIVERGENCE', explainDivergence(life.height, divergence, derivation, null));
  }

  /** The chain keeps the newest derivations only: after many rounds, one from long ago is made again. */
  async #commitDerived(life: HeightLife, payload: Payload, certificate: CommitCertificate): Promise<void> {
    const { chain } = this.#deps;
    try {
      await chain.commit(certificate.valueId, certificate);
    } catch (error) {
      if (!(error instanceof ChainError) || error.code !== 'UNKNOWN_VALUE' || life.over) throw error;
      await chain.derive(payload);
      await chain.commit(certificate.valueId, certificate);
    }
  }

  #fetchForCommit(life: HeightLife, certificate: CommitCertificate, payloadHash: Hash): void {
    const { valueId } = certificate;
    const voters = certificate.signatures.map(({ validator }) => validator);
    this.#deps.fetcher.pursue({
      key: `commit:${payloadHash}`,
      candidates: () => this.#deps.values.peersToAsk(life, valueId, voters),
      isDone: () => life.over,
      attempt: async (peer) => {
        const answer = await this.#deps.values.askForValue(life, peer, valueId);
        if (answer === null) return;
        const found = payloadToHash(answer.payload);
        const derivation = await this.#deps.work.deriveOnce(life, found, answer.payload);
        if (life.over) return;
        this.#deps.work.settleClaims(life, found, derivation);
        if (derivation.valid && derivation.valueId === valueId)
          this.#deps.loop.enqueue(() => this.commit(life, certificate, found));
      },
    });
  }
}
