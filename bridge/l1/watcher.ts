/**
 * Watches the L1: agrees on its finalised block, folds the deposit chain up to it, notes accepted checkpoints.
 *
 * Owns the finalised view (view.ts) and its progress. Invariants:
 *  - a block counts only when every configured endpoint names the same hash for it, and the view never goes back;
 *  - each leaf is hashed here from its fields; the fold is shown only once it equals the vault's own depositCount
 *    and depositHash at that block, by every endpoint, so that a hidden or invented log stops the advance;
 *  - accepted checkpoints likewise end at the verifier's own latest height;
 *  - a block called final that changes halts the view for good, durably, before anyone is told.
 * Does not own what the contracts must be (`verify` is handed in) or what to do about a halt.
 *
 *   finalised blocks → agreement → contracts verified? → logs in ranges → staged fold → compare → shown
 */
import type { L1Addresses } from '#bridge/addresses.ts';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import type { DeploymentFault, DeploymentVerdict } from '#bridge/deployment/verifyDeployment.ts';
import {
  foldDeposit,
  hasData,
  LEAF_KIND,
  type Leaf,
  type LeafContext,
  leafHash,
} from '#bridge/encoding/leaf.ts';
import { agreeOnFinalized } from '#bridge/l1/agreement.ts';
import { createBackOff } from '#bridge/l1/backOff.ts';
import { DepositChain } from '#bridge/l1/depositChain.ts';
import {
  createL1Endpoint,
  endpointName,
  type L1Block,
  type L1Endpoint,
  type PegCounters,
} from '#bridge/l1/endpoint.ts';
import { readLogRanges } from '#bridge/l1/logRanges.ts';
import { type PegLogs, readPegLogs } from '#bridge/l1/pegLogs.ts';
import { type Clock, describeFault, type Logger } from '#bridge/l1/ports.ts';
import { createMemoryL1Store, type L1Store } from '#bridge/l1/store.ts';
import type { AcceptedCheckpoint, FinalizedL1, L1Status, L1View } from '#bridge/l1/view.ts';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { type Hash, type Hex, hexToBytes } from '#consensus/primitives.ts';

export type L1WatcherOptions = {
  readonly urls: readonly string[];
  /** Of the L1; an endpoint of another chain is never read. */
  readonly chainId: bigint;
  readonly sidechainId: bigint;
  readonly addresses: L1Addresses;
  /** The check of the deployed contracts at this final block (RULES 33); asked until it says yes. */
  readonly verify: (block: L1Block) => Promise<DeploymentVerdict>;
  readonly pollMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Survives restarts; in memory by default. */
  readonly store?: L1Store;
  /** The oldest block that may hold a log of the peg. */
  readonly fromBlock?: bigint;
  readonly maxLogBlocks?: bigint;
  readonly timeoutMs?: number;
  readonly backOffCapMs?: number;
};

/** The view, and what relayers need beyond it. */
export interface L1Watcher extends L1View {
  /** Looks once now; joins a look that is under way. Never rejects. */
  poll(): Promise<void>;
  /** Checkpoints accepted in finalised blocks, ascending, above this height; the newest 1,024 are kept. */
  acceptedAbove(height: bigint): readonly AcceptedCheckpoint[];
  /** Sum of ether in the first `count` deposits; null when the finalised view does not reach so far. */
  depositedWeiAt(count: bigint): bigint | null;
  /** Nonce of the first leaf with data at or above this nonce in the finalised view; null without one. */
  dataLeafFrom(nonce: bigint): bigint | null;
  /**
   * Deposits `first` to `first + count − 1` with their data, read again and checked against the own fold.
   * @throws L1WatcherError NOT_COVERED, LOGS_MISMATCH; or what the endpoint throws
   */
  readDeposits(first: bigint, count: bigint): Promise<readonly ReadDeposit[]>;
}

/** @property data the preimage of the leaf's dataHash; null for a transfer */
export type ReadDeposit = { readonly leaf: Leaf; readonly data: Hex | null };

export class L1WatcherError extends Error {
  override readonly name = 'L1WatcherError';
  readonly code: 'NO_ENDPOINT' | 'NOT_COVERED' | 'LOGS_MISMATCH';
  constructor(code: L1WatcherError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

const MAX_ACCEPTED = 1_024;
const MAX_COVERED_STEPS = 1_024;
/** Faults that no waiting mends. */
const WRONG_CONTRACTS: ReadonlySet<DeploymentFault> = new Set([
  'CODE_DIFFERS',
  'STORAGE_DIFFERS',
  'BACKING_MISSING',
]);

/** A leaf with data comes with exactly what its dataHash stands for. */
const isWhole = ({ leaf, data }: ReadDeposit): boolean =>
  hasData(leaf) ? data !== null && keccak256Hex(hexToBytes(data)) === leaf.dataHash : data === null;

/** What a look found that is not a fault of the transport. */
class Alarm extends Error {}

export const createL1Watcher = (options: L1WatcherOptions): L1Watcher => {
  const { urls, addresses, clock, logger, verify } = options;
  if (urls.length === 0)
    throw new L1WatcherError('NO_ENDPOINT', 'expected at least one L1 endpoint, found none: set l1.urls');
  const store = options.store ?? createMemoryL1Store();
  const maxBlocks = options.maxLogBlocks ?? 2_000n;
  const backOff = createBackOff(options.pollMs, options.backOffCapMs ?? 30_000);
  const endpoints = urls.map((url) => createL1Endpoint(url, addresses, options.timeoutMs ?? 10_000));
  const leafContext: LeafContext = {
    srcChainId: options.chainId,
    dstChainId: options.sidechainId,
    srcBridge: addresses.vault,
    dstBridge: PEG_GATEWAY,
  };

  const chain = new DepositChain();
  const listeners = new Set<() => void>();
  const rightChain = new Set<L1Endpoint>();
  let status: L1Status = { state: 'connecting', reason: 'the first look at the L1 has not finished' };
  let lastAlarm: string | null = null;
  let known: { number: bigint; hash: Hash } | null = null;
  let finalized: FinalizedL1 | null = null;
  let verified = false;
  let loaded = false;
  let firstBlock = options.fromBlock ?? 0n;
  let stagedThrough: bigint | null = null;
  let accepted: AcceptedCheckpoint[] = [];
  let stagedAccepted: AcceptedCheckpoint[] = [];
  /** When the view first covered a count; ascending. */
  const coveredSince: { count: bigint; atMs: number }[] = [];
  let reader = 0;
  let running = false;
  let stopping = false;
  let cancelTimer: (() => void) | null = null;
  let looking: Promise<void> | null = null;

  const notify = (): void => {
    for (const listener of [...listeners]) listener();
  };

  const setStatus = (next: L1Status): void => {
    if (JSON.stringify(next) === JSON.stringify(status)) return;
    status = next;
    logger.info({ l1: next }, `L1 view is ${next.state}`);
    notify();
  };

  /** A problem before `ready` is the status; after it the view stands still and says so. */
  const report = (reason: string, isAlarm: boolean): void => {
    if (reason !== lastAlarm)
      logger[isAlarm ? 'error' : 'warn'](
        { reason },
        isAlarm ? 'L1 alarm: the view does not advance' : 'L1 not readable, backing off',
      );
    lastAlarm = reason;
    if (status.state === 'connecting') setStatus({ state: 'connecting', reason });
  };

  const halt = async (reason: string): Promise<void> => {
    const remedy = `${reason}. Nothing is signed or voted on the L1's behalf any more; find out what happened on the L1 before removing ${store.where}`;
    await store.save({ finalized: known, halted: remedy });
    logger.error({ reason }, 'L1 view halted for good');
    setStatus({ state: 'halted', reason: remedy });
  };

  const checkChainIds = async (): Promise<void> => {
    for (const endpoint of endpoints) {
      if (rightChain.has(endpoint)) continue;
      const found = await endpoint.chainId();
      if (found !== options.chainId)
        throw new Alarm(
          `expected L1 chain id ${options.chainId} at ${endpointName(endpoint.url)}, found ${found}: correct l1.urls`,
        );
      rightChain.add(endpoint);
    }
  };

  const isVerified = async (block: L1Block): Promise<boolean> => {
    if (verified) return true;
    const verdict = await verify(block);
    if (verdict.ok) {
      verified = true;
      firstBlock = verdict.deploymentBlock ?? firstBlock;
    } else if (WRONG_CONTRACTS.has(verdict.code)) {
      logger.error({ reason: verdict.message }, 'the contracts on the L1 are not the ones of this chain');
      setStatus({ state: 'halted', reason: verdict.message });
    } else setStatus({ state: 'unverified', reason: verdict.message });
    return verified;
  };

  const stageLogs = ({ deposits, accepted: found }: PegLogs): void => {
    for (const { leaf, blockNumber } of deposits) {
      if (leaf.nonce !== chain.stagedCount)
        throw new Alarm(`expected deposit ${chain.stagedCount} in the L1 logs, found deposit ${leaf.nonce}`);
      chain.stage({
        hash: foldDeposit(chain.stagedHash, leafHash(leafContext, leaf)),
        nativeWei: leaf.kind === LEAF_KIND.native ? leaf.amount : 0n,
        hasData: hasData(leaf),
        blockNumber,
      });
    }
    stagedAccepted.push(...found);
  };

  const dropStaged = (): void => {
    chain.dropStaged();
    stagedAccepted = [];
    stagedThrough = finalized?.blockNumber ?? null;
  };

  /** Continues where an interrupted look stopped, so that a long catch-up survives a busy endpoint. */
  const foldThrough = async (block: L1Block): Promise<void> => {
    const endpoint = endpoints[reader % endpoints.length]!;
    const ranges = readLogRanges(
      {
        fromBlock: stagedThrough === null ? firstBlock : stagedThrough + 1n,
        toBlock: block.number,
        maxBlocks,
      },
      async (from, to) => [await readPegLogs(endpoint, addresses, from, to)],
    );
    for await (const { throughBlock, logs } of ranges) {
      logs.forEach(stageLogs);
      stagedThrough = throughBlock;
      if (stopping) throw new Error('the view is being stopped');
    }
  };

  const newestAccepted = (): AcceptedCheckpoint | undefined => stagedAccepted.at(-1) ?? accepted.at(-1);

  const compareWith = (counters: PegCounters, endpoint: L1Endpoint, block: L1Block): void => {
    const name = endpointName(endpoint.url);
    if (counters.depositCount !== chain.stagedCount || counters.depositHash !== chain.stagedHash)
      throw new Alarm(
        `logs and vault disagree at L1 block ${block.number} (${name}): folded ${chain.stagedCount} deposits to ${chain.stagedHash}, the vault has ${counters.depositCount} and ${counters.depositHash}; an endpoint hides or invents logs`,
      );
    const newest = newestAccepted();
    if (counters.latestHeight !== (newest?.height ?? 0n))
      throw new Alarm(
        `logs and verifier disagree at L1 block ${block.number} (${name}): the newest accepted checkpoint in the logs is ${newest?.height ?? 'none'}, the verifier has ${counters.latestHeight}; an endpoint hides or invents logs`,
      );
    if (newest !== undefined && counters.latestValueId !== newest.valueId)
      throw new Alarm(
        `logs and verifier disagree at L1 block ${block.number} (${name}): checkpoint ${newest.height} is ${newest.valueId} in the logs and ${counters.latestValueId} in the verifier`,
      );
  };

  const publish = (block: L1Block): void => {
    chain.verifyStaged();
    accepted = [...accepted, ...stagedAccepted].slice(-MAX_ACCEPTED);
    stagedAccepted = [];
    const depositCount = chain.verifiedCount;
    if (coveredSince.length === 0 || coveredSince.at(-1)!.count < depositCount) {
      coveredSince.push({ count: depositCount, atMs: clock.nowMs() });
      if (coveredSince.length > MAX_COVERED_STEPS) coveredSince.shift();
    }
    finalized = {
      blockNumber: block.number,
      blockHash: block.hash,
      timestamp: block.timestamp,
      depositCount,
      depositHash: chain.hashAt(depositCount)!,
    };
    if (status.state !== 'ready') setStatus({ state: 'ready' });
    else notify();
  };

  const load = async (): Promise<void> => {
    if (loaded) return;
    const memory = await store.load();
    known = memory.finalized;
    loaded = true;
    if (memory.halted !== null) setStatus({ state: 'halted', reason: memory.halted });
  };

  const advanceTo = async (block: L1Block): Promise<void> => {
    try {
      await foldThrough(block);
      const counters = await Promise.all(endpoints.map((endpoint) => endpoint.countersAt(block.number)));
      counters.forEach((found, index) => {
        compareWith(found, endpoints[index]!, block);
      });
    } catch (fault) {
      if (fault instanceof Alarm) dropStaged();
      reader++; // the next look reads the logs elsewhere, if there is an elsewhere
      throw fault;
    }
    if (known?.hash !== block.hash) {
      const next = { number: block.number, hash: block.hash };
      await store.save({ finalized: next, halted: null });
      known = next;
    }
    publish(block);
  };

  const look = async (): Promise<void> => {
    await load();
    if (status.state === 'halted') return;
    await checkChainIds();
    const agreement = await agreeOnFinalized(endpoints, known);
    if (agreement.kind === 'disagreement') throw new Alarm(agreement.reason);
    if (agreement.kind === 'reorganised') return halt(agreement.reason);
    if (agreement.kind === 'behind') {
      if (finalized !== null) return; // what we hold needs no second reading
      if (agreement.block.number < known!.number)
        throw new Error(
          `expected the L1 to have final block ${known!.number}, seen before, found ${agreement.block.number}: an endpoint lags`,
        );
    }
    if (await isVerified(agreement.block)) await advanceTo(agreement.block);
  };

  const poll = (): Promise<void> => {
    looking ??= look()
      .then(
        () => {
          lastAlarm = null;
          return backOff.succeeded();
        },
        (fault: unknown) => {
          report(describeFault(fault), fault instanceof Alarm);
          return backOff.failed();
        },
      )
      .then((delayMs) => {
        looking = null;
        if (running && status.state !== 'halted') cancelTimer = clock.setTimer(() => void poll(), delayMs);
      });
    return looking;
  };

  return {
    start: async () => {
      if (running) return;
      running = true;
      stopping = false;
      await poll();
    },
    stop: async () => {
      running = false;
      stopping = true;
      cancelTimer?.();
      cancelTimer = null;
      await looking;
    },
    poll: async () => {
      cancelTimer?.();
      cancelTimer = null;
      await poll();
    },
    status: () => status,
    finalized: () => finalized,
    depositHashAt: (count) => (finalized === null ? null : chain.hashAt(count)),
    dataLeafFrom: (nonce) => (finalized === null ? null : chain.dataLeafFrom(nonce)),
    depositedWeiAt: (count) => (finalized === null ? null : chain.weiAt(count)),
    heldForMs: (count) => {
      const step = coveredSince.find((covered) => covered.count >= count);
      return step === undefined ? null : clock.nowMs() - step.atMs;
    },
    latestAccepted: () => (finalized === null ? null : (accepted.at(-1) ?? null)),
    acceptedAbove: (height) =>
      finalized === null ? [] : accepted.filter((checkpoint) => checkpoint.height > height),
    readDeposits: async (first, count) => {
      const last = first + count - 1n;
      const fromBlock = chain.blockOf(first);
      const toBlock = chain.blockOf(last);
      if (count <= 0n || fromBlock === null || toBlock === null)
        throw new L1WatcherError(
          'NOT_COVERED',
          `expected deposits ${first} to ${last} in the finalised view, which has ${chain.verifiedCount}: wait for finality`,
        );
      const read: ReadDeposit[] = [];
      const endpoint = endpoints[reader % endpoints.length]!;
      const ranges = readLogRanges(
        { fromBlock, toBlock, maxBlocks },
        async (from, to) => (await readPegLogs(endpoint, addresses, from, to)).deposits,
      );
      for await (const { logs } of ranges)
        for (const { leaf, data } of logs)
          if (leaf.nonce >= first && leaf.nonce <= last) read.push({ leaf, data });
      const folded = read.reduce(
        (hash, { leaf }) => foldDeposit(hash, leafHash(leafContext, leaf)),
        chain.hashAt(first)!,
      );
      if (folded !== chain.hashAt(last + 1n) || !read.every(isWhole)) {
        reader++;
        throw new L1WatcherError(
          'LOGS_MISMATCH',
          `deposits ${first} to ${last} read from ${endpointName(endpoint.url)} do not fold to the verified chain: an endpoint hides or invents logs`,
        );
      }
      return read;
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
};
