/**
 * When this node must stop because it, or the majority, is on a fork (RULES 19, 25).
 *
 * Owns the two comparisons in the course of a height: with what others certified, and with what the L1 accepted. Does not
 * own the reasoning (divergence.ts).
 */
import { checkpointToValueId } from '#consensus/digests.ts';
import { payloadOf } from '#consensus/heightState.ts';
import type { Asking } from '#node/consensus/asking.ts';
import { explainDivergence, findDivergence } from '#node/consensus/divergence.ts';
import type { HeightLife } from '#node/consensus/heightLife.ts';
import type { HeightLoop } from '#node/consensus/heightLoop.ts';
import type { HostDependencies } from '#node/consensus/hostPorts.ts';
import type { ValueAnswer } from '#node/consensus/messages.ts';

export type ForkWatchDependencies = Pick<HostDependencies, 'chain' | 'l1View' | 'logger'> & {
  readonly loop: HeightLoop;
  readonly asking: Asking;
};

export class ForkWatch {
  readonly #deps: ForkWatchDependencies;
  #checkedAccepted: bigint | null = null;

  constructor(dependencies: ForkWatchDependencies) {
    this.#deps = dependencies;
  }

  checkDivergence(life: HeightLife): void {
    if (life.over || life.explaining || life.unknownValues.size === 0) return;
    const divergence = findDivergence(this.#deps.loop.state, life.claims.all());
    if (divergence === null) return;
    life.explaining = true;
    this.#deps.loop.supervise(
      (async () => {
        const theirs = life.answers.get(divergence.valueId) ?? (await this.#askForTheirs(life, divergence));
        life.explaining = false;
        // While peers were asked, the height may have ended, or another payload have derived to the value.
        if (life.over || payloadOf(this.#deps.loop.state, divergence.valueId) !== null) return;
        const ours = life.payloads.derivation(divergence.payloadHash);
        this.#deps.loop.halt('DIVERGENCE', explainDivergence(life.height, divergence, ours, theirs));
      })(),
    );
  }

  async #askForTheirs(
    life: HeightLife,
    { claimants, valueId }: NonNullable<ReturnType<typeof findDivergence>>,
  ): Promise<ValueAnswer['derived']> {
    for (const peer of this.#deps.asking.peersFirst(claimants).slice(0, 3)) {
      try {
        const answer = await this.#deps.asking.askValue(peer, {
          type: 'valueById',
          height: life.height,
          valueId,
        });
        if (answer?.derived && checkpointToValueId(answer.derived.checkpoint) === valueId)
          return answer.derived;
      } catch (error) {
        this.#deps.logger.debug({ peer: peer.name, err: error }, 'no explanation from peer');
      }
    }
    return null;
  }

  /** RULES 25: an accepted checkpoint that is not our block means that somebody is on a fork. */
  async checkAccepted(): Promise<void> {
    const { l1View, chain } = this.#deps;
    const accepted = l1View?.latestAccepted() ?? null;
    if (accepted === null || accepted.height === this.#checkedAccepted) return;
    if (accepted.height > chain.head().block.height) return;
    const block = await chain.blockAt(accepted.height);
    if (block === null || block.valueId === accepted.valueId) {
      this.#checkedAccepted = accepted.height;
      return;
    }
    this.#deps.loop.halt(
      'L1_CONTRADICTION',
      `expected the checkpoint that the L1 accepted for height ${accepted.height} to be ours (${block.valueId}), found ${accepted.valueId} (L1 block ${accepted.l1BlockNumber}): ` +
        'this node or the majority is on a fork. Do not restart before the operators have compared block hashes',
    );
  }
}
