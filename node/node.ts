/**
 * The composition root: one node out of its parts.
 *
 * Owns which part gets which other, the order of start and stop, and what ends the process. Does not own keys (they
 * are handed in), configuration files (config.ts), or what any part does. A node without a consensus key has no
 * consensus host and follows by block sync; one whose key is not in the set follows too, and votes from the height on
 * at which it is.
 *
 * Start: folder lock → chain → pool → network → L1 view → consensus → sync → RPC. Stop is the reverse.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { L1Watcher } from '#bridge/l1/watcher.ts';
import { bytesToHash } from '#consensus/primitives.ts';
import type { Signer } from '#consensus/signer.ts';
import type { Genesis } from '#genesis/spec.ts';
import type { CallRunner, Chain } from '#node/chain.ts';
import type { NodeConfig } from '#node/config.ts';
import { systemClock } from '#node/consensus/clock.ts';
import { openFolderDisk } from '#node/consensus/disk.ts';
import { type FolderLock, lockFolder } from '#node/consensus/folderLock.ts';
import { ConsensusHost } from '#node/consensus/host.ts';
import type { HaltCode } from '#node/consensus/hostPorts.ts';
import { createCallRunner } from '#node/execution/callRunner.ts';
import { type OpenedChain, openChain } from '#node/execution/openChain.ts';
import { createTransactionRules } from '#node/execution/transactionChecks.ts';
import { createNodeL1, stateNeededFrom } from '#node/l1.ts';
import { connectPoolToNetwork, type PoolGossip } from '#node/mempool/gossip.ts';
import type { Mempool } from '#node/mempool/mempool.ts';
import { createPool, type Pool } from '#node/mempool/pool.ts';
import { createLibp2pNetwork, type Libp2pNetwork } from '#node/network/libp2pNetwork.ts';
import { watchMembers } from '#node/network/memberWatch.ts';
import type { Network } from '#node/network/network.ts';
import type { AllowedPeer } from '#node/network/peerTable.ts';
import { createNodeStatus, type NodeStatus } from '#node/nodeStatus.ts';
import { createRpcServer, type RpcServer } from '#node/rpc/server.ts';
import { createSync, type Sync } from '#node/sync/sync.ts';
import { measureOften } from '#node/telemetry/stages.ts';

export type NodeErrorCode = 'NOT_ALLOW_LISTED';

export class NodeError extends Error {
  override readonly name = 'NodeError';
  readonly code: NodeErrorCode;
  constructor(code: NodeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Why a node must not go on. The process should stop the node and end with `FATAL_EXIT_CODE`. */
export type NodeFault = { readonly code: string; readonly message: string };

/** sysexits' EX_SOFTWARE: an operator must look before this node is started again. */
export const FATAL_EXIT_CODE = 70;

export type NodeDependencies = {
  readonly genesis: Genesis;
  /** Null: no validator. */
  readonly consensusSigner: Signer | null;
  /** Ed25519 seed, 32 bytes: the libp2p identity. */
  readonly nodeKeySeed: Uint8Array;
  readonly logger: Logger;
  /** The newest rules that this node executes; by default what this release knows. */
  readonly supportedRules?: bigint;
  /** Called at most once. */
  readonly onFatal?: (fault: NodeFault) => void;
};

export type Node = {
  readonly chain: Chain;
  readonly calls: CallRunner;
  readonly mempool: Mempool;
  readonly network: Network;
  readonly l1View: L1Watcher;
  readonly genesis: Genesis;
  start(): Promise<void>;
  stop(): Promise<void>;
  status(): NodeStatus;
};

type Parts = {
  readonly lock: FolderLock;
  readonly chain: OpenedChain;
  readonly calls: CallRunner;
  readonly pool: Pool;
  readonly network: Libp2pNetwork;
  readonly l1View: L1Watcher;
};

/** What a fault of sync is called by the consensus host; anything else is a fault of execution. */
const SYNC_HALTS: ReadonlyMap<string, HaltCode> = new Map([
  ['DIVERGED', 'DIVERGENCE'],
  ['L1_CONTRADICTION', 'L1_CONTRADICTION'],
  ['UPGRADE_REQUIRED', 'UPGRADE_REQUIRED'],
]);

const allowListOf = ({ spec }: Genesis): readonly AllowedPeer[] => [
  ...spec.validators.map(({ peerId, name, address }) => ({ peerId, name, validator: address })),
  ...spec.relayers.map(({ peerId, name }) => ({ peerId, name, validator: null })),
];

/**
 * A consensus key needs no place in the genesis: the chain lets it in later, and until then the node follows. A PeerId
 * that the genesis gives to somebody else is a mixed-up configuration.
 */
const checkIdentity = (
  { genesis, consensusSigner }: NodeDependencies,
  parts: Parts,
  config: NodeConfig,
): void => {
  const { localPeerId } = parts.network;
  const allowList = allowListOf(genesis);
  const entry = allowList.find(({ peerId }) => peerId === localPeerId);
  if (consensusSigner === null) {
    if (entry !== undefined) return;
    throw new NodeError(
      'NOT_ALLOW_LISTED',
      `expected the node key ${config.keys.node} to have a PeerId of the specification, found ${localPeerId}: use the key that was enrolled`,
    );
  }
  const { address } = consensusSigner;
  if (entry === undefined || entry.validator === address) return;
  if (entry.validator === null || allowList.some(({ validator }) => validator === address))
    throw new NodeError(
      'NOT_ALLOW_LISTED',
      `expected the PeerId ${localPeerId} to belong to ${address}, found it listed for ${entry.validator ?? `${entry.name}, no validator`}: use the node key and the consensus key of one member`,
    );
};

const openParts = async (config: NodeConfig, dependencies: NodeDependencies): Promise<Parts> => {
  const { genesis, consensusSigner, nodeKeySeed, logger, supportedRules } = dependencies;
  const { spec } = genesis;
  const lock = await lockFolder(config.dataDir);
  const opened: { close(): Promise<void> }[] = [];
  try {
    const chain = await openChain({
      dataDir: config.dataDir,
      genesis,
      logger: logger.child({ part: 'execution' }),
      storage: config.storage,
      ...(supportedRules === undefined ? {} : { supportedRules }),
    });
    opened.push(chain);
    const calls = createCallRunner({ dataDir: config.dataDir, genesis });
    opened.push(calls);
    const pool = createPool(
      { rules: createTransactionRules(spec) },
      { chain, onFault: (error) => logger.error({ err: error }, 'mempool fault') },
    );
    opened.push({ close: async () => pool.close() });
    chain.usePublicKeys((hash) => pool.publicKeyOf(hash));
    const members = watchMembers(spec.epochLength, { chain, logger: logger.child({ part: 'network' }) });
    opened.push({ close: async () => members.stop() });
    const network = await createLibp2pNetwork({
      privateKeySeed: nodeKeySeed,
      listen: [config.p2p.listen],
      peers: config.p2p.peers,
      allowList: allowListOf(genesis),
      members: members.members,
      domain: { chainId: spec.chainId, genesisHash: genesis.genesisHash },
      signer: consensusSigner,
      logger: logger.child({ part: 'network' }),
    });
    const l1View = createNodeL1({
      genesis,
      urls: config.l1.urls,
      pollMs: config.l1.pollMs,
      dataDir: config.dataDir,
      logger: logger.child({ part: 'l1' }),
      isAtGenesis: () => chain.head().block.height === 0n,
    });
    const parts = { lock, chain, calls, pool, network, l1View };
    checkIdentity(dependencies, parts, config);
    return parts;
  } catch (error) {
    for (const part of opened.reverse()) await part.close().catch(() => undefined);
    await lock.release();
    throw error;
  }
};

/**
 * Opens the data folder and wires the parts; nothing runs before `start`.
 * @throws NodeError, FolderLockError, ChainError, NetworkError
 */
export const createNode = async (config: NodeConfig, dependencies: NodeDependencies): Promise<Node> => {
  const { genesis, consensusSigner, logger } = dependencies;
  const { spec, genesisHash } = genesis;
  const parts = await openParts(config, dependencies);
  const { lock, chain, calls, pool, network, l1View } = parts;
  let fault: NodeFault | null = null;
  let gossip: PoolGossip | null = null;
  let rpcPort: number | null = null;
  let isSyncing = false;
  let stopping: Promise<void> | null = null;
  const unsubscribe: (() => void)[] = [];

  const onFatal = (found: NodeFault): void => {
    if (fault !== null) return;
    fault = found;
    logger.fatal({ code: found.code, height: chain.head().block.height }, found.message);
    dependencies.onFatal?.(found);
  };

  const sync: Sync = createSync({
    network,
    chain,
    domain: { chainId: spec.chainId, genesisHash },
    isValidator: consensusSigner !== null,
    acceptedAbove: (height) => l1View.acceptedAbove(height),
    logger: logger.child({ part: 'sync' }),
    onFatal: (found) => {
      host?.halt(SYNC_HALTS.get(found.code) ?? 'EXECUTION_FAULT', found.message);
      onFatal(found);
    },
  });

  const host = consensusSigner === null ? null : await createHost(config, dependencies, parts, sync, onFatal);
  const rpc = config.rpc === null ? null : createRpc(config.rpc);

  function createRpc(access: NonNullable<NodeConfig['rpc']>): RpcServer {
    return createRpcServer({
      host: access.host,
      port: access.port,
      access,
      chain,
      calls,
      mempool: pool,
      genesis,
      finalizedHeight: anchoredHeight,
      status: () => status(),
      evidence: () => host?.evidence() ?? null,
      network,
      logger: logger.child({ part: 'rpc' }),
      ready: () => fault === null && l1View.status().state === 'ready',
      syncing: () => {
        const { head, target } = sync.status();
        // One block is the usual distance between hearing of a commit and making it.
        return target <= head + 1n
          ? null
          : { startingHeight: head, currentHeight: head, highestHeight: target };
      },
    });
  }

  /** Never above the own head: an anchored height that is not here yet is not final here either. */
  function anchoredHeight(): bigint {
    const accepted = l1View.latestAccepted()?.height ?? 0n;
    const { height } = chain.head().block;
    return accepted < height ? accepted : height;
  }

  /** RULES 33: height 1 is committed by nobody, by sync neither, before the L1 contracts are verified. */
  const startSyncWhenAllowed = (): void => {
    if (isSyncing || stopping !== null) return;
    if (chain.head().block.height === 0n && l1View.status().state !== 'ready') return;
    isSyncing = true;
    sync.start();
  };

  /** RULES 25 for a node without consensus; a validator's host checks by itself. */
  const checkAccepted = async (): Promise<void> => {
    const accepted = l1View.latestAccepted();
    if (host !== null || accepted === null) return;
    const block = await chain.blockAt(accepted.height);
    if (block !== null && block.valueId !== accepted.valueId)
      onFatal({
        code: 'L1_CONTRADICTION',
        message: `expected the checkpoint that the L1 accepted for height ${accepted.height} to be ours (${block.valueId}), found ${accepted.valueId}: this node or the majority is on a fork; compare block hashes with the other operators before a restart`,
      });
  };
  const checkAcceptedQuietly = (): void => {
    checkAccepted().catch((error: unknown) =>
      logger.error({ err: error }, 'anchored checkpoint not compared'),
    );
  };

  const keepAcceptedState = (): void => {
    const height = stateNeededFrom(l1View);
    if (height !== null) chain.keepStateFrom(height);
  };

  const status = createNodeStatus({
    name: config.name,
    emptyBlockIntervalMs: config.consensus.emptyBlockIntervalMs,
    genesis,
    chain,
    network,
    l1: () => l1View.status(),
    sync: () => sync.status(),
    pendingTransactions: () => pool.size(),
    anchoredHeight,
    host,
    self: consensusSigner?.address ?? null,
    fault: () => fault,
    rpcPort: () => rpcPort,
    nowMs: () => performance.now(),
  });

  const start = async (): Promise<void> => {
    gossip = connectPoolToNetwork(pool, {
      publishTransactions: (raws) => measureOften('gossip', () => network.publishTransactions(raws)),
      sendTransactions: (peerId, raws) => network.sendTransactions(peerId, raws),
      onTransactions: (take) => network.onTransactions(take),
      onPeerConnected: (listener) => network.onPeerConnected(listener),
      onTransactionsLost: (listener) => network.onTransactionsLost(listener),
    });
    unsubscribe.push(
      l1View.onChange(() => {
        startSyncWhenAllowed();
        keepAcceptedState();
        checkAcceptedQuietly();
      }),
      chain.onCommitted(checkAcceptedQuietly),
    );
    await host?.start();
    await network.start();
    await l1View.start();
    startSyncWhenAllowed();
    if (rpc !== null) rpcPort = (await rpc.start()).port;
    logger.info(
      {
        role: status().role,
        validator: consensusSigner?.address,
        chainId: spec.chainId,
        genesisHash,
        height: chain.head().block.height,
        peerId: network.localPeerId,
        rpcPort,
      },
      'node started',
    );
  };

  /** Every part gets its chance to stop, whatever the others do. */
  const stopAll = async (): Promise<void> => {
    const steps: (readonly [part: string, stop: () => Promise<void> | void])[] = [
      ['rpc', () => rpc?.stop()],
      ['sync', () => sync.stop()],
      ['consensus', () => host?.stop()],
      ['l1', () => l1View.stop()],
      ['gossip', () => gossip?.stop()],
      ['network', () => network.stop()],
      ['mempool', () => pool.close()],
      ['calls', () => calls.close()],
      ['chain', () => chain.close()],
      ['lock', () => lock.release()],
    ];
    for (const leave of unsubscribe) leave();
    for (const [part, stop] of steps) {
      try {
        await stop();
      } catch (error) {
        logger.error({ part, err: error }, 'part did not stop cleanly');
      }
    }
    logger.info({ height: chain.head().block.height }, 'node stopped');
  };

  return {
    chain,
    calls,
    mempool: pool,
    network,
    l1View,
    genesis,
    start,
    stop: () => {
      stopping ??= stopAll();
      return stopping;
    },
    status,
  };
};

const createHost = async (
  config: NodeConfig,
  { genesis, consensusSigner, logger }: NodeDependencies,
  { chain, pool, network, l1View }: Parts,
  sync: Sync,
  onFatal: (fault: NodeFault) => void,
): Promise<ConsensusHost> => {
  const signer = consensusSigner!;
  return new ConsensusHost(
    {
      domain: { chainId: genesis.spec.chainId, genesisHash: genesis.genesisHash },
      feeRecipient: config.consensus.feeRecipient ?? signer.address,
      blockIntervalMs: config.consensus.blockIntervalMs,
      emptyBlockIntervalMs: config.consensus.emptyBlockIntervalMs,
      importLagMs: config.consensus.importLagMs,
      timeouts: config.consensus.timeouts,
      blockGasLimit: genesis.spec.blockGasLimit,
      session: bytesToHash(randomBytes(32)),
    },
    {
      chain,
      mempool: pool,
      network,
      l1View,
      signer,
      disk: await openFolderDisk(join(config.dataDir, 'consensus')),
      clock: systemClock,
      logger: logger.child({ part: 'consensus' }),
      signingLease: sync.signingLease,
    },
    {
      onHalted: onFatal,
      onBehind: (peerId, height) => sync.hint(peerId, height),
      // The host keeps it, sends it on and says so in the log.
      onEvidence: () => undefined,
    },
  );
};
