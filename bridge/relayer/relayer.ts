/**
 * The relayer: a leaderless service beside a full node of its own.
 *
 * Owns the wiring and life of its parts; each part is a file. Does not own the node, the L1 view or keys: all are
 * handed in. Every part looks at the chains afresh, so that a crash at any moment is followed by one effect.
 *
 *   own L1 view ─┐                       ┌─ importSubmitter ──→ own mempool ──→ importedCount moved
 *                ├→ attesters → journal → pool ⇄ exchange (HTTP)
 *   own chain ───┘                       └─ checkpointSubmitter → L1 ─────────→ accepted at finality
 */
import { join } from 'node:path';
import type { PublicClient } from 'viem';
import { type L1Addresses, PEG_GATEWAY } from '#bridge/addresses.ts';
import { checkRelayerSet, type RelayerSet } from '#bridge/encoding/relayerSet.ts';
import type { Clock, Logger } from '#bridge/l1/ports.ts';
import type { L1Watcher } from '#bridge/l1/watcher.ts';
import { createAnchorAttester } from '#bridge/relayer/anchorAttester.ts';
import {
  type AttestationDomains,
  type AttestationPool,
  anchorDigest,
  createAttestationPool,
  depositDigest,
} from '#bridge/relayer/attestations.ts';
import { createCheckpointSubmitter } from '#bridge/relayer/checkpointSubmitter.ts';
import { createDepositAttester } from '#bridge/relayer/depositAttester.ts';
import { createExchangeClient, createExchangeServer, type ExchangePeer } from '#bridge/relayer/exchange.ts';
import { createHalt } from '#bridge/relayer/halt.ts';
import { createImportSubmitter } from '#bridge/relayer/importSubmitter.ts';
import { openJournal } from '#bridge/relayer/journal.ts';
import { createL1Sender } from '#bridge/relayer/l1Sender.ts';
import type { OwnChain } from '#bridge/relayer/ports.ts';
import { createRelayerLog, type RelayerEntry } from '#bridge/relayer/records.ts';
import { createSignerAccount } from '#bridge/relayer/signerAccount.ts';
import { type RelayerStatus, relayerStatus } from '#bridge/relayer/status.ts';
import { createTask, type Task } from '#bridge/relayer/task.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { Signer } from '#consensus/signer.ts';

export type RelayerTiming = {
  /** The look that needs no event. */
  readonly intervalMs: number;
  /** How often peers are asked while signatures are missing, and otherwise. */
  readonly pullMs: number;
  readonly idlePullMs: number;
  /** One turn of submitting, on either chain. */
  readonly importTurnMs: number;
  readonly checkpointTurnMs: number;
  /** How long the first burn waits for others to share its checkpoint. */
  readonly batchMs: number;
  readonly resubmitMs: number;
  /** An unmined L1 transaction is repriced after this long. */
  readonly bumpAfterMs: number;
  readonly peerTimeoutMs: number;
};

export const DEFAULT_RELAYER_TIMING: RelayerTiming = {
  intervalMs: 2_000,
  pullMs: 250,
  idlePullMs: 2_000,
  importTurnMs: 4_000,
  checkpointTurnMs: 6_000,
  batchMs: 1_000,
  resubmitMs: 3_000,
  bumpAfterMs: 45_000,
  peerTimeoutMs: 2_000,
};

const GWEI = 1_000_000_000n;

export type RelayerOptions = {
  /** Of the sidechain. */
  readonly chainId: bigint;
  readonly l1ChainId: bigint;
  readonly specHash: Hash;
  readonly genesisHash: Hash;
  readonly addresses: L1Addresses;
  readonly epochLength: bigint;
  readonly importGas: bigint;
  readonly backedWei: bigint;
  readonly gatewayPrefundWei: bigint;
  readonly relayers: RelayerSet;
  readonly exchange: { readonly host: string; readonly port: number };
  readonly peers: readonly ExchangePeer[];
  readonly timing?: Partial<RelayerTiming>;
  readonly maxFeePerGasWei?: bigint;
  readonly priorityFeeWei?: bigint;
  readonly lowBalanceWei?: bigint;
};

export type RelayerModules = {
  readonly chain: OwnChain;
  /** Started and stopped by whoever made it. */
  readonly l1: L1Watcher;
  /** Reads and sends on the L1, at its latest block. */
  readonly client: PublicClient;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Holds the journal. */
  readonly folder: string;
};

export type RelayerErrorCode = 'NOT_A_RELAYER' | 'STRANGER_PEER' | 'NOT_STARTED';

export class RelayerError extends Error {
  override readonly name = 'RelayerError';
  readonly code: RelayerErrorCode;
  constructor(code: RelayerErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Relayer {
  /** @throws RelayerError, RelayerSetError, JournalError DAMAGED, or the listen error of a busy port */
  start(): Promise<void>;
  stop(): Promise<void>;
  status(): RelayerStatus;
  /** Where the exchange listens; null before start. */
  exchangePort(): number | null;
}

export const createRelayer = (options: RelayerOptions, modules: RelayerModules): Relayer => {
  const { chain, l1, client, signer, clock, logger } = modules;
  const { relayers, peers } = options;
  checkRelayerSet(relayers);
  if (!relayers.addresses.includes(signer.address))
    throw new RelayerError(
      'NOT_A_RELAYER',
      `expected the key of one of the relayers of the specification, found ${signer.address}: check keys.relayer`,
    );
  for (const { address } of peers)
    if (!relayers.addresses.includes(address))
      throw new RelayerError(
        'STRANGER_PEER',
        `expected relayer.peers to be relayers of the specification, found ${address}: correct the configuration`,
      );

  const timing = { ...DEFAULT_RELAYER_TIMING, ...options.timing };
  const domains: AttestationDomains = {
    gateway: { chainId: options.chainId, verifyingContract: PEG_GATEWAY, salt: options.specHash },
    verifier: {
      chainId: options.l1ChainId,
      verifyingContract: options.addresses.verifier,
      salt: options.genesisHash,
    },
    l1ChainId: options.l1ChainId,
    vault: options.addresses.vault,
  };
  const pools = {
    deposits: createAttestationPool(relayers, depositDigest(domains)),
    anchors: createAttestationPool(relayers, anchorDigest(domains)),
  };
  const halt = createHalt(logger);
  const account = createSignerAccount(signer);
  let running: { stop(): Promise<void>; status(): RelayerStatus; port: number } | null = null;

  const begin = async (): Promise<NonNullable<typeof running>> => {
    const journal = await openJournal<RelayerEntry>(join(modules.folder, 'relayer.journal'));
    const log = createRelayerLog(journal);
    const sender = createL1Sender(
      {
        maxFeePerGasWei: options.maxFeePerGasWei ?? 200n * GWEI,
        priorityFeeWei: options.priorityFeeWei ?? GWEI,
        bumpAfterMs: timing.bumpAfterMs,
      },
      { client, chainId: options.l1ChainId, account, log, clock, logger },
    );
    const checkpoints = createCheckpointSubmitter(
      {
        addresses: options.addresses,
        epochLength: options.epochLength,
        relayers,
        turnMs: timing.checkpointTurnMs,
        batchMs: timing.batchMs,
        bumpAfterMs: timing.bumpAfterMs,
        lowBalanceWei: options.lowBalanceWei ?? 50_000_000n * GWEI,
      },
      { chain, l1, client, account, sender, pool: pools.anchors, halt, clock, logger },
    );
    const deposits = createDepositAttester(
      { domains, importGas: options.importGas, relayers: relayers.addresses.length },
      { chain, l1, pool: pools.deposits, log, signer, halt },
    );
    const anchors = createAnchorAttester(
      { ...options, domains },
      {
        chain,
        l1,
        relayerEpoch: () => checkpoints.verifier()?.relayerEpoch ?? null,
        pool: pools.anchors,
        log,
        signer,
        halt,
      },
    );
    const imports = createImportSubmitter(
      {
        chainId: options.chainId,
        importGas: options.importGas,
        relayers,
        turnMs: timing.importTurnMs,
        resubmitMs: timing.resubmitMs,
      },
      { chain, l1, pool: pools.deposits, log, account, halt, clock, logger },
    );
    const exchange = createExchangeClient(
      peers,
      { pools, depositHashAt: (n) => l1.depositHashAt(n), clock, logger },
      timing.peerTimeoutMs,
    );
    const lacksSignatures = (pool: AttestationPool): boolean =>
      pool.all().some((attested) => !pool.isQuorate(attested));

    const heart = { clock, logger, intervalMs: timing.intervalMs };
    const tasks = {
      deposits: createTask('attesting deposits', () => deposits.run().then(() => null), heart),
      anchors: createTask('attesting checkpoints', () => anchors.run().then(() => null), heart),
      imports: createTask('importing deposits', imports.run, heart),
      checkpoints: createTask('submitting checkpoints', checkpoints.run, heart),
      exchange: createTask(
        'asking relayers',
        async () => {
          if (halt.reason() === null) await exchange.pull();
          return lacksSignatures(pools.deposits) || lacksSignatures(pools.anchors)
            ? timing.pullMs
            : timing.idlePullMs;
        },
        heart,
      ),
    };
    const wake =
      (...woken: Task[]) =>
      () => {
        for (const task of woken) task.wake();
      };
    const status = (): RelayerStatus =>
      relayerStatus({
        address: signer.address,
        relayers,
        halted: halt.reason(),
        waiting: anchors.waitingFor(),
        head: chain.head(),
        l1,
        pools,
        verifier: checkpoints.verifier(),
        log,
        lastAnswerMs: exchange.lastAnswerMs(),
        nowMs: clock.nowMs(),
      });
    const server = createExchangeServer(pools, status);
    let port: number;
    try {
      port = await server.listen(options.exchange.host, options.exchange.port);
    } catch (fault) {
      await server.close();
      await journal.close();
      throw fault;
    }
    const unsubscribe = [
      chain.onCommitted(wake(tasks.deposits, tasks.anchors, tasks.imports)),
      l1.onChange(wake(tasks.deposits, tasks.anchors, tasks.checkpoints)),
      pools.deposits.onChange(wake(tasks.imports, tasks.deposits)),
      pools.anchors.onChange(wake(tasks.checkpoints)),
    ];
    for (const task of Object.values(tasks)) task.start();
    logger.info({ address: signer.address, port }, 'relayer started');
    return {
      port,
      status,
      stop: async () => {
        for (const end of unsubscribe) end();
        await Promise.all(Object.values(tasks).map((task) => task.stop()));
        await server.close();
        await journal.close();
      },
    };
  };

  return {
    start: async () => {
      running ??= await begin();
    },
    stop: async () => {
      const stopped = running;
      running = null;
      await stopped?.stop();
    },
    status: () => {
      if (running === null)
        throw new RelayerError(
          'NOT_STARTED',
          'expected a started relayer, found a stopped one: call start first',
        );
      return running.status();
    },
    exchangePort: () => running?.port ?? null,
  };
};
