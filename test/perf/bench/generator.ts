/**
 * The load, in a process of its own: signs beforehand, sends on time whatever comes back, and sees when each is final.
 *
 * Owns the sending and the clock of every latency. Open loop: a transaction's latency begins when it was due, not when
 * it was sent, so a generator or a validator that falls behind is not flattered. Each is submitted once; a sender's
 * transactions all go to one validator, and the validators take turns. A latency ends when the validator that the
 * transaction was submitted to announces its block: its receipt can be read from then on, which is checked on the last
 * transaction of every block. Senders with a transaction that did not arrive are not used again.
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { bytesToHex } from '#consensus/primitives.ts';
import { type SeenBlock, summarise } from './arithmetic.ts';
import {
  type FromGenerator,
  type GeneratorSetup,
  MAX_BATCH,
  type PhasePlan,
  type PhaseReport,
  type ToGenerator,
} from './generatorProtocol.ts';
import { benchKey, type Key, signBulk } from './signing.ts';
import { type Answer, type Link, openLink } from './transports.ts';
import { createCalls } from './workloads.ts';

/** Of one phase: few enough that each sends often, many enough that no sender's limit is reached. */
const SENDERS_AT_ONCE = 2_000;
/** A validator gets what was due in this time at once. */
const FLUSH_MS = 50;
const QUIET_MS = 6_000;
const GWEI = 10n ** 9n;

const tell = (message: FromGenerator): void => void process.send!(message);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Sender = { readonly key: Key; nonce: number; clean: boolean };
type Sent = { readonly dueMs: number; readonly link: number; readonly sender: Sender };
type Prepared = {
  readonly raw: string;
  readonly hash: string;
  readonly link: number;
  readonly sender: Sender;
};
type BlockText = { readonly transactions: readonly string[]; readonly gasUsed: string };

class Generator {
  readonly #setup: GeneratorSetup;
  readonly #senders: Sender[];
  #nextSender = 0;

  constructor(setup: GeneratorSetup) {
    this.#setup = setup;
    this.#senders = Array.from({ length: setup.senders }, (_, index) => ({
      key: benchKey(index),
      nonce: 0,
      clean: true,
    }));
  }

  #takeSenders(): readonly Sender[] {
    const clean = this.#senders.filter((sender) => sender.clean);
    const count = Math.min(SENDERS_AT_ONCE, clean.length);
    if (count === 0) throw new Error('expected senders whose transactions all arrived, found none left');
    const from = this.#nextSender % clean.length;
    this.#nextSender = from + count;
    return [...clean.slice(from), ...clean.slice(0, from)].slice(0, count);
  }

  sign(plan: PhasePlan): readonly Prepared[] {
    const { chainId, baseFeeWei, contracts, urls } = this.#setup;
    const senders = this.#takeSenders();
    const callOf = createCalls(plan.workload, contracts, plan.seed);
    const count = Math.ceil((plan.ratePerSecond * (plan.warmUpMs + plan.steadyMs)) / 1_000);
    return Array.from({ length: count }, (_, index) => {
      const place = index % senders.length;
      const sender = senders[place]!;
      const unsigned = {
        ...callOf(index),
        chainId: BigInt(chainId),
        nonce: sender.nonce++,
        tipWei: 0n,
        maxFeeWei: BigInt(baseFeeWei) + GWEI / 10n,
      };
      const raw = signBulk(unsigned, sender.key.privateKey);
      return { raw: bytesToHex(raw), hash: keccak256Hex(raw), link: place % urls.length, sender };
    });
  }

  async run(plan: PhasePlan, prepared: readonly Prepared[]): Promise<PhaseReport> {
    const phase = new Phase(plan, prepared);
    const links = await this.#openLinks(plan.transport, phase);
    try {
      return await phase.run(links);
    } finally {
      for (const link of links) link.close();
    }
  }

  #openLinks(transport: PhasePlan['transport'], phase: Phase): Promise<Link[]> {
    return Promise.all(
      this.#setup.urls.map((url, index) =>
        openLink(url, transport, {
          answered: (answers) => phase.onAnswers(answers),
          head: (height) => phase.onHead(index, height),
          failed: (message) => phase.onFailed(message),
        }),
      ),
    );
  }

  /** One transaction at a time on a network that has nothing else to do, until its receipt is there. */
  async idle(count: number): Promise<readonly number[]> {
    const latencies: number[] = [];
    for (let index = 0; index < count; index++) {
      const plan: PhasePlan = {
        seed: `idle-${Date.now()}-${index}`,
        workload: 'transfer',
        transport: 'ws',
        ratePerSecond: 1,
        warmUpMs: 0,
        steadyMs: 1_000,
      };
      const [transaction] = this.sign(plan);
      // the interval after the block before must be over, and the moment in it must not be ours to choose
      await pause(900 + 500 * Math.random());
      latencies.push(await this.#submitAlone(transaction!, index % this.#setup.urls.length));
    }
    return latencies;
  }

  async #submitAlone({ raw, hash }: Prepared, at: number): Promise<number> {
    const heard = Promise.withResolvers<void>();
    let isSent = false;
    const link = await openLink(this.#setup.urls[at]!, 'ws', {
      answered: () => undefined,
      head: () => isSent && heard.resolve(),
      failed: (message) => heard.reject(new Error(message)),
    });
    try {
      const started = performance.now();
      isSent = true;
      await link.ask('eth_sendRawTransaction', [raw]);
      const timeout = setTimeout(() => heard.reject(new Error('expected a block within 20 s')), 20_000);
      await heard.promise;
      clearTimeout(timeout);
      for (;;) {
        const receipt = await link.ask<object | null>('eth_getTransactionReceipt', [hash]);
        if (receipt !== null) return performance.now() - started;
        await pause(5);
      }
    } finally {
      link.close();
    }
  }
}

class Phase {
  readonly #plan: PhasePlan;
  readonly #prepared: readonly Prepared[];
  readonly #pending = new Map<string, Sent>();
  readonly #heads: Map<number, number>[] = [];
  readonly #seen: SeenBlock[] = [];
  readonly #latencies: number[] = [];
  readonly #refused: Record<string, number> = {};
  #links: readonly Link[] = [];
  #accepted = 0;
  #committed = 0;
  #latestSendMs = 0;
  #fetched = -1;
  #fromMs = 0;
  #toMs = 0;
  #lastProgressMs = 0;
  #fault: Error | null = null;

  constructor(plan: PhasePlan, prepared: readonly Prepared[]) {
    this.#plan = plan;
    this.#prepared = prepared;
  }

  onAnswers(answers: readonly Answer[]): void {
    for (const { error, id } of answers) {
      if (error === null) this.#accepted++;
      else {
        // the rest of the words is about this one transaction
        const reason = error.split(':')[0]!;
        this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
        const { hash, sender } = this.#prepared[id]!;
        this.#pending.delete(hash);
        sender.clean = false;
      }
    }
  }

  onFailed(message: string): void {
    this.#fault ??= new Error(`a connection to a validator failed: ${message}`);
  }

  onHead(link: number, height: number): void {
    const now = performance.now();
    while (this.#heads.length <= link) this.#heads.push(new Map());
    this.#heads[link]!.set(height, now);
    if (height <= this.#fetched || this.#links.length === 0) return;
    this.#fetched = height;
    this.#readBlock(link, height, now).catch((error: Error) => {
      this.#fault ??= error;
    });
  }

  async #readBlock(link: number, height: number, seenMs: number): Promise<void> {
    const quantity = `0x${height.toString(16)}`;
    const block = await this.#links[link]!.ask<BlockText>('eth_getBlockByNumber', [quantity, false]);
    const last = block.transactions.at(-1);
    if (last !== undefined) {
      const receipt = await this.#links[link]!.ask<object | null>('eth_getTransactionReceipt', [last]);
      if (receipt === null) throw new Error(`expected a receipt of ${last} in announced block ${height}`);
    }
    this.#seen.push({
      height,
      seenMs,
      transactions: block.transactions.length,
      gasUsed: Number(block.gasUsed),
    });
    // the other validators announce it a moment later; what they have not by then is looked at again
    await this.#settle(height, block.transactions);
  }

  async #settle(height: number, hashes: readonly string[]): Promise<void> {
    let open = hashes;
    while (open.length > 0 && this.#fault === null) {
      open = open.filter((hash) => {
        const sent = this.#pending.get(hash);
        if (sent === undefined) return false;
        const announced = this.#heads[sent.link]?.get(height);
        if (announced === undefined) return true;
        this.#pending.delete(hash);
        this.#committed++;
        this.#lastProgressMs = performance.now();
        if (sent.dueMs >= this.#fromMs && sent.dueMs < this.#toMs)
          this.#latencies.push(announced - sent.dueMs);
        return false;
      });
      if (open.length > 0) await pause(20);
    }
  }

  /** Each validator has its turn within `FLUSH_MS`, one after the other. */
  async #sendAll(startMs: number): Promise<void> {
    const { ratePerSecond, warmUpMs } = this.#plan;
    const stepMs = FLUSH_MS / this.#links.length;
    const queues = this.#links.map((_, link): number[] =>
      this.#prepared.flatMap((transaction, index) => (transaction.link === link ? [index] : [])),
    );
    const heads = queues.map(() => 0);
    let isSteady = false;
    for (let step = 0; this.#fault === null; step++) {
      const waitMs = startMs + step * stepMs - performance.now();
      if (waitMs > 0) await pause(waitMs);
      const now = performance.now();
      if (!isSteady && now >= startMs + warmUpMs) {
        isSteady = true;
        tell({ type: 'steady' });
      }
      const link = step % this.#links.length;
      const due = ((now - startMs) * ratePerSecond) / 1_000;
      const queue = queues[link]!;
      const from = heads[link]!;
      let to = from;
      while (to < queue.length && queue[to]! <= due) to++;
      heads[link] = to;
      if (to > from) this.#sendSome(link, queue.slice(from, to), startMs, now);
      if (heads.every((head, index) => head === queues[index]!.length)) return;
    }
  }

  #sendSome(link: number, indexes: readonly number[], startMs: number, now: number): void {
    for (let at = 0; at < indexes.length; at += MAX_BATCH) {
      const some = indexes.slice(at, at + MAX_BATCH);
      for (const index of some) {
        const { hash, sender } = this.#prepared[index]!;
        const dueMs = startMs + (1_000 * index) / this.#plan.ratePerSecond;
        this.#pending.set(hash, { dueMs, link, sender });
        this.#latestSendMs = Math.max(this.#latestSendMs, now - dueMs);
      }
      this.#links[link]!.send(
        some,
        some.map((index) => this.#prepared[index]!.raw),
      );
    }
  }

  async run(links: readonly Link[]): Promise<PhaseReport> {
    this.#links = links;
    const startMs = performance.now() + 100;
    this.#fromMs = startMs + this.#plan.warmUpMs;
    this.#toMs = this.#fromMs + this.#plan.steadyMs;
    await this.#sendAll(startMs);
    const backlogAtEnd = this.#pending.size;
    tell({ type: 'sent' });
    this.#lastProgressMs = performance.now();
    while (
      this.#pending.size > 0 &&
      this.#fault === null &&
      performance.now() - this.#lastProgressMs < QUIET_MS
    )
      await pause(50);
    if (this.#fault !== null) throw this.#fault;
    for (const { sender } of this.#pending.values()) sender.clean = false;
    return {
      offered: this.#prepared.length,
      accepted: this.#accepted,
      refused: this.#refused,
      committed: this.#committed,
      missing: this.#prepared.length - this.#committed,
      backlogAtEnd,
      latencyMs: summarise(this.#latencies),
      blocks: this.#seen,
      fromMs: this.#fromMs,
      toMs: this.#toMs,
      latestSendMs: this.#latestSendMs,
    };
  }
}

let generator: Generator | null = null;
let go: () => void = () => undefined;

const handle = async (message: ToGenerator): Promise<void> => {
  if (message.type === 'setup') {
    generator = new Generator(message.setup);
    return tell({ type: 'ready' });
  }
  if (message.type === 'go') return go();
  if (message.type === 'end') process.exit(0);
  if (message.type === 'idle')
    return tell({ type: 'idleDone', latencyMs: await generator!.idle(message.count) });
  const prepared = generator!.sign(message.plan);
  const told = new Promise<void>((resolve) => {
    go = resolve;
  });
  tell({ type: 'signed', count: prepared.length });
  await told;
  tell({ type: 'done', report: await generator!.run(message.plan, prepared) });
};

process.on('message', (message: ToGenerator) => {
  handle(message).catch((error: unknown) =>
    tell({
      type: 'failed',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }),
  );
});
// the bench is gone
process.on('disconnect', () => process.exit(1));
