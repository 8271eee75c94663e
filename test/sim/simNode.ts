/**
 * One validator of a run across its processes: what outlives them (disk, blocks, key), and how one is started and ends.
 *
 * Owns the wiring of a real host to the simulated ports, for honest ones and for those that play a fault. Does not own
 * when it crashes or restarts (world.ts).
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { signDigest } from '#consensus/crypto/secp256k1.ts';
import type { Evidence } from '#consensus/engine.ts';
import { type Hash, toBigEndian } from '#consensus/primitives.ts';
import { type SignRequest, signRequestDigest } from '#consensus/signer.ts';
import { DEFAULT_TIMEOUTS } from '#consensus/timeouts.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import type { Clock } from '#node/consensus/clock.ts';
import { ConsensusHost } from '#node/consensus/host.ts';
import type { Halt, HostLogger } from '#node/consensus/hostPorts.ts';
import { encodeRlp } from '#node/consensus/rlp.ts';
import type { Network } from '#node/network/network.ts';
import { FAULTS } from '#test/faults/faults.ts';
import { FakeMempool, type Key } from './cluster/cluster.ts';
import type { FakeDatabase, SetSchedule } from './cluster/fakeChain.ts';
import type { VirtualClock } from './cluster/virtualClock.ts';
import type { Events } from './events.ts';
import { type Plan, type Range, TWIN, type ValidatorPlan } from './plan.ts';
import { SimChain } from './simChain.ts';
import { SimDisk } from './simDisk.ts';
import type { SimHub, SimNetwork } from './simNetwork.ts';
import { EffectCounter, never, type SimProcess } from './simProcess.ts';
import { between } from './streams.ts';

export type SimNodePorts = {
  readonly plan: Plan;
  readonly domain: ConsensusDomain;
  readonly setAt: SetSchedule;
  readonly clock: VirtualClock;
  readonly events: Events;
  readonly hub: SimHub;
  readonly streamOf: (name: string) => () => number;
  readonly signerExtraMs: (index: number) => number;
  readonly clockStepMs: (index: number) => number;
  readonly onBlock: ConstructorParameters<typeof SimChain>[2]['onBlock'];
  readonly onCrash: (node: SimNode, effect: number) => void;
  readonly onHalted: (node: SimNode, halt: Halt) => void;
  readonly onBehind: (node: SimNode, peerId: string) => void;
  readonly onEvidence: (node: SimNode, evidence: Evidence) => void;
  readonly onStartFailed: (node: SimNode, error: unknown) => void;
};

const delayIn = (random: () => number, [min, max]: Range): number =>
  max === 0 ? 0 : between(random, min, max);

export class SimNode {
  readonly index: number;
  readonly name: string;
  readonly key: Key;
  readonly plan: ValidatorPlan;
  readonly isHonest: boolean;
  readonly mempool = new FakeMempool();
  readonly database: FakeDatabase;
  readonly disk: SimDisk;
  readonly effects: EffectCounter;
  readonly #ports: SimNodePorts;
  readonly #signerRandom: () => number;
  process: SimProcess | null = null;
  host: ConsensusHost | null = null;
  chain: SimChain | null = null;
  /** False from the start of a process until its host has started. */
  isUp = false;
  isSyncing = false;
  starts = 0;
  #stopFault: () => void = () => undefined;

  constructor(
    index: number,
    key: Key,
    database: FakeDatabase,
    crashesAt: readonly number[],
    ports: SimNodePorts,
  ) {
    this.index = index;
    this.name = `v${index + 1}`;
    this.key = key;
    this.plan = ports.plan.validators[index]!;
    this.isHonest = this.plan.byzantine === null;
    this.database = database;
    this.#ports = ports;
    this.#signerRandom = ports.streamOf(`signer ${this.name}`);
    this.effects = new EffectCounter(this.isHonest ? crashesAt : [], (effect) => ports.onCrash(this, effect));
    const syncRandom = ports.streamOf(`sync ${this.name}`);
    this.disk = new SimDisk({
      events: ports.events,
      random: ports.streamOf(`disk ${this.name}`),
      effects: this.effects,
      after: (process, delayMs, run) => ports.clock.setTimer(delayMs, () => process.isAlive && run()),
      syncDelayMs: () => delayIn(syncRandom, this.plan.syncMs),
    });
  }

  height(): bigint {
    return this.database.blocks.at(-1)!.height;
  }

  clockOf(process: SimProcess): Clock {
    const { clock, events } = this.#ports;
    return {
      nowMs: () => Math.floor(clock.nowMs()) + this.plan.skewMs + this.#ports.clockStepMs(this.index),
      monotonicMs: () => clock.monotonicMs(),
      setTimer: (delayMs, run) =>
        clock.setTimer(delayMs, () => {
          if (!process.isAlive) return;
          events.add('timer', `${this.name} ${delayMs}`);
          run();
        }),
    };
  }

  start(): void {
    const process: SimProcess = { index: this.index, name: this.name, isAlive: true };
    const { plan, domain, hub, setAt, onBlock, events } = this.#ports;
    this.process = process;
    this.starts++;
    this.disk.wasRefused = false;
    events.add('start', `${this.name} ${this.starts}`);
    const honest = {
      network: hub.join(process, this.key.address, this.effects),
      clock: this.clockOf(process),
    };
    const { network, clock } = this.isHonest ? honest : this.#corrupt(process, honest);
    const chain = new SimChain(process, this.database, {
      clock: honest.clock,
      effects: this.effects,
      setAt,
      execution: { derivationMs: this.plan.derivationMs },
      onBlock,
    });
    this.chain = chain;
    this.mempool.pending = this.mempool.pending.slice(-MAX_PENDING);
    chain.onCommitted(({ block }) => this.#forget(block.transactions));
    const host = new ConsensusHost(
      {
        domain,
        feeRecipient: this.key.address,
        blockIntervalMs: plan.blockIntervalMs,
        emptyBlockIntervalMs: plan.emptyBlockIntervalMs,
        importLagMs: 1_000,
        timeouts: DEFAULT_TIMEOUTS,
        blockGasLimit: 30_000_000n,
        ...(this.plan.byzantine === TWIN ? {} : { session: this.#session() }),
      },
      {
        chain,
        mempool: this.mempool,
        network,
        l1View: null,
        signer: { address: this.key.address, sign: (request) => this.#sign(process, request) },
        disk: this.disk.mount(process),
        clock,
        logger: this.#loggerOf(process),
      },
      {
        onHalted: (halt) => process.isAlive && this.#ports.onHalted(this, halt),
        onBehind: (peerId) => process.isAlive && this.#ports.onBehind(this, peerId),
        onEvidence: (evidence) => process.isAlive && this.#ports.onEvidence(this, evidence),
      },
    );
    this.host = host;
    host.start().then(
      () => {
        if (process.isAlive) this.isUp = true;
      },
      (error: unknown) => process.isAlive && this.#ports.onStartFailed(this, error),
    );
  }

  /** From one moment to the next there is no process; what it had in hand is lost. */
  kill(): void {
    if (this.process === null) return;
    this.process.isAlive = false;
    this.#stopFault();
    this.#ports.hub.leave(this.name);
    this.process = null;
    this.host = null;
    this.chain = null;
    this.isUp = false;
    this.isSyncing = false;
  }

  /** As an operator stops it. */
  async stop(): Promise<void> {
    const { host, process } = this;
    this.isUp = false;
    await host?.stop();
    if (process === this.process) this.kill();
  }

  submit(id: number): void {
    const gas = Uint8Array.of(0x52, 0x08);
    const nothing = new Uint8Array(0);
    const fields = [toBigEndian(BigInt(id), 8), nothing, gas, new Uint8Array(20).fill(9), nothing, nothing];
    this.mempool.submit(encodeRlp([...fields, nothing, nothing, nothing]));
  }

  /** Another one for each process; a twin has none, lest one of the two be fenced off. */
  #session(): Hash {
    return keccak256Hex(new TextEncoder().encode(`${this.name} ${this.starts}`));
  }

  #forget(transactions: readonly Uint8Array[]): void {
    if (transactions.length === 0 || this.mempool.pending.length === 0) return;
    const done = new Set(transactions.map((raw) => raw.join()));
    this.mempool.pending = this.mempool.pending.filter((raw) => !done.has(raw.join()));
  }

  #sign(process: SimProcess, request: SignRequest): Promise<ReturnType<typeof signDigest>> {
    const { clock, events } = this.#ports;
    if (!this.effects.pass(process)) return never();
    const delayMs = delayIn(this.#signerRandom, this.plan.signerMs) + this.#ports.signerExtraMs(this.index);
    return new Promise((resolve) => {
      const finish = (): void => {
        if (!process.isAlive) return;
        const digest: Hash = signRequestDigest(request);
        events.add('sign', `${this.name} ${request.kind} ${digest}`);
        const signature = signDigest(digest, this.key.privateKey);
        if (this.effects.pass(process)) resolve(signature);
      };
      if (delayMs === 0) finish();
      else clock.setTimer(delayMs, finish);
    });
  }

  #corrupt(
    process: SimProcess,
    honest: { readonly network: SimNetwork; readonly clock: Clock },
  ): { network: Network; clock: Clock } {
    const { domain, streamOf, setAt } = this.#ports;
    if (this.plan.byzantine === TWIN) return honest;
    const fault = FAULTS[this.plan.byzantine as keyof typeof FAULTS];
    const faulty = fault.create({
      ...honest,
      key: this.key,
      domain,
      random: streamOf(`fault ${this.name} ${this.starts}`),
      position: () => {
        if (!this.isUp || process !== this.process || this.host === null) return null;
        const { height, round } = this.host.status();
        return { height, round: Math.max(0, round), set: setAt(height) };
      },
    });
    this.#stopFault = () => faulty.stop();
    return faulty;
  }

  #loggerOf(process: SimProcess): HostLogger {
    const line =
      (level: string) =>
      (first: unknown, text?: unknown): void => {
        if (process.isAlive)
          this.#ports.events.add(
            'log',
            `${this.name} ${level} ${typeof first === 'string' ? first : text}`,
            () =>
              `${this.name}  ${level}: ${typeof first === 'string' ? first : `${text} ${describeFields(first)}`}`,
          );
      };
    return {
      debug: () => undefined,
      info: () => undefined,
      warn: line('warn'),
      error: line('error'),
    } as HostLogger;
  }
}

const MAX_PENDING = 32;

const describeFields = (fields: unknown): string =>
  Object.entries(fields as Record<string, unknown>)
    .map(([name, value]) => `${name}=${value instanceof Error ? value.message : String(value)}`)
    .join(' ');
