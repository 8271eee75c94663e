/**
 * What this node can say of the round, of each validator and of what it waits for.
 *
 * Owns each validator's newest vote, bounded by the set. Does not own the sentence about a round (statusReport.ts).
 */
import type { Input } from '#consensus/engine.ts';
import type { Address } from '#consensus/primitives.ts';
import { proposerAt } from '#consensus/proposer.ts';
import type { SignedVote } from '#consensus/types.ts';
import { isMember } from '#consensus/validatorSet.ts';
import { compareSigningOrder } from '#node/consensus/guard.ts';
import type { HeightLoop } from '#node/consensus/heightLoop.ts';
import type { HostDependencies, HostStatus } from '#node/consensus/hostPorts.ts';
import type { OwnVotes } from '#node/consensus/ownVotes.ts';
import { describeWait } from '#node/consensus/statusReport.ts';

export type StatusKeeperDependencies = Pick<HostDependencies, 'network' | 'l1View'> & {
  readonly loop: HeightLoop;
  readonly own: OwnVotes;
  readonly self: Address;
};

export class StatusKeeper {
  readonly #deps: StatusKeeperDependencies;
  readonly #lastVotes = new Map<Address, SignedVote>();

  constructor(dependencies: StatusKeeperDependencies) {
    this.#deps = dependencies;
  }

  noteHeard(input: Input): void {
    if (input.type !== 'vote' && input.type !== 'ownVote') return;
    const { vote } = input;
    const known = this.#lastVotes.get(vote.validator);
    const order = (entry: SignedVote) => ({ height: entry.height, round: entry.round, step: entry.type });
    if (known === undefined || compareSigningOrder(order(vote), order(known)) > 0)
      this.#lastVotes.set(vote.validator, vote);
    if (this.#lastVotes.size > 4 * this.#deps.loop.state.context.set.validators.length)
      for (const validator of this.#lastVotes.keys())
        if (!isMember(this.#deps.loop.state.context.set, validator)) this.#lastVotes.delete(validator);
  }

  status(): HostStatus {
    const { set, height } = this.#deps.loop.state.context;
    const { round, step } = this.#deps.loop.state.round;
    const connected = new Set(this.#deps.network.peers().map((peer) => peer.validator));
    return {
      height,
      round,
      step,
      proposer: round < 0 ? null : proposerAt(set, height, round),
      validators: set.validators.map(({ address, power }) => {
        const vote = this.#lastVotes.get(address);
        return {
          address,
          power,
          connected: address === this.#deps.self || connected.has(address),
          lastVote: vote === undefined ? null : { height: vote.height, round: vote.round, type: vote.type },
        };
      }),
      waitingFor: this.#waitingFor(),
      observing: this.#deps.own.signing.observing() ?? this.#deps.own.signing.withheld(),
      halted: this.#deps.loop.halted(),
    };
  }

  #waitingFor(): string | null {
    const halt = this.#deps.loop.halted();
    if (halt !== null) return `an operator: ${halt.message}`;
    if (this.#deps.loop.isGated()) {
      const status = this.#deps.l1View!.status();
      return `the L1 before height 1: ${status.state}${'reason' in status ? ` (${status.reason})` : ''}`;
    }
    const observing = this.#deps.own.signing.observing();
    const wait = describeWait(this.#deps.loop.state);
    if (wait !== null) return wait;
    if (observing !== null) return null;
    if (this.#deps.own.signing.isLookingBack()) return 'validators to say which vote of ours they saw last';
    return null;
  }
}
