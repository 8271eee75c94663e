/**
 * What the consensus host is given: options that do not change, and ports to everything with effects.
 *
 * Every port has a real part behind it in a node and a simulated one in tests; the host itself reads no clock, opens
 * no file and holds no key.
 */
import type { Logger } from 'pino';
import type { L1View } from '#bridge/l1/view.ts';
import type { Evidence } from '#consensus/engine.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import type { Signer } from '#consensus/signer.ts';
import type { TimeoutOptions } from '#consensus/timeouts.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import type { Chain } from '#node/chain.ts';
import type { Clock } from '#node/consensus/clock.ts';
import type { Disk } from '#node/consensus/disk.ts';
import type { Mempool } from '#node/mempool/mempool.ts';
import type { Network } from '#node/network/network.ts';

export type HostLogger = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

export type HostOptions = {
  readonly domain: ConsensusDomain;
  readonly feeRecipient: Address;
  readonly blockIntervalMs: number;
  readonly emptyBlockIntervalMs: number;
  /** How long our own finalised view must have held a deposit before we propose its import (RULES 10). */
  readonly importLagMs: number;
  readonly timeouts: TimeoutOptions;
  readonly blockGasLimit: bigint;
  /** Random, for this run of this process: peers tell a second process with our key by it. Absent: no fence. */
  readonly session?: Hash;
};

export type HostDependencies = {
  readonly chain: Chain;
  readonly mempool: Mempool;
  readonly network: Network;
  /** Null: no L1 is watched; imports are then neither proposed nor prevoted. */
  readonly l1View: L1View | null;
  readonly signer: Signer;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: HostLogger;
  /** Without one nothing delays a signature. */
  readonly signingLease?: SigningLease;
};

/** Held by block sync while what is final elsewhere is not here yet; bounded in time (node/sync/lease.ts). */
export type SigningLease = {
  /** Why signatures wait, null when they need not. */
  reason(): string | null;
  /** Resolves when the lease is over, at once when there is none. */
  ended(): Promise<void>;
};

export type HaltCode =
  | 'DIVERGENCE'
  | 'L1_CONTRADICTION'
  | 'EXECUTION_FAULT'
  /** The next height has rules that this release does not know (scenario 38). */
  | 'UPGRADE_REQUIRED'
  | 'HOST_FAULT'
  /** Another process signs with this key (fence.ts). */
  | 'KEY_IN_USE';
export type Halt = { readonly code: HaltCode; readonly message: string };

export type HostListeners = {
  /** For good: this node must not go on; the process should end with a non-zero code. */
  readonly onHalted: (halt: Halt) => void;
  /** A peer works at this height, above ours: a hint for sync, proven by nothing. */
  readonly onBehind: (peerId: string, height: bigint) => void;
  readonly onEvidence: (evidence: Evidence) => void;
};
