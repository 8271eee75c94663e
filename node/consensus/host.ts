/**
 * The host of the pure engine: gives it inputs in order and carries out its effects, height after height.
 *
 * Owns the loop, the timers, the height's life and when this node stops. Does not own the algorithm (#consensus), how
 * a message is authenticated (intake.ts), how a signature is released (signing.ts), or what is executed (node/chain.ts).
 *
 * Invariants: inputs are handled one at a time; an input that changed the state is in the WAL before any of its
 * effects; a result that belongs to an earlier height changes nothing; after `halt` nothing is signed or committed.
 */

import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { checkpointToValueId, payloadToHash, proposalDigest } from '#consensus/digests.ts';
import type { Effect, Input, Timeout } from '#consensus/engine.ts';
import { handle } from '#consensus/heightMachine.ts';
import {
  createHeight,
  type HeightState,
  hasPolka,
  keptRounds,
  keptVotes,
  payloadOf,
  polkaFor,
} from '#consensus/heightState.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import { proposerAt } from '#consensus/proposer.ts';
import { timeoutDurationMs } from '#consensus/timeouts.ts';
import type { CommitCertificate, Payload, Proposal, SignedVote, Vote } from '#consensus/types.ts';
import { isMember } from '#consensus/validatorSet.ts';
import { hasQuorumFor, hasQuorumOfAny } from '#consensus/voteKeeper.ts';
import { ChainError, type CommittedBlock, type Derivation, type Head } from '#node/chain.ts';
import { answerRequest } from '#node/consensus/answers.ts';
import type { CancelTimer } from '#node/consensus/clock.ts';
import { explainDivergence, findDivergence } from '#node/consensus/divergence.ts';
import { Fetcher } from '#node/consensus/fetcher.ts';
import { compareSigningOrder, guardToVote, type SignGuard } from '#node/consensus/guard.ts';
import { startGuard } from '#node/consensus/guardStart.ts';
import type {
  Halt,
  HaltCode,
  HostDependencies,
  HostListeners,
  HostOptions,
  HostStatus,
} from '#node/consensus/hostPorts.ts';
import { Intake } from '#node/consensus/intake.ts';
import { acceptableFromMs, judgePayload } from '#node/consensus/judge.ts';
import { LookBack, voteToGuardState } from '#node/consensus/lookBack.ts';
import {
  type ConsensusMessage,
  decodeLastVoteAnswer,
  decodeRequest,
  decodeValueAnswer,
  decodeVotesAnswer,
  encodeMessage,
  encodeRequest,
  MAX_ANSWER_BYTES,
  MAX_REQUEST_BYTES,
  MAX_VOTES_ANSWER_BYTES,
  MessageError,
  type RoundSummary,
  type ValueAnswer,
} from '#node/consensus/messages.ts';
import { buildPayload, IMPORT_BACK_OFF_HEIGHTS } from '#node/consensus/payloadBuilder.ts';
import { PayloadStore } from '#node/consensus/payloads.ts';
import { type PayloadWeight, weighPayload } from '#node/consensus/payloadWeight.ts';
import { recoverHeight } from '#node/consensus/recovery.ts';
import { missingFor, summarize } from '#node/consensus/relay.ts';
import { RoundZero } from '#node/consensus/roundZero.ts';
import { Signing } from '#node/consensus/signing.ts';
import { describeWait } from '#node/consensus/statusReport.ts';
import { ValueClaims } from '#node/consensus/valueClaims.ts';
import { createWal, type Wal, WalError } from '#node/consensus/wal.ts';
import type { WalRecord } from '#node/consensus/walRecords.ts';
import { namedValues, whyWithheld } from '#node/consensus/withholding.ts';
import { type Work, WorkQueue } from '#node/consensus/workQueue.ts';
import type { Peer } from '#node/network/network.ts';

export const CONSENSUS_REQUEST_PROTOCOL = '/causeway/consensus-request/1';
const SUMMARY_INTERVAL_MS = 1_000;
/** A payload that follows its proposal is not asked for before this. */
const PAYLOAD_PATIENCE_MS = 250;
/** A timer that fires later than this was held up by a busy thread: what came in meanwhile is read first. */
const LATE_TIMER_MS = 100;
const LATE_TIMER_GRACE_MS = 100;
const CERTIFICATE_REPEAT_MS = 500;
const REQUEST_TIMEOUT_MS = 3_000;
const PAYLOAD_BACK_OFF_HEIGHTS = 10;
const DROPPED_BACK_OFF_HEIGHTS = 5;
const MAX_QUEUE = 65_536;
const MAX_HELD = 8_192;
/** Written to the WAL (not yet synced) beyond this: sync, so that memory stays bounded. */
const MAX_PENDING_WAL_BYTES = 1024 * 1024;

/** What belongs to one height and ends with it. */
type HeightLife = {
  readonly height: bigint;
  over: boolean;
  readonly payloads: PayloadStore;
  /** Payloads that are in the WAL. */
  readonly durable: Set<Hash>;
  readonly deriving: Map<Hash, Promise<Derivation>>;
  /** Payloads here that nothing makes worth executing yet. */
  readonly withheld: Map<Hash, PayloadWeight>;
  readonly timers: Map<string, CancelTimer>;
  /** Propose timeouts that fired while their payload was being derived (RULES 4). */
  suspended: Timeout[];
  readonly unjudged: Map<string, { readonly round: number; readonly payloadHash: Hash }>;
  readonly unknownValues: Set<Hash>;
  readonly claims: ValueClaims;
  readonly answers: Map<Hash, NonNullable<ValueAnswer['derived']>>;
  proposedImport: boolean;
  explaining: boolean;
};

const createLife = (height: bigint): HeightLife => ({
  height,
  over: false,
  payloads: new PayloadStore(),
  durable: new Set(),
  deriving: new Map(),
  withheld: new Map(),
  timers: new Map(),
  suspended: [],
  unjudged: new Map(),
  unknownValues: new Set(),
  claims: new ValueClaims(),
  answers: new Map(),
  proposedImport: false,
  explaining: false,
});

const isFromPeer = ({ type }: Input): boolean =>
  type === 'vote' || type === 'proposal' || type === 'certificate';

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class ConsensusHost {
  readonly #options: HostOptions;
  readonly #deps: HostDependencies;
  readonly #listeners: HostListeners;
  readonly #self: Address;
  readonly #wal: Wal;
  readonly #intake: Intake;
  readonly #fetcher: Fetcher;
  readonly #roundZero: RoundZero;
  #lookBack!: LookBack;
  readonly #unsubscribe: (() => void)[] = [];
  readonly #queue: WorkQueue;
  readonly #lastVotes = new Map<Address, SignedVote>();
  readonly #certificateSentMs = new Map<string, number>();
  #guard: SignGuard | null = null;
  #signing!: Signing;
  #state!: HeightState;
  #life!: HeightLife;
  /** False while this height's log is unusable: nothing is written, and nothing is signed. */
  #isLogging = true;
  #held: Input[] = [];
  #lastDerivation: Extract<Derivation, { valid: true }> | null = null;
  #importBackOffUntil = 0n;
  #checkedAccepted: bigint | null = null;
  #halt: Halt | null = null;
  #isStopped = false;
  #cancelSummaries: CancelTimer = () => undefined;

  constructor(options: HostOptions, dependencies: HostDependencies, listeners: HostListeners) {
    this.#options = options;
    this.#deps = dependencies;
    this.#listeners = listeners;
    this.#self = dependencies.signer.address;
    this.#queue = new WorkQueue(
      { maxLength: MAX_QUEUE },
      { isRunning: () => this.#isRunning(), onFault: (error) => this.#onFault(error) },
    );
    this.#wal = createWal(dependencies.disk, { genesisHash: options.domain.genesisHash });
    this.#fetcher = new Fetcher(dependencies.clock, dependencies.logger);
    this.#roundZero = new RoundZero(
      options,
      dependencies.clock,
      () => dependencies.mempool.hasWork(),
      () => this.#enqueueInput(this.#life, { type: 'start' }),
    );
    this.#intake = new Intake(options.domain, dependencies.network, dependencies.clock, {
      position: () => ({
        height: this.#life.height,
        round: this.#state.round.round,
        set: this.#state.context.set,
        decided: this.#state.round.step === 'decided',
      }),
      onVote: (vote) => this.#enqueuePeerInput({ type: 'vote', vote }),
      onProposal: (proposal) => this.#enqueuePeerInput({ type: 'proposal', proposal }),
      onPayload: (peer, payloadHash, payload) => this.#onPayload(peer, payloadHash, payload),
      onCertificate: (certificate) => this.#enqueuePeerInput({ type: 'certificate', certificate }),
      onSummary: (peer, height, rounds) => this.#onSummary(peer, height, rounds),
      onBehind: (peer, height) => {
        this.#lookBack.requireMany();
        listeners.onBehind(peer.peerId, height);
      },
    });
  }

  /** Opens guard and WAL, replays head + 1, and begins. The network may be started before or after. */
  async start(): Promise<void> {
    const { chain, network, mempool, l1View, logger, disk } = this.#deps;
    const owner = { validator: this.#self, genesisHash: this.#options.domain.genesisHash };
    const started = await startGuard(disk, owner, chain.head().block.height);
    this.#guard = started.guard;
    const isOlder = started.guard === null || started.guard.state().height < chain.head().block.height;
    const isNew = started.guard !== null && started.initialised;
    this.#lookBack = new LookBack(this.#options.domain, this.#self, isNew || isOlder);
    this.#signing = new Signing(
      { domain: this.#options.domain, signer: this.#deps.signer, guard: started.guard, logger },
      {
        makeDurable: (payloadHash) => this.#makeDurable(payloadHash),
        polkaRoundOf: (vote) => this.#polkaRoundOf(vote),
        isCurrent: (height) => this.#isRunning() && height === this.#life.height && !this.#life.over,
        onVote: (vote) => this.#enqueueInput(this.#life, { type: 'ownVote', vote }),
        onProposal: (proposal) => this.#enqueueInput(this.#life, { type: 'ownProposal', proposal }),
      },
    );
    if (started.guard === null) this.#signing.observe(started.reason);
    else if (started.initialised) logger.info({ validator: this.#self }, 'sign guard initialised at genesis');

    const head = chain.head();
    const headMs = Number(head.block.timestamp) * 1_000;
    await this.#enterHeight(head, Math.min(this.#deps.clock.nowMs(), headMs));
    this.#unsubscribe.push(
      chain.onCommitted((committed) => this.#onCommitted(committed)),
      mempool.onWork(() => this.#roundZero.check()),
      network.onPeerConnected((peer) => this.#onConnected(peer)),
    );
    if (l1View !== null)
      this.#unsubscribe.push(l1View.onChange(() => this.#enqueue(() => this.#onL1Change())));
    network.onConsensus((peer, bytes) => {
      if (this.#isRunning()) this.#intake.receive(peer, bytes);
    });
    network.handleRequest(CONSENSUS_REQUEST_PROTOCOL, (_peer, request) => this.#answer(request));
    // The head may have moved between reading it and listening.
    if (chain.head().block.height >= this.#life.height) this.#enqueue(() => this.#moveOn());
    for (const peer of network.peers()) this.#onConnected(peer);
    this.#enqueue(() => this.#finishLookBack());
    this.#tick();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelSummaries();
    this.#roundZero.disarm();
    this.#fetcher.stop();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    if (this.#life !== undefined) this.#endLife(this.#life);
    await this.#queue.idle();
    await this.#signing?.idle();
    await this.#wal
      .sync()
      .catch((error: unknown) => this.#deps.logger.error({ err: error }, 'WAL not synced'));
    await this.#wal.close();
    await this.#guard?.close();
  }

  status(): HostStatus {
    const { set, height } = this.#state.context;
    const { round, step } = this.#state.round;
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
          connected: address === this.#self || connected.has(address),
          lastVote: vote === undefined ? null : { height: vote.height, round: vote.round, type: vote.type },
        };
      }),
      waitingFor: this.#waitingFor(),
      observing: this.#signing.observing(),
      halted: this.#halt,
    };
  }

  /** The WAL and guard stay as they are; nothing is signed or committed any more. */
  halt(code: HaltCode, message: string): void {
    if (this.#halt !== null || this.#isStopped) return;
    this.#halt = { code, message };
    this.#deps.logger.error({ code, height: this.#life?.height, reason: message }, 'consensus halted');
    this.#listeners.onHalted(this.#halt);
  }

  #isRunning(): boolean {
    return this.#halt === null && !this.#isStopped;
  }

  // ── the loop ────────────────────────────────────────────────────────────────────────────────────────────────

  #onFault(error: unknown): void {
    this.halt('HOST_FAULT', `expected no fault in the consensus host, found ${messageOf(error)}`);
    this.#deps.logger.error({ err: error }, 'consensus host fault');
  }

  #enqueue(work: Work): void {
    this.#queue.push(work);
  }

  #enqueueInput(life: HeightLife, input: Input): void {
    this.#queue.push(() => this.#process(life, input));
  }

  /** Dropped when too much waits already. */
  #enqueuePeerInput(input: Input): void {
    const life = this.#life;
    this.#queue.offer(() => this.#process(life, input));
  }

  /** RULES 33: height 1 is not begun before the L1 contracts are verified. */
  #isGated(): boolean {
    const { l1View } = this.#deps;
    return this.#life.height === 1n && l1View !== null && l1View.status().state !== 'ready';
  }

  async #process(life: HeightLife, input: Input): Promise<void> {
    if (life.over || life !== this.#life) return;
    if (this.#isGated()) {
      if (this.#held.length < MAX_HELD || !isFromPeer(input)) this.#held.push(input);
      return;
    }
    const before = this.#state;
    const { state, effects } = handle(before, input);
    if (state === before && effects.length === 0) return;
    this.#state = state;
    this.#log({ type: 'input', input });
    this.#noteHeard(input);
    for (const effect of effects) await this.#perform(life, effect);
    if (life.over) return;
    if (this.#wal.pendingBytes() > MAX_PENDING_WAL_BYTES) await this.#syncWal();
    this.#afterInput(life, input);
  }

  #afterInput(life: HeightLife, input: Input): void {
    const isMessage = input.type === 'vote' || input.type === 'proposal';
    if (isMessage && this.#state.round.step === 'waiting') this.#enqueueInput(life, { type: 'start' });
    if (input.type === 'derived') this.#resumeSuspended(life, input.payloadHash);
    this.#reconsider(life);
    if (input.type === 'vote' || input.type === 'derived' || input.type === 'certificate')
      this.#checkDivergence(life);
  }

  #noteHeard(input: Input): void {
    if (input.type !== 'vote' && input.type !== 'ownVote') return;
    const { vote } = input;
    const known = this.#lastVotes.get(vote.validator);
    const order = (entry: SignedVote) => ({ height: entry.height, round: entry.round, step: entry.type });
    if (known === undefined || compareSigningOrder(order(vote), order(known)) > 0)
      this.#lastVotes.set(vote.validator, vote);
    if (this.#lastVotes.size > 4 * this.#state.context.set.validators.length)
      for (const validator of this.#lastVotes.keys())
        if (!isMember(this.#state.context.set, validator)) this.#lastVotes.delete(validator);
  }

  // ── heights ─────────────────────────────────────────────────────────────────────────────────────────────────

  #onCommitted({ block }: CommittedBlock): void {
    if (block.height >= this.#life.height) this.#life.over = true;
    this.#enqueue(() => this.#moveOn());
  }

  async #moveOn(): Promise<void> {
    const head = this.#deps.chain.head();
    if (head.block.height < this.#life.height) return;
    await this.#enterHeight(head, this.#deps.clock.nowMs());
    await this.#checkAccepted();
  }

  #endLife(life: HeightLife): void {
    life.over = true;
    for (const cancel of life.timers.values()) cancel();
    life.timers.clear();
  }

  async #enterHeight(head: Head, committedMs: number): Promise<void> {
    if (this.#life !== undefined) {
      this.#noteCommitted(this.#life, head);
      this.#endLife(this.#life);
    }
    this.#fetcher.stop();
    this.#held = [];
    const height = head.block.height + 1n;
    const life = createLife(height);
    const options = { height, set: head.nextValidators, domain: this.#options.domain, self: this.#self };
    this.#state = createHeight(options);
    this.#life = life;
    const recovery = recoverHeight(options, this.#guardLock(height), await this.#openLog(height));
    this.#state = recovery.state;
    for (const [payloadHash, payload] of recovery.payloads) {
      life.payloads.add(payloadHash, payload, this.#deps.clock.nowMs(), () => true);
      life.durable.add(payloadHash);
    }
    for (const vote of recovery.ownVotes)
      await this.#guard?.raise(voteToGuardState(this.#options.domain, vote));
    for (const proposal of recovery.ownProposals) await this.#raiseByProposal(proposal);
    this.#repeatGuardedVote(life, recovery.ownVotes);
    for (const effect of recovery.outstanding) await this.#perform(life, effect);
    if (life.over) return;
    this.#intake.enterHeight(height);
    if (this.#state.round.step === 'waiting') this.#roundZero.arm(committedMs);
  }

  #noteCommitted(life: HeightLife, { block }: Head): void {
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

  async #openLog(height: bigint): Promise<readonly WalRecord[]> {
    try {
      const records = await this.#wal.begin(height);
      this.#isLogging = true;
      return records;
    } catch (error) {
      if (!(error instanceof WalError)) throw error;
      this.#isLogging = false;
      this.#signing.observe(error.message);
      return [];
    }
  }

  #guardLock(height: bigint) {
    const state = this.#guard?.state();
    return state?.height === height ? state.lock : null;
  }

  /**
   * A vote that only the guard still knows (its log is lost) binds us like any other: it is told to the engine, and it
   * goes out again, because no other one may be signed for its step and the round may wait for it.
   */
  #repeatGuardedVote(life: HeightLife, logged: readonly SignedVote[]): void {
    const state = this.#guard?.state();
    const vote = state?.height === life.height ? guardToVote(state, this.#self) : null;
    if (vote === null || logged.some(({ signature }) => signature === vote.signature)) return;
    this.#enqueueInput(life, { type: 'ownVote', vote });
  }

  async #raiseByProposal(
    proposal: Proposal & { readonly signature: SignedVote['signature'] },
  ): Promise<void> {
    const { height, round, signature } = proposal;
    const digest = proposalDigest(this.#options.domain, proposal);
    await this.#guard?.raise({
      height,
      round,
      step: 'proposal',
      valueId: null,
      digest,
      signature,
      lock: null,
    });
  }

  // ── WAL ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #log(record: WalRecord): void {
    if (this.#isLogging) this.#wal.append(record);
  }

  #logPayload(life: HeightLife, payloadHash: Hash): boolean {
    if (life.durable.has(payloadHash)) return true;
    const payload = life.payloads.get(payloadHash);
    if (payload === null) return false;
    this.#log({ type: 'payload', payloadHash, payload });
    life.durable.add(payloadHash);
    return true;
  }

  async #makeDurable(payloadHash: Hash | null): Promise<void> {
    if (payloadHash !== null && !this.#logPayload(this.#life, payloadHash))
      throw new Error(`payload ${payloadHash} is not here, so nothing is signed for it`);
    if (!this.#isLogging) throw new Error('the WAL of this height is not usable');
    await this.#wal.sync();
  }

  async #syncWal(): Promise<void> {
    try {
      await this.#wal.sync();
    } catch (error) {
      this.#isLogging = false;
      this.#signing.observe(messageOf(error));
    }
  }

  #polkaRoundOf(vote: Vote): number | null {
    if (vote.type === 'prevote') return polkaFor(this.#state, vote.valueId)?.round ?? null;
    const { votes, context } = this.#state;
    return hasQuorumFor(votes, context.set, vote.round, 'prevote', vote.valueId) ? vote.round : null;
  }

  // ── effects ─────────────────────────────────────────────────────────────────────────────────────────────────

  async #perform(life: HeightLife, effect: Effect): Promise<void> {
    if (life.over) return;
    switch (effect.type) {
      case 'build':
        this.#supervise(this.#build(life, effect.round));
        break;
      case 'signProposal':
        this.#signing.proposal(effect.proposal);
        break;
      case 'signVote':
        this.#signing.vote(effect.vote, effect.payloadHash);
        break;
      case 'broadcastProposal':
        this.#broadcastProposal(life, effect.proposal);
        break;
      case 'broadcastVote':
        this.#broadcast({ type: 'vote', vote: effect.vote });
        break;
      case 'schedule':
        this.#schedule(life, effect.timeout);
        break;
      case 'derive':
        this.#wantPayload(life, effect.payloadHash);
        break;
      case 'judge':
        life.unjudged.set(`${effect.round}:${effect.payloadHash}`, effect);
        this.#judge(life, effect.round, effect.payloadHash, true);
        break;
      case 'fetchValue':
        this.#fetchValue(life, effect.round, effect.valueId);
        break;
      case 'roundStarted':
        this.#onRoundStarted(life, effect.round);
        break;
      case 'evidence':
        this.#deps.logger.warn(
          { kind: effect.evidence.type },
          'a validator signed two messages for one step',
        );
        this.#listeners.onEvidence(effect.evidence);
        break;
      case 'decide':
        await this.#commit(life, effect.certificate, effect.payloadHash);
        break;
    }
  }

  /** Work beside the loop; its fault is this node's fault, unless its height is over. */
  #supervise(work: Promise<void>): void {
    const life = this.#life;
    work.catch((error: unknown) => {
      if (!life.over && this.#isRunning()) this.halt('EXECUTION_FAULT', messageOf(error));
    });
  }

  #broadcast(message: ConsensusMessage): void {
    this.#deps.network.broadcastConsensus(encodeMessage(message));
  }

  #broadcastProposal(
    life: HeightLife,
    proposal: Extract<Effect, { type: 'broadcastProposal' }>['proposal'],
  ): void {
    this.#broadcast({ type: 'proposal', proposal });
    const payload = life.payloads.get(proposal.payloadHash);
    if (payload !== null && proposal.polRound === -1)
      this.#broadcast({ type: 'payload', height: life.height, payload });
  }

  #onRoundStarted(life: HeightLife, round: number): void {
    this.#roundZero.disarm();
    this.#intake.enterRound();
    for (const [key, cancel] of life.timers)
      if (Number(key.split(':')[1]) < round) {
        cancel();
        life.timers.delete(key);
      }
    for (const [key, entry] of life.unjudged) if (entry.round < round) life.unjudged.delete(key);
    life.suspended = life.suspended.filter((timeout) => timeout.round >= round);
    if (round === 0) return;
    this.#deps.logger.info({ height: life.height, round }, 'round started');
    this.#backOffMissed(life, round - 1);
  }

  /**
   * RULES 4: a payload that missed its polka although a quorum prevoted is too heavy, late or refused: its
   * transactions wait. Without a quorum of prevotes the round failed for want of voters, not because of the payload.
   */
  #backOffMissed(life: HeightLife, round: number): void {
    const proposal = this.#state.proposals.get(round)?.first;
    if (proposal === undefined || proposal.polRound !== -1) return;
    const { votes, context } = this.#state;
    if (!hasQuorumOfAny(votes, context.set, round, 'prevote')) return;
    const derivation = life.payloads.derivation(proposal.payloadHash);
    if (derivation?.valid && hasPolka(this.#state, round, derivation.valueId)) return;
    const payload = life.payloads.get(proposal.payloadHash);
    if (payload === null || payload.transactions.length === 0) return;
    this.#deps.mempool.backOff(payload.transactions.map(keccak256Hex), PAYLOAD_BACK_OFF_HEIGHTS);
  }

  // ── timers ──────────────────────────────────────────────────────────────────────────────────────────────────

  #schedule(life: HeightLife, timeout: Timeout): void {
    const ms = timeoutDurationMs(this.#options.timeouts, timeout.kind, timeout.round);
    this.#setTimeout(life, timeout, ms, true);
  }

  #setTimeout(life: HeightLife, timeout: Timeout, ms: number, isFirst: boolean): void {
    const key = `${timeout.kind}:${timeout.round}`;
    const dueMs = this.#deps.clock.nowMs() + ms;
    life.timers.get(key)?.();
    const cancel = this.#deps.clock.setTimer(ms, () => {
      life.timers.delete(key);
      if (life.over || !this.#isRunning()) return;
      const isLate = this.#deps.clock.nowMs() - dueMs > LATE_TIMER_MS;
      if (isFirst && isLate) this.#setTimeout(life, timeout, LATE_TIMER_GRACE_MS, false);
      else this.#enqueue(() => this.#onTimeout(life, timeout));
    });
    life.timers.set(key, cancel);
  }

  async #onTimeout(life: HeightLife, timeout: Timeout): Promise<void> {
    if (life.over) return;
    const waitMs = this.#suspensionMs(life, timeout);
    if (waitMs <= 0) {
      await this.#process(life, { type: 'timeout', timeout });
      return;
    }
    life.suspended.push(timeout);
    this.#setTimeout(life, timeout, waitMs, false);
  }

  /** RULES 4: a payload that was complete in time suspends timeoutPropose while it is being derived, up to 2E. */
  #suspensionMs(life: HeightLife, { kind, round }: Timeout): number {
    if (kind !== 'propose' || round !== this.#state.round.round || this.#state.round.step !== 'propose')
      return 0;
    const proposal = this.#state.proposals.get(round)?.first;
    if (proposal === undefined || this.#state.derived.has(proposal.payloadHash)) return 0;
    const receivedMs = life.payloads.receivedMs(proposal.payloadHash);
    if (receivedMs === null || !life.deriving.has(proposal.payloadHash)) return 0;
    const boundMs = Math.floor((2 * this.#options.timeouts.capMs) / 3);
    return receivedMs + boundMs - this.#deps.clock.nowMs();
  }

  #resumeSuspended(life: HeightLife, payloadHash: Hash): void {
    const due = life.suspended.filter(
      ({ round }) => this.#state.proposals.get(round)?.first.payloadHash === payloadHash,
    );
    life.suspended = life.suspended.filter((timeout) => !due.includes(timeout));
    for (const timeout of due) this.#enqueueInput(life, { type: 'timeout', timeout });
  }

  // ── payloads ────────────────────────────────────────────────────────────────────────────────────────────────

  async #build(life: HeightLife, round: number): Promise<void> {
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
        derive: (payload) => this.#deriveOnce(life, payloadToHash(payload), payload),
      },
    );
    if (life.over || !this.#isRunning()) return;
    if (built.importLeftOut !== null) {
      logger.debug(built.importLeftOut, 'import left out of the proposal');
      if (built.importLeftOut.futile) mempool.backOff([built.importLeftOut.hash], IMPORT_BACK_OFF_HEIGHTS);
    }
    if (built.withImport) life.proposedImport = true;
    const payloadHash = payloadToHash(built.payload);
    this.#keep(life, payloadHash, built.payload);
    this.#supervise(this.#derive(life, payloadHash, built.payload));
    this.#enqueueInput(life, { type: 'built', round, payloadHash });
  }

  #keep(life: HeightLife, payloadHash: Hash, payload: Payload): void {
    life.payloads.add(payloadHash, payload, this.#deps.clock.nowMs(), (kept) => this.#isNeeded(kept));
  }

  /** Takes in a payload and executes it if it is worth that. */
  #addPayload(life: HeightLife, payloadHash: Hash, payload: Payload): void {
    this.#keep(life, payloadHash, payload);
    this.#supervise(this.#execute(life, payloadHash, payload));
  }

  /** Resolves when it is derived, or withheld: too heavy for what asks for it (RULES 4). */
  async #execute(life: HeightLife, payloadHash: Hash, payload: Payload): Promise<void> {
    const weight = life.durable.has(payloadHash) ? null : weighPayload(payload);
    const reason = this.#whyWithheld(life, payloadHash, weight);
    if (weight !== null && reason !== null) this.#withhold(life, payloadHash, weight, reason);
    else await this.#derive(life, payloadHash, payload);
  }

  #whyWithheld(life: HeightLife, payloadHash: Hash, weight: PayloadWeight | null): string | null {
    const inHand = { payloadHash, weight, claimedValues: life.claims.valuesOf(payloadHash) };
    return whyWithheld(this.#state, inHand, this.#options.blockGasLimit);
  }

  /** If it is this round's proposal, it is refused. */
  #withhold(life: HeightLife, payloadHash: Hash, weight: PayloadWeight, reason: string): void {
    life.withheld.set(payloadHash, weight);
    const { round } = this.#state.round;
    if (this.#state.proposals.get(round)?.first.payloadHash === payloadHash)
      this.#refuse(life, round, payloadHash, reason);
  }

  #reconsider(life: HeightLife): void {
    for (const [payloadHash, weight] of life.withheld) {
      const payload = life.payloads.get(payloadHash);
      if (payload !== null && this.#whyWithheld(life, payloadHash, weight) !== null) continue;
      life.withheld.delete(payloadHash);
      if (payload !== null) this.#supervise(this.#derive(life, payloadHash, payload));
    }
  }

  #isNeeded(payloadHash: Hash): boolean {
    const { locked, valid } = this.#state.round;
    if ([locked, valid].some((lock) => lock !== null && payloadOf(this.#state, lock.valueId) === payloadHash))
      return true;
    return this.#state.proposals.get(this.#state.round.round)?.first.payloadHash === payloadHash;
  }

  async #derive(life: HeightLife, payloadHash: Hash, payload: Payload): Promise<void> {
    life.withheld.delete(payloadHash);
    const derivation = await this.#deriveOnce(life, payloadHash, payload);
    if (life.over) return;
    this.#settleClaims(life, payloadHash, derivation);
    const value = derivation.valid
      ? { valid: true as const, valueId: derivation.valueId }
      : { valid: false as const, reason: `${derivation.code}: ${derivation.reason}` };
    this.#enqueueInput(life, { type: 'derived', payloadHash, value });
  }

  /** A refuted claim costs its peer, unless so many make it that it is our execution that differs. */
  #settleClaims(life: HeightLife, payloadHash: Hash, derivation: Derivation): void {
    const derived = derivation.valid ? derivation.valueId : null;
    for (const { peerId, valueId } of life.claims.settle(payloadHash, derived))
      if (!namedValues(this.#state, payloadHash).includes(valueId))
        this.#deps.network.reportFault(peerId, 'invalid', `a payload that does not derive to ${valueId}`);
  }

  #deriveOnce(life: HeightLife, payloadHash: Hash, payload: Payload): Promise<Derivation> {
    const running = life.deriving.get(payloadHash);
    if (running !== undefined) return running;
    const derivation = this.#deps.chain.derive(payload).then(
      (found) => {
        life.payloads.setDerivation(found);
        return found;
      },
      (error: unknown) => {
        if (!life.over) this.halt('EXECUTION_FAULT', `payload ${payloadHash}: ${messageOf(error)}`);
        throw error;
      },
    );
    life.deriving.set(payloadHash, derivation);
    return derivation;
  }

  /**
   * Is it proposed in a round that has come or comes next? Execution is the scarce thing: a validator may sign a
   * proposal for every later round of its own, and payloads for those wait until their round asks for them.
   */
  #isWanted(payloadHash: Hash): boolean {
    const last = this.#state.round.round + 1;
    for (const { first } of this.#state.proposals.values())
      if (first.payloadHash === payloadHash && first.round <= last) return true;
    return false;
  }

  #onPayload(peer: Peer, payloadHash: Hash, payload: Payload): void {
    const life = this.#life;
    if (life.payloads.has(payloadHash)) return;
    if (this.#isWanted(payloadHash)) this.#addPayload(life, payloadHash, payload);
    else life.payloads.addEarly(peer.peerId, payloadHash, payload);
  }

  /** The engine wants this derived; it comes with its proposal, or is asked for. */
  #wantPayload(life: HeightLife, payloadHash: Hash): void {
    const payload = life.payloads.get(payloadHash) ?? life.payloads.takeEarly(payloadHash);
    if (payload !== null) {
      this.#addPayload(life, payloadHash, payload);
      return;
    }
    const key = `want:${Number.MAX_SAFE_INTEGER}:${payloadHash}`;
    const cancel = this.#deps.clock.setTimer(PAYLOAD_PATIENCE_MS, () => {
      life.timers.delete(key);
      if (!life.over && this.#isRunning()) this.#fetchPayload(life, payloadHash);
    });
    life.timers.set(key, cancel);
  }

  #fetchPayload(life: HeightLife, payloadHash: Hash): void {
    const { height } = life;
    const proposal = [...this.#state.proposals.values()].find(
      ({ first }) => first.payloadHash === payloadHash,
    );
    this.#fetcher.pursue({
      key: `payload:${payloadHash}`,
      candidates: () => this.#peersFirst([proposal?.first.proposer]),
      isDone: () => life.over || life.payloads.has(payloadHash),
      attempt: async (peer) => {
        const answer = await this.#askValue(peer, { type: 'valueByPayload', height, payloadHash });
        if (answer === null || life.over || payloadToHash(answer.payload) !== payloadHash) return;
        this.#addPayload(life, payloadHash, answer.payload);
      },
    });
  }

  // ── judging (line 22) ───────────────────────────────────────────────────────────────────────────────────────

  #judge(life: HeightLife, round: number, payloadHash: Hash, isFirst: boolean): void {
    const derivation = life.payloads.derivation(payloadHash);
    if (derivation === null) {
      this.#deriveToJudge(life, round, payloadHash);
      return;
    }
    if (!derivation.valid) return;
    const { l1View, clock } = this.#deps;
    const verdict = judgePayload(derivation, {
      round,
      nowMs: clock.nowMs(),
      blockGasLimit: this.#options.blockGasLimit,
      depositHashAt: (count) => (l1View?.status().state === 'ready' ? l1View.depositHashAt(count) : null),
    });
    const key = `${round}:${payloadHash}`;
    if (verdict.accepted) {
      life.unjudged.delete(key);
      this.#enqueueInput(life, { type: 'judged', round, payloadHash, accepted: true, reason: '' });
      return;
    }
    if (isFirst) this.#refuse(life, round, payloadHash, verdict.reason);
    if (verdict.retry === 'never') life.unjudged.delete(key);
    if (verdict.retry === 'clock') this.#judgeLater(life, round, payloadHash, derivation.timestamp);
  }

  #refuse(life: HeightLife, round: number, payloadHash: Hash, reason: string): void {
    this.#deps.logger.debug({ height: life.height, round, reason }, 'proposal not accepted');
    this.#enqueueInput(life, { type: 'judged', round, payloadHash, accepted: false, reason });
  }

  #judgeLater(life: HeightLife, round: number, payloadHash: Hash, timestamp: bigint): void {
    const waitMs = acceptableFromMs(timestamp) - this.#deps.clock.nowMs();
    if (waitMs > this.#options.timeouts.capMs) return;
    const key = `judge:${round}:${payloadHash}`;
    const cancel = this.#deps.clock.setTimer(Math.max(1, waitMs), () => {
      life.timers.delete(key);
      if (!life.over && life.unjudged.has(`${round}:${payloadHash}`))
        this.#judge(life, round, payloadHash, false);
    });
    life.timers.set(key, cancel);
  }

  /** After a restart the verdict needs what the WAL does not hold: the derivation. */
  #deriveToJudge(life: HeightLife, round: number, payloadHash: Hash): void {
    const payload = life.payloads.get(payloadHash);
    if (payload === null) return;
    this.#supervise(
      (async () => {
        await this.#deriveOnce(life, payloadHash, payload);
        if (!life.over) this.#judge(life, round, payloadHash, true);
      })(),
    );
  }

  // ── values that others voted for (RULES 15) ─────────────────────────────────────────────────────────────────

  #peersFirst(preferred: readonly (Address | undefined)[]): readonly Peer[] {
    const peers = this.#deps.network.peers().filter((peer) => peer.validator !== null);
    const isPreferred = (peer: Peer): boolean => preferred.includes(peer.validator ?? undefined);
    return [...peers.filter(isPreferred), ...peers.filter((peer) => !isPreferred(peer))];
  }

  /** Without those that gave a payload for it that did not derive to it, or that is here already. */
  #peersToAsk(life: HeightLife, valueId: Hash, preferred: readonly Address[]): readonly Peer[] {
    const isHere = (payloadHash: Hash): boolean => life.payloads.has(payloadHash);
    return this.#peersFirst(preferred).filter(({ peerId }) => life.claims.mayAsk(peerId, valueId, isHere));
  }

  #votersOf(valueId: Hash): readonly Address[] {
    return keptRounds(this.#state).flatMap((round) =>
      (['prevote', 'precommit'] as const).flatMap((type) =>
        keptVotes(this.#state, round, type)
          .filter((vote) => vote.valueId === valueId)
          .map(({ validator }) => validator),
      ),
    );
  }

  #fetchValue(life: HeightLife, round: number, valueId: Hash): void {
    const isDerived = (): boolean => payloadOf(this.#state, valueId) !== null;
    if (!isDerived()) life.unknownValues.add(valueId);
    this.#fetcher.pursue({
      key: `value:${valueId}`,
      candidates: () => this.#peersToAsk(life, valueId, this.#votersOf(valueId)),
      isDone: () => life.over || isDerived(),
      attempt: (peer) => this.#attemptValue(life, peer, valueId),
    });
    const { set } = this.#state.context;
    const isReproposed = [...this.#state.proposals.values()].some(
      ({ first }) => first.polRound === round && first.valueId === valueId,
    );
    if (!isReproposed || hasQuorumFor(this.#state.votes, set, round, 'prevote', valueId)) return;
    this.#fetcher.pursue({
      key: `polka:${round}:${valueId}`,
      candidates: () => this.#peersFirst(this.#votersOf(valueId)),
      isDone: () => life.over || hasPolka(this.#state, round, valueId),
      attempt: (peer) => this.#attemptPolka(life, peer, round, valueId),
    });
  }

  async #attemptValue(life: HeightLife, peer: Peer, valueId: Hash): Promise<void> {
    const answer = await this.#askForValue(life, peer, valueId);
    if (answer === null) return;
    await this.#execute(life, payloadToHash(answer.payload), answer.payload);
    this.#enqueue(() => this.#checkDivergence(life));
  }

  /** The payload of the answer is kept, and what the peer says of it is noted. */
  async #askForValue(life: HeightLife, peer: Peer, valueId: Hash): Promise<ValueAnswer | null> {
    const answer = await this.#askValue(peer, { type: 'valueById', height: life.height, valueId });
    if (answer === null || life.over || peer.validator === null) return null;
    const payloadHash = payloadToHash(answer.payload);
    const claim = { peerId: peer.peerId, validator: peer.validator, valueId, payloadHash };
    life.claims.add(claim);
    if (answer.derived !== null) {
      if (checkpointToValueId(answer.derived.checkpoint) !== valueId) {
        life.claims.refute(claim);
        this.#deps.network.reportFault(peer.peerId, 'invalid', 'a checkpoint of another value');
        return null;
      }
      life.answers.set(valueId, answer.derived);
    }
    this.#keep(life, payloadHash, answer.payload);
    return answer;
  }

  async #attemptPolka(life: HeightLife, peer: Peer, round: number, valueId: Hash): Promise<void> {
    const request = encodeRequest({ type: 'polka', height: life.height, round, valueId });
    const decoded = decodeVotesAnswer(await this.#ask(peer, request, MAX_VOTES_ANSWER_BYTES));
    if (!decoded.ok) throw this.#malformed(peer, decoded.error);
    if (life.over) return;
    for (const vote of decoded.value) this.#intake.receive(peer, encodeMessage({ type: 'vote', vote }));
  }

  #ask(peer: Peer, request: Uint8Array, maxAnswerBytes: number): Promise<Uint8Array> {
    return this.#deps.network.request(peer.peerId, CONSENSUS_REQUEST_PROTOCOL, request, {
      timeoutMs: REQUEST_TIMEOUT_MS,
      maxAnswerBytes,
    });
  }

  async #askValue(peer: Peer, request: Parameters<typeof encodeRequest>[0]): Promise<ValueAnswer | null> {
    const decoded = decodeValueAnswer(await this.#ask(peer, encodeRequest(request), MAX_ANSWER_BYTES));
    if (!decoded.ok) throw this.#malformed(peer, decoded.error);
    return decoded.value.answer;
  }

  #malformed(peer: Peer, error: MessageError): MessageError {
    this.#deps.network.reportFault(peer.peerId, 'malformed', error.message);
    return error;
  }

  // ── commit and halt ─────────────────────────────────────────────────────────────────────────────────────────

  async #commit(life: HeightLife, certificate: CommitCertificate, payloadHash: Hash): Promise<void> {
    const payload = life.payloads.get(payloadHash);
    if (payload === null) {
      // Only after a restart that lost the payload's bytes: the peers have them.
      this.#fetchForCommit(life, certificate, payloadHash);
      return;
    }
    this.#logPayload(life, payloadHash);
    this.#log({ type: 'decision', certificate, payloadHash });
    await this.#syncWal();
    let derivation: Derivation;
    try {
      derivation = await this.#deriveOnce(life, payloadHash, payload);
      if (life.over) return;
      if (derivation.valid && derivation.valueId === certificate.valueId) {
        await this.#commitDerived(life, payload, certificate);
        return;
      }
    } catch (error) {
      if (this.#deps.chain.head().block.height >= life.height) return; // committed by sync meanwhile
      this.halt('EXECUTION_FAULT', `height ${life.height} cannot be committed: ${messageOf(error)}`);
      return;
    }
    const ours = derivation.valid
      ? { valid: true as const, valueId: derivation.valueId }
      : { valid: false as const, reason: derivation.reason };
    const divergence = { valueId: certificate.valueId, payloadHash, ours, claimants: [] };
    this.halt('DIVERGENCE', explainDivergence(life.height, divergence, derivation, null));
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
    this.#fetcher.pursue({
      key: `commit:${payloadHash}`,
      candidates: () => this.#peersToAsk(life, valueId, voters),
      isDone: () => life.over,
      attempt: async (peer) => {
        const answer = await this.#askForValue(life, peer, valueId);
        if (answer === null) return;
        const found = payloadToHash(answer.payload);
        const derivation = await this.#deriveOnce(life, found, answer.payload);
        if (life.over) return;
        this.#settleClaims(life, found, derivation);
        if (derivation.valid && derivation.valueId === valueId)
          this.#enqueue(() => this.#commit(life, certificate, found));
      },
    });
  }

  #checkDivergence(life: HeightLife): void {
    if (life.over || life.explaining || life.unknownValues.size === 0) return;
    const divergence = findDivergence(this.#state, life.claims.all());
    if (divergence === null) return;
    life.explaining = true;
    this.#supervise(
      (async () => {
        const theirs = life.answers.get(divergence.valueId) ?? (await this.#askForTheirs(life, divergence));
        const ours = life.payloads.derivation(divergence.payloadHash);
        this.halt('DIVERGENCE', explainDivergence(life.height, divergence, ours, theirs));
      })(),
    );
  }

  async #askForTheirs(
    life: HeightLife,
    { claimants, valueId }: NonNullable<ReturnType<typeof findDivergence>>,
  ): Promise<ValueAnswer['derived']> {
    for (const peer of this.#peersFirst(claimants).slice(0, 3)) {
      try {
        const answer = await this.#askValue(peer, { type: 'valueById', height: life.height, valueId });
        if (answer?.derived && checkpointToValueId(answer.derived.checkpoint) === valueId)
          return answer.derived;
      } catch (error) {
        this.#deps.logger.debug({ peer: peer.name, err: error }, 'no explanation from peer');
      }
    }
    return null;
  }

  /** RULES 25: an accepted checkpoint that is not our block means that somebody is on a fork. */
  async #checkAccepted(): Promise<void> {
    const { l1View, chain } = this.#deps;
    const accepted = l1View?.latestAccepted() ?? null;
    if (accepted === null || accepted.height === this.#checkedAccepted) return;
    if (accepted.height > chain.head().block.height) return;
    const block = await chain.blockAt(accepted.height);
    if (block === null || block.valueId === accepted.valueId) {
      this.#checkedAccepted = accepted.height;
      return;
    }
    this.halt(
      'L1_CONTRADICTION',
      `expected the checkpoint that the L1 accepted for height ${accepted.height} to be ours (${block.valueId}), found ${accepted.valueId} (L1 block ${accepted.l1BlockNumber}): ` +
        'this node or the majority is on a fork. Do not restart before the operators have compared block hashes',
    );
  }

  async #onL1Change(): Promise<void> {
    if (!this.#isGated() && this.#held.length > 0) {
      const held = this.#held;
      this.#held = [];
      for (const input of held) this.#enqueueInput(this.#life, input);
    }
    for (const { round, payloadHash } of [...this.#life.unjudged.values()])
      this.#judge(this.#life, round, payloadHash, false);
    await this.#checkAccepted();
  }

  // ── peers ───────────────────────────────────────────────────────────────────────────────────────────────────

  #tick(): void {
    this.#cancelSummaries = this.#deps.clock.setTimer(SUMMARY_INTERVAL_MS, () => {
      if (!this.#isRunning()) return;
      this.#sendSummaries();
      for (const peer of this.#deps.network.peers()) this.#askLastVote(peer);
      this.#enqueue(() => this.#finishLookBack());
      this.#tick();
    });
  }

  #summary(): Uint8Array {
    return encodeMessage(summarize(this.#state, (payloadHash) => this.#life.payloads.has(payloadHash)));
  }

  #sendSummaries(): void {
    this.#deps.network.broadcastConsensus(this.#summary());
  }

  #onConnected(peer: Peer): void {
    if (peer.validator === null || !this.#isRunning()) return;
    this.#deps.network.sendConsensus(peer.peerId, this.#summary());
    this.#askLastVote(peer);
  }

  #onSummary(peer: Peer, height: bigint, rounds: readonly RoundSummary[]): void {
    const { network, chain, clock } = this.#deps;
    const life = this.#life;
    if (height === life.height) {
      const payloadOfHash = (payloadHash: Hash): Payload | null => life.payloads.get(payloadHash);
      for (const message of missingFor(this.#state, rounds, payloadOfHash))
        network.sendConsensus(peer.peerId, encodeMessage(message));
      return;
    }
    const { certificate } = chain.head().block;
    if (certificate === null || height !== certificate.height) return;
    const nowMs = clock.nowMs();
    if (
      nowMs - (this.#certificateSentMs.get(peer.peerId) ?? Number.NEGATIVE_INFINITY) <
      CERTIFICATE_REPEAT_MS
    )
      return;
    if (this.#certificateSentMs.size > 1_024) this.#certificateSentMs.clear();
    this.#certificateSentMs.set(peer.peerId, nowMs);
    network.sendConsensus(peer.peerId, encodeMessage({ type: 'certificate', certificate }));
  }

  async #answer(bytes: Uint8Array): Promise<Uint8Array> {
    const decoded = decodeRequest(bytes);
    if (!decoded.ok) throw decoded.error;
    const { chain } = this.#deps;
    const { payloads } = this.#life;
    return answerRequest(
      { state: this.#state, payloads, chain, lastCommitted: this.#lastDerivation },
      decoded.value,
    );
  }

  // ── look-back (RULES 14) ────────────────────────────────────────────────────────────────────────────────────

  #askLastVote(peer: Peer): void {
    const { validator } = peer;
    if (validator === null || !this.#signing.isLookingBack()) return;
    const attempt = async (): Promise<void> => {
      const request = encodeRequest({ type: 'lastVote', validator: this.#self });
      const decoded = decodeLastVoteAnswer(await this.#ask(peer, request, MAX_REQUEST_BYTES));
      if (!decoded.ok) throw this.#malformed(peer, decoded.error);
      if (!this.#lookBack.note(validator, decoded.value.vote, this.#deps.clock.nowMs()))
        throw this.#malformed(peer, new MessageError('MALFORMED', 'a last vote that is not ours'));
      this.#enqueue(() => this.#finishLookBack());
    };
    attempt().catch((error: unknown) =>
      this.#deps.logger.debug({ peer: peer.name, err: error }, 'peer did not say our last vote'),
    );
  }

  async #finishLookBack(): Promise<void> {
    if (!this.#signing.isLookingBack()) return;
    if (!this.#lookBack.isComplete(this.#state.context.set, this.#deps.clock.nowMs())) return;
    const newest = this.#lookBack.newest();
    if (newest !== null && this.#guard !== null && compareSigningOrder(newest, this.#guard.state()) > 0) {
      this.#deps.logger.warn(
        { height: newest.height, round: newest.round, step: newest.step },
        'peers know a newer vote of ours than the sign guard: abstaining from that height',
      );
      this.#signing.abstain(newest.height);
      await this.#guard.raise({ ...newest, learned: true });
    }
    this.#signing.finishLookBack();
  }

  // ── status ──────────────────────────────────────────────────────────────────────────────────────────────────

  #waitingFor(): string | null {
    if (this.#halt !== null) return `an operator: ${this.#halt.message}`;
    if (this.#isGated()) {
      const status = this.#deps.l1View!.status();
      return `the L1 before height 1: ${status.state}${'reason' in status ? ` (${status.reason})` : ''}`;
    }
    const observing = this.#signing.observing();
    const wait = describeWait(this.#state);
    if (wait !== null) return wait;
    if (observing !== null) return null;
    if (this.#signing.isLookingBack()) return 'validators to say which vote of ours they saw last';
    return null;
  }
}
