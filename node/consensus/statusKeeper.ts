/**
 * What this node can say of the round, of each validator and of what it waits for.
 *
 * Owns gathering the facts: who was heard (statusRoster.ts), since when the height, round and step last, the newest
 * refusal. Does not own what follows from them: the margin (statusMargin.ts), the sentence (statusReport.ts). Invariants:
 * bounded by the set; changes nothing; answers in every state of the host, before its first height too.
 */
import type { Input } from '#consensus/engine.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import { proposerAt } from '#consensus/proposer.ts';
import { NIL, type VoteType } from '#consensus/types.ts';
import { isHonestMinority, isMember, powerOf } from '#consensus/validatorSet.ts';
import { tallyOf } from '#consensus/voteKeeper.ts';
import type { Fetcher } from '#node/consensus/fetcher.ts';
import type { HeightLoop } from '#node/consensus/heightLoop.ts';
import type { HostDependencies, HostOptions } from '#node/consensus/hostPorts.ts';
import type { RoundSummary } from '#node/consensus/messages.ts';
import type { OwnVotes } from '#node/consensus/ownVotes.ts';
import { failureMargin } from '#node/consensus/statusMargin.ts';
import { explainProgress, type PayloadFacts } from '#node/consensus/statusReport.ts';
import { Roster, type RosterPosition, SILENCE_MS } from '#node/consensus/statusRoster.ts';
import type {
  Absence,
  HostStatus,
  Margin,
  NameOf,
  RoundVotesStatus,
  Signing,
  ValidatorStatus,
  VotesOfStep,
} from '#node/consensus/statusTypes.ts';
import { describePresence } from '#node/consensus/statusWords.ts';
import type { Peer } from '#node/network/network.ts';

export type StatusKeeperOptions = Pick<HostOptions, 'blockIntervalMs' | 'emptyBlockIntervalMs'>;

export type StatusKeeperDependencies = Pick<HostDependencies, 'network' | 'l1View' | 'clock' | 'mempool'> & {
  readonly loop: HeightLoop;
  readonly own: OwnVotes;
  readonly fetcher: Pick<Fetcher, 'askedFor'>;
  readonly self: Address;
};

type Since = { heightMs: number; roundMs: number; stepMs: number; startedMs: number | null };

export class StatusKeeper {
  readonly #options: StatusKeeperOptions;
  readonly #deps: StatusKeeperDependencies;
  readonly #roster = new Roster();
  #firstHeight: bigint | null = null;
  #firstMs = 0;
  #since: Since = { heightMs: 0, roundMs: 0, stepMs: 0, startedMs: null };
  #at = { round: -1, step: 'waiting' };

  constructor(options: StatusKeeperOptions, dependencies: StatusKeeperDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  // ── what is noted ───────────────────────────────────────────────────────────────────────────────────────────

  enterHeight(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const { round, step } = this.#deps.loop.state.round;
    if (this.#firstHeight === null) {
      this.#firstHeight = this.#deps.loop.state.context.height;
      this.#firstMs = nowMs;
    }
    this.#since = { heightMs: nowMs, roundMs: nowMs, stepMs: nowMs, startedMs: round < 0 ? null : nowMs };
    this.#at = { round, step };
  }

  /** An input that changed the engine's state. */
  noteHeard(input: Input): void {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#noteMoved(nowMs);
    const { set } = this.#deps.loop.state.context;
    if (input.type === 'vote' || input.type === 'ownVote') this.#roster.noteVote(input.vote, set, nowMs);
  }

  noteSummary(peer: Peer, height: bigint, round: number, rounds: readonly RoundSummary[]): void {
    if (peer.validator === null) return;
    const { set } = this.#deps.loop.state.context;
    this.#roster.noteSummary(peer.validator, { height, round, rounds }, set, this.#deps.clock.monotonicMs());
  }

  noteSession(validator: Address): void {
    this.#roster.noteSession(validator, this.#deps.loop.state.context.set, this.#deps.clock.monotonicMs());
  }

  #noteMoved(nowMs: number): void {
    const { round, step } = this.#deps.loop.state.round;
    if (round === this.#at.round && step === this.#at.step) return;
    this.#since.startedMs ??= nowMs;
    if (round !== this.#at.round) this.#since.roundMs = nowMs;
    this.#since.stepMs = nowMs;
    this.#at = { round, step };
  }

  // ── what is said ────────────────────────────────────────────────────────────────────────────────────────────

  status(nameOf: NameOf): HostStatus {
    const { loop } = this.#deps;
    const { set, height } = loop.state.context;
    const { round, step } = loop.state.round;
    const nowMs = this.#deps.clock.monotonicMs();
    const signing = this.#signing();
    const validators = this.#validators(nameOf, signing, nowMs);
    const margin = this.#margin(validators);
    const progress = explainProgress({
      nowMs,
      state: loop.state,
      self: this.#deps.self,
      nameOf,
      validators,
      margin,
      signing,
      halt: loop.halted(),
      gate: loop.isGated() ? (this.#deps.l1View?.status() ?? null) : null,
      ahead: this.#ahead(nameOf, nowMs),
      hasWork: this.#deps.mempool.hasWork(),
      dueMs: this.#dueMs(),
      nodeSinceMs: this.#firstMs,
      heightSinceMs: this.#since.heightMs,
      roundSinceMs: this.#since.roundMs,
      stepSinceMs: this.#since.stepMs,
      startedMs: this.#since.startedMs,
      payloadFacts: (hashes) => this.#payloadFacts(hashes),
      refusal: loop.life.refusal,
    });
    return {
      height,
      round,
      step,
      proposer: round < 0 ? null : proposerAt(set, height, round),
      validators,
      margin,
      votes: this.#votes(validators),
      progress,
      signing,
      waitingFor: progress.state === 'committing' ? null : progress.sentence,
      observing: this.#deps.own.signing.observing(),
      halted: loop.halted(),
    };
  }

  #signing(): Signing {
    const { loop, own } = this.#deps;
    if (loop.halted() !== null) return { state: 'halted', reason: null };
    const observing = own.signing.observing();
    if (observing !== null) return { state: 'observing', reason: observing };
    if (own.signing.isLookingBack())
      return {
        state: 'lookingBack',
        reason:
          'it asks its peers which vote of it they saw last, and whether another process signs with its key',
      };
    const { height } = loop.state.context;
    if (own.signing.abstainsAt(height))
      return {
        state: 'abstaining',
        reason: `its peers know a newer vote of it than its sign guard, so it signs nothing at height ${height}, which ends only with more than 2/3 of the power without it`,
      };
    const withheld = own.signing.withheld();
    return withheld === null ? { state: 'signing', reason: null } : { state: 'syncing', reason: withheld };
  }

  #validators(nameOf: NameOf, signing: Signing, nowMs: number): readonly ValidatorStatus[] {
    const { network, self } = this.#deps;
    const peers = new Map(network.peers().map((peer) => [peer.validator, peer]));
    const position = this.#position(nowMs);
    return position.set.validators.map(({ address, power }) => {
      const isSelf = address === self;
      const peer = peers.get(address);
      const heardMs = this.#roster.heardMs(address);
      const absence = isSelf
        ? this.#ownAbsence(signing, nowMs)
        : (this.#roster.absenceOf(address, peer !== undefined, position) ?? this.#muteness(address, nowMs));
      return {
        address,
        name: nameOf(address),
        power,
        self: isSelf,
        connected: isSelf || peer !== undefined,
        absence,
        ...this.#whereabouts(address, isSelf),
        lastVote: this.#lastVote(address, nowMs),
        heardAgoMs: isSelf ? 0 : heardMs === null ? null : Math.max(0, Math.round(nowMs - heardMs)),
        roundTripMs: peer?.roundTripMs ?? null,
      };
    });
  }

  #ownAbsence({ state }: Signing, nowMs: number): Absence | null {
    if (state === 'observing' || state === 'halted') return 'notSigning';
    return this.#muteness(this.#deps.self, nowMs);
  }

  #position(nowMs: number): RosterPosition {
    const { set, height } = this.#deps.loop.state.context;
    const { emptyBlockIntervalMs } = this.#options;
    return { nowMs, set, height, firstHeight: this.#firstHeight ?? height, emptyBlockIntervalMs };
  }

  /** In a round that has waited for its votes for so long, lateness is no explanation any more. */
  #muteness(validator: Address, nowMs: number): 'mute' | null {
    const { round, votes } = this.#deps.loop.state;
    if (round.step !== 'prevote' && round.step !== 'precommit') return null;
    if (nowMs - this.#since.stepMs < SILENCE_MS) return null;
    const type: VoteType = round.step;
    return tallyOf(votes, round.round, type).first.has(validator) ? null : 'mute';
  }

  #whereabouts(validator: Address, isSelf: boolean): Pick<ValidatorStatus, 'height' | 'round' | 'step'> {
    const { context, round } = this.#deps.loop.state;
    if (isSelf) return { height: context.height, round: round.round, step: round.step };
    return this.#roster.whereabouts(validator) ?? { height: null, round: null, step: null };
  }

  #lastVote(validator: Address, nowMs: number): ValidatorStatus['lastVote'] {
    const newest = this.#roster.newestVote(validator);
    if (newest === null) return null;
    const { height, round, type, valueId } = newest.vote;
    return {
      height,
      round,
      type,
      valueId: valueId === NIL ? null : valueId,
      agoMs: Math.max(0, Math.round(nowMs - newest.atMs)),
    };
  }

  #margin(validators: readonly ValidatorStatus[]): Margin {
    const alive = new Set(validators.filter(({ absence }) => absence === null).map(({ address }) => address));
    return failureMargin(this.#deps.loop.state.context.set, (address) => alive.has(address));
  }

  #votes(validators: readonly ValidatorStatus[]): RoundVotesStatus | null {
    const { round } = this.#deps.loop.state;
    if (round.round < 0 || round.step === 'decided') return null;
    return {
      prevotes: this.#votesOf('prevote', validators),
      precommits: this.#votesOf('precommit', validators),
    };
  }

  #votesOf(type: VoteType, validators: readonly ValidatorStatus[]): VotesOfStep {
    const { round, votes } = this.#deps.loop.state;
    const tally = tallyOf(votes, round.round, type);
    const missing = validators
      .filter(({ address }) => !tally.first.has(address))
      .map((validator) => ({
        address: validator.address,
        name: validator.name,
        power: validator.power,
        why: describePresence(validator),
      }));
    return { power: tally.power, missing };
  }

  /** One liar must not make this node look behind: more than 1/3 of the power has to say so. */
  #ahead(nameOf: NameOf, nowMs: number): { height: bigint; by: readonly string[] } | null {
    const { set, height } = this.#deps.loop.state.context;
    const claims = [...this.#roster.claimedHeights(nowMs)]
      .filter(([validator, claimed]) => isMember(set, validator) && claimed > height + 1n)
      .sort(([, a], [, b]) => (a < b ? 1 : -1));
    let power = 0n;
    for (const [index, [validator, claimed]] of claims.entries()) {
      power += powerOf(set, validator);
      if (isHonestMinority(set, power))
        return { height: claimed, by: claims.slice(0, index + 1).map(([address]) => nameOf(address)) };
    }
    return null;
  }

  #dueMs(): number {
    const { blockIntervalMs, emptyBlockIntervalMs } = this.#options;
    return this.#since.heightMs + (this.#deps.mempool.hasWork() ? blockIntervalMs : emptyBlockIntervalMs);
  }

  #payloadFacts(hashes: readonly Hash[]): PayloadFacts {
    const { loop, fetcher } = this.#deps;
    const { state, life } = loop;
    const running = hashes.find((hash) => life.deriving.has(hash) && !state.derived.has(hash));
    return {
      here: hashes.some((hash) => life.payloads.has(hash)),
      derivingSinceMs: running === undefined ? null : life.payloads.receivedMs(running),
      asked: [...new Set(hashes.flatMap((hash) => fetcher.askedFor(hash)))],
    };
  }
}
