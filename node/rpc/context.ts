/**
 * What methods work with: the node's parts, as interfaces, and the server's own registries.
 *
 * Does not own any of them. Reads of the chain never see anything above its published head (node/chain.ts), which is
 * all that "a receipt is visible if and only if its block is" rests on: nothing here caches across heads.
 */
import type { Genesis } from '#genesis/spec.ts';
import type { CallRunner, Chain } from '#node/chain.ts';
import type { KeptEvidence } from '#node/consensus/evidence/evidencePool.ts';
import type { Mempool, PoolView } from '#node/mempool/mempool.ts';
import type { Charge } from '#node/rpc/charging.ts';
import type { FilterRegistry } from '#node/rpc/filters.ts';
import type { Gate } from '#node/rpc/gate.ts';
import type { JsonText } from '#node/rpc/jsonText.ts';
import type { RpcLimits } from '#node/rpc/limits.ts';
import type { Role } from '#node/rpc/roles.ts';
import type { SecurityLog } from '#node/rpc/securityLog.ts';
import type { SubscriptionKind } from '#node/rpc/subscriptions.ts';

export type SyncProgress = {
  readonly startingHeight: bigint;
  readonly currentHeight: bigint;
  readonly highestHeight: bigint;
};

export type RpcContext = {
  readonly chain: Chain;
  readonly calls: CallRunner;
  readonly mempool: Mempool & PoolView;
  readonly genesis: Genesis;
  /** Highest height covered by a checkpoint in a finalised L1 block (RULES 43). */
  readonly finalizedHeight: () => bigint;
  readonly status: () => unknown;
  /** Proven misbehaviour, ascending by height; null when this node is no validator. */
  readonly evidence: () => readonly KeptEvidence[] | null;
  /** Null when the node is not behind its peers. */
  readonly syncing: () => SyncProgress | null;
  readonly network: { peers(): readonly unknown[] };
  readonly filters: FilterRegistry;
  readonly logScans: Gate;
  /** In front of `calls`: a request that timed out still occupies the runner. */
  readonly callGate: Gate;
  readonly limits: RpcLimits;
  readonly clientVersion: string;
  readonly charge: Charge;
  readonly security: SecurityLog;
  readonly modules: () => readonly string[];
  /** The OpenRPC document, written once. */
  readonly discover: () => JsonText;
  readonly nowMs: () => number;
};

/** Who asks: a WebSocket can hold subscriptions, an HTTP request cannot. */
export type Caller = {
  /** Whose bucket and whose turn it is: an address, or the name of a key or token. */
  readonly client: string;
  readonly role: Role;
  readonly subscriptions: {
    /** @returns the subscription's id; notifications start after the answer is sent */
    open(kind: SubscriptionKind): string;
    close(id: string): boolean;
  } | null;
};
