/**
 * The world of one run: its validators, its network, and the faults of the plan as they come and go.
 *
 * Owns the composition, crashes and restarts, and the end of all faults (`heal`). Does not own what must hold
 * (checker.ts) or how long a run lasts (run.ts).
 */
import { crc32 } from 'node:zlib';
import { recoverAddress } from '#consensus/crypto/secp256k1.ts';
import { voteDigest } from '#consensus/digests.ts';
import type { Address } from '#consensus/primitives.ts';
import { createValidatorSet, type ValidatorSet } from '#consensus/validatorSet.ts';
import { CONSENSUS_REQUEST_PROTOCOL } from '#node/consensus/asking.ts';
import { openGuard } from '#node/consensus/guard.ts';
import { decodeMessage } from '#node/consensus/messages.ts';
import { Checker } from './checker.ts';
import { createKeys, DOMAIN } from './cluster/cluster.ts';
import { genesisDatabase } from './cluster/fakeChain.ts';
import { VirtualClock } from './cluster/virtualClock.ts';
import { describeMessage, describeRequest } from './describe.ts';
import { Events } from './events.ts';
import type { FaultPlan, Keep, LostKinds, MessageKind, Plan } from './plan.ts';
import { SimHub } from './simNetwork.ts';
import { SimNode } from './simNode.ts';
import { streamOf } from './streams.ts';

const START_MS = 1_800_000_000_000;
const SYNC_DELAY_MS = 50;
const RESTART_AFTER_HALT_MS = 1_000;

type Cut = Extract<FaultPlan, { type: 'cut' }>;

export type Counters = { crashes: number; starts: number; refusals: number; evidence: number; syncs: number };

const ofEpochs = (plan: Plan, addresses: readonly ValidatorSet['validators'][number]['address'][]) => {
  const sets = plan.epochs.map(({ fromHeight, powers }) => ({
    fromHeight: BigInt(fromHeight),
    set: createValidatorSet(
      addresses.flatMap((address, index) =>
        powers[index]! > 0 ? [{ address, power: BigInt(powers[index]!) }] : [],
      ),
    ),
  }));
  return (height: bigint): ValidatorSet =>
    sets.findLast(({ fromHeight }) => fromHeight <= height)?.set ?? sets[0]!.set;
};

export class World {
  readonly plan: Plan;
  readonly clock = new VirtualClock(START_MS);
  readonly events: Events;
  readonly hub: SimHub;
  readonly nodes: readonly SimNode[];
  readonly checker: Checker;
  readonly counters: Counters = { crashes: 0, starts: 0, refusals: 0, evidence: 0, syncs: 0 };
  readonly setAt: (height: bigint) => ValidatorSet;
  #isHealed = false;
  readonly #cuts = new Set<Cut>();
  readonly #slowLinks = new Map<FaultPlan, { readonly index: number; readonly extraMs: number }>();
  readonly #slowSigners = new Map<FaultPlan, { readonly index: number; readonly extraMs: number }>();
  readonly #lostKinds = new Set<LostKinds>();
  readonly #clockSteps = new Map<number, number>();
  #transactions = 0;
  #identified: { readonly message: Uint8Array; readonly identity: string } | null = null;

  constructor(plan: Plan, print: ((line: string) => void) | null) {
    this.plan = plan;
    this.events = new Events(() => this.nowMs(), print);
    const own = createKeys(plan.validators.filter(({ twinOf }) => twinOf === null).length);
    const keys = plan.validators.map(({ twinOf }, index) => own[twinOf ?? index]!);
    this.setAt = ofEpochs(
      plan,
      own.map(({ address }) => address),
    );
    this.checker = new Checker({
      domain: DOMAIN,
      setAt: this.setAt,
      honest: new Set(
        keys.flatMap(({ address }, index) => (plan.validators[index]!.byzantine === null ? [address] : [])),
      ),
    });
    this.hub = this.#createHub();
    this.nodes = keys.map(
      (key, index) =>
        new SimNode(
          index,
          key,
          genesisDatabase(this.setAt(1n), BigInt(START_MS / 1_000)),
          this.#crashesOf(index),
          {
            plan,
            domain: DOMAIN,
            setAt: this.setAt,
            clock: this.clock,
            events: this.events,
            hub: this.hub,
            streamOf: (name) => streamOf(plan.seed, name),
            signerExtraMs: (at) => extraOf(this.#slowSigners, (slow) => slow === at),
            clockStepMs: (at) => this.#clockSteps.get(at) ?? 0,
            onBlock: (process, block) => {
              const node = this.nodes[process.index]!;
              this.events.add(
                'commit',
                `${process.name} ${block.height} ${block.hash} round ${block.certificate?.round}`,
              );
              this.checker.onBlock(process, node.isHonest, node.height(), block);
            },
            onCrash: (node, effect) => this.#crashByPlan(node, effect),
            onHalted: (node, { code, message }) => this.#onHalted(node, `${code}: ${message}`),
            onStartFailed: (node, error) =>
              this.#onHalted(
                node,
                `did not start: ${error instanceof Error ? error.message : String(error)}`,
              ),
            onBehind: (node, peerId) => this.#sync(node, peerId),
            onEvidence: (node, evidence) => {
              this.counters.evidence++;
              const offender =
                'validator' in evidence.first ? evidence.first.validator : evidence.first.proposer;
              this.events.add('evidence', `${node.name} ${evidence.type} ${offender}`);
              const accused = this.nodes.find(({ key: { address } }) => address === offender);
              if (node.isHonest && accused?.isHonest)
                this.checker.fail('FALSE_EVIDENCE', `${node.name} accuses ${accused.name}: ${evidence.type}`);
            },
          },
        ),
    );
  }

  /** Virtual milliseconds since the run began. */
  nowMs(): number {
    return this.clock.nowMs() - START_MS;
  }

  honest(): readonly SimNode[] {
    return this.nodes.filter(({ isHonest }) => isHonest);
  }

  highest(): bigint {
    return BigInt(Math.max(...this.honest().map((node) => Number(node.height()))));
  }

  begin(): void {
    const random = streamOf(this.plan.seed, 'begin');
    for (const node of this.nodes) this.#at(Math.floor(random() * 200), () => this.#start(node));
    for (const fault of this.plan.faults) this.#schedule(fault);
    if (this.plan.transactionEveryMs !== null) this.#submitTransactions(this.plan.transactionEveryMs);
  }

  /** The faults of the plan are over; Byzantine validators stay what they are. */
  heal(): void {
    this.events.add('heal', '');
    this.#isHealed = true;
    const before = this.#isCut;
    this.#cuts.clear();
    this.hub.noteChange(before);
    this.#slowLinks.clear();
    this.#lostKinds.clear();
    this.#slowSigners.clear();
    for (const node of this.nodes) {
      node.effects.disarm();
      node.disk.isFull = false;
      node.disk.failsSync = false;
      if (node.process === null) this.#start(node);
      else if (
        node.isHonest &&
        (node.disk.wasRefused || (node.isUp && node.host?.status().observing !== null))
      )
        this.#restart(node);
    }
  }

  crash(node: SimNode, keep: Keep, downMs: number): void {
    if (node.process === null) return;
    this.counters.crashes++;
    this.events.add('crash', `${node.name} keeps ${keep}, down for ${downMs} ms`);
    node.kill();
    node.disk.crash(keep);
    if (node.isHonest) this.inspectGuard(node);
    this.#at(downMs, () => this.#start(node));
  }

  /** What its disk says of what was signed. */
  inspectGuard(node: SimNode): void {
    const bytes = node.disk.bytes('guard');
    if (bytes === null) return;
    const file = {
      read: async () => bytes.slice(),
      write: async () => undefined,
      truncate: async () => undefined,
      sync: async () => undefined,
      close: async () => undefined,
    };
    const disk = { list: async () => ['guard'], open: async () => file, remove: async () => undefined };
    openGuard(disk, { validator: node.key.address, genesisHash: DOMAIN.genesisHash }).then(
      (guard) => guard !== null && this.checker.onGuard(node.name, node.key.address, guard.state()),
      (error: Error) => this.checker.fail('GUARD_WENT_BACK', `${node.name}: ${error.message}`),
    );
  }

  #at(delayMs: number, run: () => void): void {
    this.clock.setTimer(delayMs, run);
  }

  #start(node: SimNode): void {
    if (node.process !== null) return;
    this.counters.starts++;
    node.start();
  }

  /** An operator has repaired it and starts it anew. */
  #restart(node: SimNode): void {
    const { process } = node;
    this.events.add('restart', node.name);
    node.stop().then(
      () => node.process === null && this.#start(node),
      (error: unknown) => this.checker.fail('THREW', `${node.name} on stop: ${String(error)}`),
    );
    this.#at(60_000, () => {
      if (process !== null && node.process === process)
        this.checker.fail('STALLED', `${node.name} did not stop within 60 s`);
    });
  }

  #crashesOf(index: number): readonly number[] {
    return this.plan.faults.flatMap((fault) =>
      fault.type === 'crash' && fault.validator === index ? [fault.effect] : [],
    );
  }

  #crashByPlan(node: SimNode, effect: number): void {
    const fault = this.plan.faults.find(
      (entry) =>
        entry.type === 'crash' &&
        entry.validator === node.index &&
        entry.effect <= effect &&
        !this.#done.has(entry),
    );
    if (fault?.type !== 'crash') return;
    this.#done.add(fault);
    this.crash(node, fault.keep, fault.downMs);
  }

  readonly #done = new Set<FaultPlan>();

  /** Its process ends. That is right after a fault of its disk only; a supervisor starts it again. */
  #onHalted(node: SimNode, reason: string): void {
    this.events.add('halt', `${node.name} ${reason}`);
    if (!node.isHonest) return;
    if (!node.disk.wasRefused) this.checker.fail('HALTED', `${node.name} ${reason}`);
    this.crash(node, 'all', RESTART_AFTER_HALT_MS);
  }

  #sync(node: SimNode, peerId: string): void {
    const source = this.nodes.find(({ name }) => name === peerId);
    if (source === undefined || node.isSyncing || source.height() <= node.height() + 1n) return;
    node.isSyncing = true;
    const { process } = node;
    this.#at(SYNC_DELAY_MS, () => {
      if (node.process !== process) return;
      node.isSyncing = false;
      const isApart = this.#isCut(source.index, node.index) || this.#isCut(node.index, source.index);
      if (source.process === null || isApart) return;
      this.counters.syncs++;
      this.events.add('sync', `${node.name} from ${source.name} ${node.height()} ${source.height()}`);
      node.chain?.syncFrom(source.database, DOMAIN);
    });
  }

  #schedule(fault: FaultPlan): void {
    if (fault.type === 'crash') return;
    this.#at(fault.atMs, () => {
      if (this.#isHealed) return;
      this.events.add('fault', JSON.stringify(fault));
      const end = this.#beginFault(fault);
      if (end !== null && 'forMs' in fault) this.#at(fault.forMs, () => !this.#isHealed && end());
    });
  }

  /** @returns how it ends */
  #beginFault(fault: Exclude<FaultPlan, { type: 'crash' }>): (() => void) | null {
    switch (fault.type) {
      case 'powerCut':
        for (const node of this.nodes) this.crash(node, fault.keep, fault.downMs);
        return null;
      case 'cut':
        this.#changeCuts(() => this.#cuts.add(fault));
        if (fault.flapMs !== null) this.#flap(fault, fault.flapMs, this.nowMs() + fault.forMs, false);
        return () => this.#changeCuts(() => this.#cuts.delete(fault));
      case 'slowLinks':
        this.#slowLinks.set(fault, { index: fault.validator, extraMs: fault.extraMs });
        return () => this.#slowLinks.delete(fault);
      case 'lostKinds':
        this.#lostKinds.add(fault);
        return () => this.#lostKinds.delete(fault);
      case 'slowSigner':
        this.#slowSigners.set(fault, { index: fault.validator, extraMs: fault.extraMs });
        return () => this.#slowSigners.delete(fault);
      case 'diskFull':
        return this.#withDisk(fault.validator, 'isFull');
      case 'syncFails':
        return this.#withDisk(fault.validator, 'failsSync');
      case 'clockStep':
        this.#clockSteps.set(fault.validator, fault.byMs);
        return null;
    }
  }

  #withDisk(validator: number, what: 'isFull' | 'failsSync'): (() => void) | null {
    const node = this.nodes[validator]!;
    if (!node.isHonest) return null;
    this.counters.refusals++;
    node.disk[what] = true;
    return () => {
      node.disk[what] = false;
    };
  }

  #flap(fault: Cut, periodMs: number, untilMs: number, isCut: boolean): void {
    this.#at(periodMs / 2, () => {
      if (this.#isHealed || this.nowMs() >= untilMs) return;
      this.#changeCuts(() => (isCut ? this.#cuts.add(fault) : this.#cuts.delete(fault)));
      this.#flap(fault, periodMs, untilMs, !isCut);
    });
  }

  #changeCuts(change: () => unknown): void {
    const before = new Set(this.#cuts);
    change();
    this.hub.noteChange((from, to) => isCutBy(before, from, to));
  }

  readonly #isCut = (from: number, to: number): boolean => isCutBy(this.#cuts, from, to);

  #submitTransactions(everyMs: number): void {
    const random = streamOf(this.plan.seed, 'transactions');
    const next = (): void => {
      const id = ++this.#transactions;
      const node = this.nodes[Math.floor(random() * this.nodes.length)]!;
      this.#at(Math.ceil(random() * 2 * everyMs), () => {
        node.submit(id);
        next();
      });
    };
    next();
  }

  #lossOf(from: number, to: number, message: Uint8Array): number {
    if (this.#lostKinds.size === 0) return 0;
    const found = findKind(message);
    if (found === null) return 0;
    let most = 0;
    for (const lost of this.#lostKinds) {
      if (!lost.kinds.includes(found.kind) || !lost.from.includes(from) || !lost.to.includes(to)) continue;
      if (lost.signedBy === null || this.nodes[lost.signedBy]!.key.address === found.signer)
        most = Math.max(most, lost.probability);
    }
    return most;
  }

  #createHub(): SimHub {
    const { loss, duplicate, delayMs } = this.plan.network;
    const nameOf = (address: string): string =>
      this.nodes.find(({ key }) => key.address === address)?.name ?? address.slice(0, 8);
    return new SimHub({
      clock: this.clock,
      events: this.events,
      streamOf: (name) => streamOf(this.plan.seed, name),
      conditions: {
        isCut: (from, to) => this.#isCut(from, to),
        delayMs: (from, to, random) =>
          delayMs[0] +
          Math.floor(random() * (delayMs[1] - delayMs[0] + 1)) +
          extraOf(this.#slowLinks, (slow) => slow === from || slow === to),
        loss: (from, to, message) => (this.#isHealed ? 0 : Math.max(loss, this.#lossOf(from, to, message))),
        duplicate: () => (this.#isHealed ? 0 : duplicate),
      },
      watch: {
        identify: (message) => this.#identify(message),
        describe: (message) => describeMessage(DOMAIN, nameOf, message),
        describeRequest,
        onSent: (_from, message) => this.checker.onMessage(message, this.#identify(message)),
        onAnswered: (protocol, request, answer) => {
          if (protocol === CONSENSUS_REQUEST_PROTOCOL) this.checker.onAnswer(request, answer);
        },
        onFault: (by, peerId, fault, detail) => {
          this.events.add('charged', `${by.name} ${peerId} ${fault} ${detail}`);
          const accused = this.nodes.find(({ name }) => name === peerId);
          if (this.nodes[by.index]!.isHonest && accused?.isHonest)
            this.checker.fail('HONEST_CHARGED', `${by.name} charges ${peerId}: ${fault}, ${detail}`);
        },
      },
    });
  }

  /** A broadcast is one message to many. */
  #identify(message: Uint8Array): string {
    if (this.#identified?.message === message) return this.#identified.identity;
    const identity = `${message[0]}.${message.length}.${crc32(message).toString(16)}`;
    this.#identified = { message, identity };
    return identity;
  }
}

/** Null for what a Byzantine validator made up. */
const findKind = (
  bytes: Uint8Array,
): { readonly kind: MessageKind; readonly signer: Address | null } | null => {
  const decoded = decodeMessage(bytes);
  if (!decoded.ok) return null;
  const { value } = decoded;
  return value.type === 'vote'
    ? { kind: value.vote.type, signer: recoverAddress(voteDigest(DOMAIN, value.vote), value.vote.signature) }
    : { kind: value.type, signer: null };
};

const isCutBy = (cuts: ReadonlySet<Cut>, from: number, to: number): boolean => {
  for (const cut of cuts) {
    if (cut.from.includes(from) && cut.to.includes(to)) return true;
    if (cut.bothWays && cut.from.includes(to) && cut.to.includes(from)) return true;
  }
  return false;
};

const extraOf = (
  slow: ReadonlyMap<FaultPlan, { readonly index: number; readonly extraMs: number }>,
  matches: (index: number) => boolean,
): number => {
  let extraMs = 0;
  for (const { index, extraMs: more } of slow.values()) if (matches(index)) extraMs += more;
  return extraMs;
};
