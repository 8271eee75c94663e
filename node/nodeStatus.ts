/**
 * What a node says of itself: consensus, sync, the L1 and the pool in one answer, with one sentence on top.
 *
 * Owns the shape that `causeway_status` shows and the sentence of a node that takes no part in consensus. Does not own
 * why consensus waits (consensus/statusReport.ts). Invariants: cheap, bounded by the set and the allow-list, never
 * throws, and answers while halted, observing or syncing.
 */
import type { L1Status } from '#bridge/l1/view.ts';
import type { Address } from '#consensus/primitives.ts';
import { isMember } from '#consensus/validatorSet.ts';
import type { Genesis } from '#genesis/spec.ts';
import type { Chain } from '#node/chain.ts';
import type {
  HostStatus,
  Margin,
  NameOf,
  Progress,
  RoundVotesStatus,
  Signing,
  ValidatorStatus,
} from '#node/consensus/statusTypes.ts';
import { formatDuration } from '#node/consensus/statusWords.ts';
import type { Network, Peer } from '#node/network/network.ts';
import type { SyncStatus } from '#node/sync/sync.ts';

export type NodeStatus = {
  readonly name: string;
  readonly peerId: string;
  readonly role: 'validator' | 'follower';
  /** Why blocks come or do not, first of all. */
  readonly progress: Progress;
  /** Of the newest committed block. */
  readonly height: bigint;
  readonly blockHash: string;
  readonly genesisHash: string;
  /** Since this run of the node saw its newest block committed, null before the first. */
  readonly lastBlockAgoMs: number | null;
  readonly round: number | null;
  readonly step: string | null;
  readonly proposer: Address | null;
  readonly validators: readonly ValidatorStatus[];
  /** Null on a node that takes no part in consensus: it does not hear the validators. */
  readonly margin: Margin | null;
  readonly votes: RoundVotesStatus | null;
  readonly signing: Signing | null;
  readonly peers: readonly Peer[];
  readonly l1: L1Status;
  /** Newest checkpoint that the L1 has accepted at finality. */
  readonly anchoredHeight: bigint;
  readonly sync: SyncStatus;
  readonly pendingTransactions: number;
  /** Null while nothing is amiss. */
  readonly waitingFor: string | null;
  /** Why this validator does not sign, null when it does. */
  readonly observing: string | null;
  readonly haltedReason: string | null;
  /** Where the RPC listens, null without one. */
  readonly rpcPort: number | null;
};

export type NodeStatusDependencies = {
  readonly name: string;
  readonly emptyBlockIntervalMs: number;
  readonly genesis: Genesis;
  readonly chain: Pick<Chain, 'head' | 'onCommitted'>;
  readonly network: Pick<Network, 'localPeerId' | 'peers'>;
  readonly l1: () => L1Status;
  readonly sync: () => SyncStatus;
  readonly pendingTransactions: () => number;
  readonly anchoredHeight: () => bigint;
  /** Null: no validator. */
  readonly host: { status(nameOf: NameOf): HostStatus } | null;
  /** The consensus key; one that is not in the set follows until it is. */
  readonly self?: Address | null;
  readonly fault: () => { readonly code: string; readonly message: string } | null;
  readonly rpcPort: () => number | null;
  readonly nowMs: () => number;
};

/** Blocks of a chain that is alive come at least this long after the empty-block interval. */
const LATE_BLOCK_MS = 15_000;

/** @returns what answers; it listens to the chain for as long as the node lives */
export const createNodeStatus = (deps: NodeStatusDependencies): (() => NodeStatus) => {
  const { chain, genesis, host, network, nowMs } = deps;
  const names = new Map(genesis.spec.validators.map(({ address, name }) => [address, name]));
  const startedMs = nowMs();
  let lastBlockMs: number | null = null;
  chain.onCommitted(() => {
    lastBlockMs = nowMs();
  });

  /** A validator that joined later has no name in the specification. */
  const nameOf: NameOf = (address) =>
    names.get(address) ??
    network.peers().find(({ validator }) => validator === address)?.name ??
    `${address.slice(0, 8)}…${address.slice(-4)}`;

  return () => {
    const { block, nextValidators } = chain.head();
    const isMemberNow = deps.self == null || isMember(nextValidators, deps.self);
    const fault = deps.fault();
    const consensus = askHost(host, nameOf);
    const quietMs = Math.max(0, Math.round(nowMs() - (lastBlockMs ?? startedMs)));
    const progress =
      fault !== null
        ? explainFault(fault, quietMs)
        : isMemberNow
          ? progressOf(consensus, quietMs)
          : followerProgress(quietMs);
    return {
      name: deps.name,
      peerId: network.localPeerId,
      role: host === null || !isMemberNow ? 'follower' : 'validator',
      progress: withWholeMs(progress),
      height: block.height,
      blockHash: block.hash,
      genesisHash: genesis.genesisHash,
      lastBlockAgoMs: lastBlockMs === null ? null : quietMs,
      round: consensus?.round ?? null,
      step: consensus?.step ?? null,
      proposer: consensus?.proposer ?? null,
      validators: consensus?.validators ?? [],
      margin: consensus?.margin ?? null,
      votes: consensus?.votes ?? null,
      signing: consensus?.signing ?? null,
      peers: network.peers(),
      l1: deps.l1(),
      anchoredHeight: deps.anchoredHeight(),
      sync: deps.sync(),
      pendingTransactions: deps.pendingTransactions(),
      waitingFor: progress.state === 'committing' ? null : progress.sentence,
      observing: isMemberNow ? (consensus?.observing ?? null) : notInSet(deps.self, block.height),
      haltedReason: fault?.message ?? null,
      rpcPort: deps.rpcPort(),
    };
  };

  function progressOf(consensus: HostStatus | null, quietMs: number): Progress {
    if (consensus !== null) return consensus.progress;
    if (host !== null)
      return {
        state: 'stalled',
        code: 'STARTING',
        sentence: 'Consensus has not begun: the node is starting',
        remedy: null,
        sinceMs: quietMs,
      };
    return followerProgress(quietMs);
  }

  function followerProgress(quietMs: number): Progress {
    return explainFollower({
      sync: deps.sync(),
      peers: network.peers().length,
      quietMs,
      lateMs: deps.emptyBlockIntervalMs + LATE_BLOCK_MS,
    });
  }
};

const notInSet = (self: Address | null | undefined, height: bigint): string =>
  `${self} is not in the validator set after height ${height}: it follows, and votes without a restart once governance has approved it and it is ready (causeway validators ready)`;

/** Null without consensus, and for the moment before its first height. */
const askHost = (host: NodeStatusDependencies['host'], nameOf: NameOf): HostStatus | null => {
  try {
    return host?.status(nameOf) ?? null;
  } catch {
    return null;
  }
};

const withWholeMs = (progress: Progress): Progress => ({
  ...progress,
  sinceMs: Math.max(0, Math.round(progress.sinceMs)),
});

const explainFault = ({ code, message }: { code: string; message: string }, quietMs: number): Progress => ({
  state: 'halted',
  code: 'HALTED',
  sentence: `This node halted (${code}): ${message}`,
  remedy: 'Its log has the whole story. Do not restart it before the cause is understood.',
  sinceMs: quietMs,
});

export type FollowerFacts = {
  readonly sync: SyncStatus;
  readonly peers: number;
  /** Since the newest block. */
  readonly quietMs: number;
  /** A block is late after this. */
  readonly lateMs: number;
};

/** A node without a consensus key sees blocks, not votes: it can tell that none comes, not whose fault it is. */
export const explainFollower = ({ sync, peers, quietMs, lateMs }: FollowerFacts): Progress => {
  const { head, target } = sync;
  const isLate = quietMs > lateMs;
  const since = formatDuration(quietMs);
  if (peers === 0)
    return {
      state: 'stalled',
      code: 'NO_PEERS',
      sentence: `Connected to nobody, so no block comes; the newest is ${head}, ${since} ago`,
      remedy: 'Check this node’s network, its listen address and the addresses in p2p.peers.',
      sinceMs: quietMs,
    };
  if (target > head + 1n)
    return {
      state: isLate ? 'stalled' : 'behind',
      code: 'SYNCING',
      sentence: `This node is ${target - head} heights behind its peers, which are at height ${target}, and fetches the blocks from them`,
      remedy: isLate ? 'Its height does not grow: look in its log for refused blocks.' : null,
      sinceMs: quietMs,
    };
  if (isLate)
    return {
      state: 'stalled',
      code: 'NO_BLOCKS',
      sentence: `No block for ${since}, and no peer has a newer one than ${head}`,
      remedy: 'Ask a validator’s causeway status for the reason: this node hears no votes.',
      sinceMs: quietMs,
    };
  return {
    state: 'committing',
    code: 'FOLLOWING',
    sentence: `Follows the chain by block sync, at height ${head}`,
    remedy: null,
    sinceMs: quietMs,
  };
};
