/**
 * The host of the pure engine: puts its parts together and leads them through one height after the other.
 *
 * Owns the composition, start and stop, a height's course, and which part carries out which effect. Does not own the
 * loop (heightLoop.ts), the algorithm (#consensus), or what any of the parts does.
 *
 * Invariants: inputs are handled one at a time; an input that changed the state is in the WAL before any of its
 * effects; a result that belongs to an earlier height changes nothing; after `halt` nothing is signed or committed.
 */
import type { Effect, Input } from '#consensus/engine.ts';
import { createHeight } from '#consensus/heightState.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { CommittedBlock, Head } from '#node/chain.ts';
import { Asking, CONSENSUS_REQUEST_PROTOCOL } from '#node/consensus/asking.ts';
import type { CancelTimer } from '#node/consensus/clock.ts';
import { Committing } from '#node/consensus/committing.ts';
import { EvidenceKeeping } from '#node/consensus/evidence/evidenceKeeping.ts';
import type { KeptEvidence } from '#node/consensus/evidence/evidencePool.ts';
import { Fetcher } from '#node/consensus/fetcher.ts';
import { ForkWatch } from '#node/consensus/forkWatch.ts';
import { Gossip } from '#node/consensus/gossip.ts';
import { createLife, endLife, type HeightLife } from '#node/consensus/heightLife.ts';
import { HeightLog } from '#node/consensus/heightLog.ts';
import { HeightLoop } from '#node/consensus/heightLoop.ts';
import { type HostMemory, measureMemory } from '#node/consensus/hostMemory.ts';
import type { HaltCode, HostDependencies, HostListeners, HostOptions } from '#node/consensus/hostPorts.ts';
import { Intake } from '#node/consensus/intake.ts';
import { Judging } from '#node/consensus/judging.ts';
import { OwnVotes } from '#node/consensus/ownVotes.ts';
import { PayloadWork } from '#node/consensus/payloadWork.ts';
import { Proposing } from '#node/consensus/proposing.ts';
import { recoverHeight } from '#node/consensus/recovery.ts';
import { RoundTimers } from '#node/consensus/roundTimers.ts';
import { RoundZero } from '#node/consensus/roundZero.ts';
import { Sessions } from '#node/consensus/sessions.ts';
import { StatusKeeper } from '#node/consensus/statusKeeper.ts';
import type { HostStatus, NameOf } from '#node/consensus/statusTypes.ts';
import { ValueFetching } from '#node/consensus/valueFetching.ts';
import { createWal, type Wal } from '#node/consensus/wal.ts';
import type { Peer } from '#node/network/network.ts';

const SUMMARY_INTERVAL_MS = 1_000;

export class ConsensusHost {
  readonly #options: HostOptions;
  readonly #deps: HostDependencies;
  readonly #listeners: HostListeners;
  readonly #wal: Wal;
  readonly #loop: HeightLoop;
  readonly #log: HeightLog;
  readonly #own: OwnVotes;
  readonly #timers: RoundTimers;
  readonly #roundZero: RoundZero;
  readonly #intake: Intake;
  readonly #gossip: Gossip;
  readonly #fetcher: Fetcher;
  readonly #work: PayloadWork;
  readonly #proposing: Proposing;
  readonly #judging: Judging;
  readonly #values: ValueFetching;
  readonly #committing: Committing;
  readonly #forks: ForkWatch;
  readonly #status: StatusKeeper;
  readonly #evidence: EvidenceKeeping;
  readonly #sessions = new Sessions();
  readonly #unsubscribe: (() => void)[] = [];
  #cancelTick: CancelTimer = () => undefined;

  constructor(options: HostOptions, dependencies: HostDependencies, listeners: HostListeners) {
    this.#options = options;
    this.#deps = dependencies;
    this.#listeners = listeners;
    const { clock, disk, l1View, logger, mempool, signer } = dependencies;
    const { domain, session } = options;
    this.#wal = createWal(disk, {
      genesisHash: domain.genesisHash,
      ...(session === undefined ? {} : { salt: session }),
    });
    const loop = new HeightLoop({
      l1View,
      logger,
      record: (input) => this.#record(input),
      perform: (life, effect) => this.#perform(life, effect),
      onHandled: (life, input) => this.#onHandled(life, input),
      onHalted: listeners.onHalted,
    });
    this.#loop = loop;
    this.#log = new HeightLog({
      wal: this.#wal,
      loop,
      observe: (reason) => this.#own.signing.observe(reason),
    });
    const asking = new Asking(dependencies);
    const makeDurable = this.#log.makeDurable.bind(this.#log);
    this.#own = new OwnVotes(options, { ...dependencies, loop, asking, makeDurable });
    this.#timers = new RoundTimers(options, { clock, loop });
    this.#roundZero = new RoundZero(
      options,
      clock,
      () => mempool.hasWork(),
      () => loop.enqueueInput(loop.life, { type: 'start' }),
    );
    this.#evidence = new EvidenceKeeping(options.domain, dependencies);
    this.#intake = this.#createIntake();
    const fetcher = new Fetcher(clock, logger);
    this.#fetcher = fetcher;
    const work = new PayloadWork(options, { ...dependencies, loop, asking, fetcher });
    this.#work = work;
    const proposing = new Proposing(options, { ...dependencies, loop, work });
    this.#proposing = proposing;
    const lastDerivation = () => proposing.lastDerivation();
    this.#gossip = new Gossip({ ...dependencies, loop, lastDerivation, sessions: this.#sessions });
    this.#judging = new Judging(options, { l1View, clock, loop, work });
    const forks = new ForkWatch({ ...dependencies, loop, asking });
    this.#forks = forks;
    const receive = (peer: Peer, bytes: Uint8Array): void => this.#intake.receive(peer, bytes);
    const values = new ValueFetching({ ...dependencies, loop, asking, fetcher, work, forks, receive });
    this.#values = values;
    this.#committing = new Committing({ ...dependencies, loop, log: this.#log, fetcher, work, values });
    this.#status = new StatusKeeper(options, {
      ...dependencies,
      loop,
      own: this.#own,
      fetcher,
      self: signer.address,
    });
  }

  #createIntake(): Intake {
    const { network, clock } = this.#deps;
    const loop = this.#loop;
    return new Intake(this.#options.domain, network, clock, {
      position: () => ({
        height: loop.life.height,
        round: loop.state.round.round,
        set: loop.state.context.set,
        decided: loop.state.round.step === 'decided',
      }),
      onVote: (vote) => loop.enqueuePeerInput({ type: 'vote', vote }),
      onProposal: (proposal) => loop.enqueuePeerInput({ type: 'proposal', proposal }),
      onPayload: (peer, payloadHash, payload) => this.#work.onPayload(peer, payloadHash, payload),
      onCertificate: (certificate) => loop.enqueuePeerInput({ type: 'certificate', certificate }),
      onSummary: (peer, height, rounds, round) => {
        this.#evidence.noteHeight(peer, height);
        this.#own.noteHeight(peer, height);
        this.#status.noteSummary(peer, height, round, rounds);
        this.#gossip.onSummary(peer, height, rounds);
      },
      onBehind: (peer, height) => this.#listeners.onBehind(peer.peerId, height),
      onSession: (peer, session) => this.#onSession(peer, session),
      onEvidence: (peer, item) => this.#evidence.receive(peer, item),
      onLateCertificate: (peer, certificate) => this.#evidence.onCertificate(peer, certificate),
    });
  }

  /** Opens guard and WAL, replays head + 1, and begins. The network may be started before or after. */
  async start(): Promise<void> {
    const { chain, network, mempool, l1View, clock } = this.#deps;
    await this.#own.open();
    await this.#evidence.start();
    const head = chain.head();
    const headAgeMs = clock.nowMs() - Number(head.block.timestamp) * 1_000;
    await this.#enterHeight(head, clock.monotonicMs() - Math.max(0, headAgeMs));
    this.#unsubscribe.push(
      chain.onCommitted((committed) => this.#onCommitted(committed)),
      mempool.onWork(() => this.#roundZero.check()),
      network.onPeerConnected((peer) => this.#onConnected(peer)),
      network.onPeerDisconnected(({ validator, peerId }) => {
        if (validator === null) return;
        this.#sessions.forget({ validator, peerId });
        this.#own.forget(validator);
      }),
    );
    if (l1View !== null)
      this.#unsubscribe.push(l1View.onChange(() => this.#loop.enqueue(() => this.#onL1Change())));
    network.onConsensus((peer, bytes) => {
      if (this.#loop.isRunning()) this.#intake.receive(peer, bytes);
    });
    network.handleRequest(CONSENSUS_REQUEST_PROTOCOL, (peer, request) => this.#gossip.answer(peer, request));
    // The head may have moved between reading it and listening.
    if (chain.head().block.height >= this.#loop.life.height) this.#loop.enqueue(() => this.#moveOn());
    for (const peer of network.peers()) this.#onConnected(peer);
    this.#loop.enqueue(() => this.#own.finishLookBack());
    this.#tick();
  }

  async stop(): Promise<void> {
    if (!this.#loop.stop()) return;
    this.#cancelTick();
    this.#roundZero.disarm();
    this.#fetcher.stop();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    if (this.#loop.life !== undefined) endLife(this.#loop.life);
    await this.#loop.idle();
    await this.#own.signing?.idle();
    await this.#wal
      .sync()
      .catch((error: unknown) => this.#deps.logger.error({ err: error }, 'WAL not synced'));
    await this.#wal.close();
    await this.#own.guard?.close();
    await this.#evidence.stop();
  }

  /** Where it is, for who asks often. */
  position(): { readonly height: bigint; readonly round: number } {
    const { context, round } = this.#loop.state;
    return { height: context.height, round: round.round };
  }

  /** @param nameOf what people call a validator */
  status(nameOf: NameOf = (address) => address): HostStatus {
    return this.#status.status(nameOf);
  }

  /** What is kept of this height now; null before the first. */
  memory(): HostMemory | null {
    return this.#loop.life === undefined ? null : measureMemory(this.#loop.state, this.#loop.life);
  }

  /** What this node can prove, in ascending order of height. */
  evidence(): readonly KeptEvidence[] {
    return this.#evidence.list();
  }

  /** The WAL and guard stay as they are; nothing is signed or committed any more. */
  halt(code: HaltCode, message: string): void {
    this.#loop.halt(code, message);
  }

  // ── a height's course ───────────────────────────────────────────────────────────────────────────────────────

  #onCommitted({ block }: CommittedBlock): void {
    if (block.height >= this.#loop.life.height) this.#loop.life.over = true;
    this.#loop.enqueue(() => this.#moveOn());
  }

  async #moveOn(): Promise<void> {
    const head = this.#deps.chain.head();
    if (head.block.height < this.#loop.life.height) return;
    await this.#enterHeight(head, this.#deps.clock.monotonicMs());
    await this.#forks.checkAccepted();
  }

  async #enterHeight(head: Head, committedMs: number): Promise<void> {
    const loop = this.#loop;
    if (loop.life !== undefined) {
      this.#proposing.noteCommitted(loop.life, head);
      this.#evidence.onHeightOver(loop.state, head);
      endLife(loop.life);
    }
    this.#fetcher.stop();
    const height = head.block.height + 1n;
    const life = createLife(height);
    const { domain } = this.#options;
    const options = { height, set: head.nextValidators, domain, self: this.#deps.signer.address };
    loop.enter(life, createHeight(options));
    const recovery = recoverHeight(options, this.#own.guardLock(height), await this.#log.open(height));
    loop.state = recovery.state;
    for (const [payloadHash, payload] of recovery.payloads) {
      life.payloads.add(payloadHash, payload, this.#deps.clock.monotonicMs(), () => true);
      life.durable.add(payloadHash);
    }
    this.#status.enterHeight();
    await this.#own.recover(life, recovery);
    for (const effect of recovery.outstanding) await this.#perform(life, effect);
    if (life.over) return;
    this.#values.fetchPolka(life);
    this.#intake.enterHeight(height);
    if (loop.state.round.step !== 'waiting') return;
    this.#roundZero.arm(committedMs);
    // What the WAL brought back is not new when it comes again.
    if (loop.state.votes.highest.size > 0) this.#roundZero.noteMessage();
  }

  #onRoundStarted(life: HeightLife, round: number): void {
    this.#roundZero.disarm();
    this.#intake.enterRound();
    this.#timers.enterRound(life, round);
    for (const [key, entry] of life.unjudged) if (entry.round < round) life.unjudged.delete(key);
    if (round === 0) return;
    this.#deps.logger.info({ height: life.height, round }, 'round started');
    this.#proposing.backOffMissed(life, round - 1);
  }

  // ── an input and its effects ────────────────────────────────────────────────────────────────────────────────

  #record(input: Input): void {
    this.#log.append({ type: 'input', input });
    this.#status.noteHeard(input);
  }

  async #perform(life: HeightLife, effect: Effect): Promise<void> {
    if (life.over && effect.type !== 'evidence') return;
    switch (effect.type) {
      case 'build':
        this.#loop.supervise(this.#proposing.build(life, effect.round));
        break;
      case 'signProposal':
        this.#own.signing.proposal(effect.proposal);
        break;
      case 'signVote':
        this.#own.signing.vote(effect.vote, effect.payloadHash);
        break;
      case 'broadcastProposal':
        this.#gossip.broadcastProposal(life, effect.proposal);
        break;
      case 'broadcastVote':
        this.#gossip.broadcastVote(effect.vote);
        break;
      case 'schedule':
        this.#timers.schedule(life, effect.timeout);
        break;
      case 'derive':
        this.#work.wantPayload(life, effect.payloadHash);
        break;
      case 'judge':
        life.unjudged.set(`${effect.round}:${effect.payloadHash}`, effect);
        this.#judging.judge(life, effect.round, effect.payloadHash, true);
        break;
      case 'fetchValue':
        this.#values.fetchValue(life, effect.valueId);
        break;
      case 'roundStarted':
        this.#onRoundStarted(life, effect.round);
        break;
      case 'evidence':
        this.#evidence.note(effect.evidence);
        this.#listeners.onEvidence(effect.evidence);
        break;
      case 'decide':
        await this.#committing.commit(life, effect.certificate, effect.payloadHash);
        break;
    }
  }

  async #onHandled(life: HeightLife, input: Input): Promise<void> {
    await this.#log.syncIfMuch();
    const isMessage = input.type === 'vote' || input.type === 'proposal';
    if (isMessage && this.#loop.state.round.step === 'waiting') this.#roundZero.noteMessage();
    if (input.type === 'derived') this.#timers.resumeSuspended(life, input.payloadHash);
    this.#work.reconsider(life);
    this.#values.fetchPolka(life);
    if (input.type === 'vote' || input.type === 'derived' || input.type === 'certificate')
      this.#forks.checkDivergence(life);
  }

  // ── the world outside ───────────────────────────────────────────────────────────────────────────────────────

  #tick(): void {
    const { clock, network } = this.#deps;
    this.#cancelTick = clock.setTimer(SUMMARY_INTERVAL_MS, () => {
      if (!this.#loop.isRunning()) return;
      this.#gossip.sendSummaries();
      this.#own.saySession();
      for (const peer of network.peers()) this.#own.askLastVote(peer);
      this.#evidence.tick();
      this.#loop.enqueue(() => this.#own.finishLookBack());
      this.#tick();
    });
  }

  #onConnected(peer: Peer): void {
    if (peer.validator === null || !this.#loop.isRunning()) return;
    this.#gossip.greet(peer);
    this.#evidence.onConnected(peer);
    this.#own.saySession();
    this.#own.askLastVote(peer);
  }

  #onSession(peer: Peer, session: Hash): void {
    const { validator, peerId } = peer;
    if (validator === null) return;
    this.#status.noteSession(validator);
    if (!this.#sessions.noteSigning({ validator, peerId }, session, this.#deps.clock.monotonicMs()))
      this.#deps.logger.error(
        { peer: peer.name, validator },
        'two processes sign with the key of this validator: tell its operator',
      );
  }

  async #onL1Change(): Promise<void> {
    this.#loop.releaseHeld();
    this.#judging.judgeAgain(this.#loop.life);
    await this.#forks.checkAccepted();
  }
}
