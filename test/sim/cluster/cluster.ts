/**
 * Several validators with the real host in one process: virtual clock, lossy network, disks that tear, execution that
 * is a hash. The same seed gives the same run.
 */
import type { L1View } from '#bridge/l1/view.ts';
import { privateKeyToAddress, signDigest } from '#consensus/crypto/secp256k1.ts';
import type { Evidence } from '#consensus/engine.ts';
import { type Address, type Hash, parseHash } from '#consensus/primitives.ts';
import { type Signer, type SignRequest, signRequestDigest } from '#consensus/signer.ts';
import { DEFAULT_TIMEOUTS } from '#consensus/timeouts.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import { createValidatorSet, type ValidatorSet } from '#consensus/validatorSet.ts';
import { ConsensusHost } from '#node/consensus/host.ts';
import type { Halt, HostLogger, SigningLease } from '#node/consensus/hostPorts.ts';
import type { Mempool } from '#node/mempool/mempool.ts';
import type { Fault, Faulty } from '#test/faults/fault.ts';
import { FakeChain, type FakeDatabase, type FakeExecution, genesisDatabase } from './fakeChain.ts';
import { LossyHub, type LossyOptions } from './lossyNetwork.ts';
import { TearingDisk } from './tearingDisk.ts';
import { seededRandom, VirtualClock } from './virtualClock.ts';

export const DOMAIN: ConsensusDomain = { chainId: 42_424n, genesisHash: parseHash(`0x${'ab'.repeat(32)}`) };
const START_MS = 1_800_000_000_000;

export type Key = { readonly privateKey: Uint8Array; readonly address: Address };

/** In ascending order of address. */
export const createKeys = (count: number): readonly Key[] =>
  Array.from({ length: count }, (_, index) => {
    const privateKey = new Uint8Array(32).fill(index + 1);
    return { privateKey, address: privateKeyToAddress(privateKey) };
  }).sort((a, b) => (a.address < b.address ? -1 : 1));

export const signerOf = ({ privateKey, address }: Key): Signer => ({
  address,
  sign: async (request) => signDigest(signRequestDigest(request), privateKey),
});

/** What each transaction of the fakes claims. */
const TRANSACTION_GAS = 21_000n;

export class FakeMempool implements Mempool {
  pending: Uint8Array[] = [];
  /** Offered first when imports are allowed. */
  importTransaction: Uint8Array | null = null;
  readonly backedOff: { hashes: readonly Hash[]; heights: number }[] = [];
  readonly picks: { maxGas: bigint; allowImport: boolean }[] = [];
  readonly #listeners = new Set<() => void>();

  submit(...raw: Uint8Array[]): void {
    this.pending.push(...raw);
    for (const listener of this.#listeners) listener();
  }
  async add(): Promise<never> {
    throw new Error('not part of this fake');
  }
  pick(limits: { maxGas: bigint; allowImport: boolean }): readonly Uint8Array[] {
    this.picks.push(limits);
    const first = limits.allowImport && this.importTransaction !== null ? [this.importTransaction] : [];
    return [...first, ...this.pending.slice(0, Number(limits.maxGas / TRANSACTION_GAS))];
  }
  hasWork(): boolean {
    return this.pending.length > 0 || this.importTransaction !== null;
  }
  onWork(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  backOff(hashes: readonly Hash[], heights: number): void {
    this.backedOff.push({ hashes, heights });
  }
  get(): null {
    return null;
  }
  pendingNonce(): null {
    return null;
  }
  size(): number {
    return this.pending.length;
  }
  onAdmitted(): () => void {
    return () => undefined;
  }
}

const silent: HostLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

const talkative = (name: string, clock: VirtualClock): HostLogger => {
  const line =
    (level: string) =>
    (...parts: unknown[]): void =>
      console.log(clock.nowMs() - START_MS, name, level, ...parts);
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') } as HostLogger;
};

export type ClusterOptions = {
  readonly seed: number;
  readonly validators?: number;
  /** In the order of the members; 1 each by default. */
  readonly powers?: readonly bigint[];
  /** The set of each height, out of these validators; all of them at each one by default. */
  readonly setAt?: (height: bigint, all: ValidatorSet) => ValidatorSet;
  readonly network?: Partial<LossyOptions>;
  readonly execution?: (index: number) => FakeExecution;
  readonly l1View?: (index: number) => L1View | null;
  readonly blockIntervalMs?: number;
  readonly emptyBlockIntervalMs?: number;
  /** False: nobody catches up by blocks. */
  readonly sync?: boolean;
  /** The name of this run of the member's process; by default nothing is fenced. */
  readonly session?: (name: string) => Hash;
  /** What block sync holds signatures back with; nothing by default. */
  readonly signingLease?: (member: Member) => SigningLease;
  /** How long this signature takes; none by default. */
  readonly signMs?: (member: Member, request: SignRequest) => number;
  /** The Byzantine ones; null for an honest validator. */
  readonly fault?: (index: number) => Fault | null;
  readonly verbose?: boolean;
};

export class Member {
  readonly name: string;
  readonly key: Key;
  readonly mempool = new FakeMempool();
  readonly halts: Halt[] = [];
  readonly behind: bigint[] = [];
  readonly evidence: Evidence[] = [];
  /** What its misdeeds run on, while it plays a fault. */
  faulty: Faulty | null = null;
  database: FakeDatabase;
  disk = new TearingDisk();
  chain!: FakeChain;
  host: ConsensusHost | null = null;
  signed = 0;
  readonly execution: FakeExecution;

  constructor(name: string, key: Key, database: FakeDatabase, execution: FakeExecution) {
    this.name = name;
    this.key = key;
    this.database = database;
    this.execution = execution;
  }

  height(): bigint {
    return this.database.blocks.at(-1)!.height;
  }
}

export class Cluster {
  readonly clock = new VirtualClock(START_MS);
  readonly hub: LossyHub;
  readonly set: ValidatorSet;
  readonly members: readonly Member[];
  readonly #options: ClusterOptions;
  /** Hosts that know where they are. */
  readonly #started = new WeakSet<ConsensusHost>();

  constructor(options: ClusterOptions) {
    this.#options = options;
    const keys = createKeys(options.validators ?? 4);
    this.set = createValidatorSet(
      keys.map(({ address }, index) => ({ address, power: options.powers?.[index] ?? 1n })),
    );
    this.hub = new LossyHub(this.clock, seededRandom(options.seed), {
      loss: 0,
      minLatencyMs: 2,
      maxLatencyMs: 20,
      ...options.network,
    });
    this.members = keys.map(
      (key, index) =>
        new Member(
          `v${index + 1}`,
          key,
          genesisDatabase(this.#options.setAt?.(1n, this.set) ?? this.set, BigInt(START_MS / 1_000)),
          options.execution?.(index) ?? {},
        ),
    );
  }

  async startAll(): Promise<void> {
    for (const member of this.members) await this.start(member);
  }

  async start(member: Member): Promise<ConsensusHost> {
    const faulty = this.#wrap(member);
    const chain = new FakeChain(
      member.database,
      (height) => this.#options.setAt?.(height, this.set) ?? this.set,
      this.clock,
      member.execution,
      () => member.chain === chain,
    );
    member.chain = chain;
    const signer = signerOf(member.key);
    const host = new ConsensusHost(
      {
        domain: DOMAIN,
        feeRecipient: member.key.address,
        blockIntervalMs: this.#options.blockIntervalMs ?? 100,
        emptyBlockIntervalMs: this.#options.emptyBlockIntervalMs ?? 200,
        importLagMs: 1_000,
        timeouts: DEFAULT_TIMEOUTS,
        blockGasLimit: 30_000_000n,
        ...(this.#options.session === undefined ? {} : { session: this.#options.session(member.name) }),
      },
      {
        chain,
        mempool: member.mempool,
        network: faulty.network,
        l1View: this.#options.l1View?.(this.members.indexOf(member)) ?? null,
        signer: {
          address: signer.address,
          sign: async (request) => {
            member.signed++;
            const delayMs = this.#options.signMs?.(member, request) ?? 0;
            if (delayMs > 0) await new Promise<void>((resolve) => this.clock.setTimer(delayMs, resolve));
            return signer.sign(request);
          },
        },
        disk: member.disk,
        clock: faulty.clock,
        logger: this.#options.verbose ? talkative(member.name, this.clock) : silent,
        ...(this.#options.signingLease === undefined
          ? {}
          : { signingLease: this.#options.signingLease(member) }),
      },
      {
        onHalted: (halt) => member.halts.push(halt),
        onBehind: (peerId, height) => {
          member.behind.push(height);
          this.#sync(member, peerId);
        },
        onEvidence: (evidence) => member.evidence.push(evidence),
      },
    );
    member.host = host;
    await host.start();
    this.#started.add(host);
    return host;
  }

  /** Joins the network: as itself, or through the fault that it plays. */
  #wrap(member: Member): Pick<Faulty, 'network' | 'clock'> {
    const network = this.hub.join(member.name, member.key.address);
    const index = this.members.indexOf(member);
    const fault = this.#options.fault?.(index) ?? null;
    member.faulty?.stop();
    member.faulty =
      fault?.create({
        network,
        key: member.key,
        domain: DOMAIN,
        clock: this.clock,
        random: seededRandom(this.#options.seed * 1_000 + index),
        position: () => {
          if (member.host === null || !this.#started.has(member.host)) return null;
          const { height, round } = member.host.position();
          return { height, round, set: this.set };
        },
      }) ?? null;
    return member.faulty ?? { network, clock: this.clock };
  }

  /** Block sync, as soon as somebody is two heights ahead. */
  #sync(member: Member, peerId: string): void {
    const source = this.members.find(({ name }) => name === peerId)!;
    if (this.#options.sync === false || source.height() <= member.height() + 1n) return;
    this.clock.setTimer(50, () => {
      if (member.host !== null && source.host !== null) member.chain.copyFrom(source.chain);
    });
  }

  /** The power goes: nothing is said goodbye to. */
  crash(member: Member, keep = 0): void {
    this.hub.leave(member.name);
    member.faulty?.stop();
    const host = member.host;
    member.host = null;
    member.chain = undefined as unknown as FakeChain;
    member.disk.crash(keep);
    host?.stop().catch(() => undefined);
  }

  async stopAll(): Promise<void> {
    for (const member of this.members) {
      this.hub.leave(member.name);
      member.faulty?.stop();
      await member.host?.stop();
    }
  }

  highest(): bigint {
    return BigInt(Math.max(...this.heights().map(Number)));
  }

  heights(): readonly bigint[] {
    return this.members.map((member) => member.height());
  }

  /** Runs until every named member has this height, or the time is up. */
  async until(height: bigint, maxMs: number, members: readonly Member[] = this.members): Promise<boolean> {
    const isThere = (): boolean => members.every((member) => member.height() >= height);
    await this.clock.advance(maxMs, isThere);
    return isThere();
  }

  /** At each height all members have one block hash. */
  forks(): readonly bigint[] {
    const top = this.highest();
    const forks: bigint[] = [];
    for (let height = 1n; height <= top; height++) {
      const hashes = new Set(
        this.members.flatMap(({ database }) => database.blocks[Number(height)]?.hash ?? []),
      );
      if (hashes.size > 1) forks.push(height);
    }
    return forks;
  }
}
