/** What a relayer says of itself, for people and programs: what waits, who has signed it, who is missing. */
import type { RelayerSet } from '#bridge/encoding/relayerSet.ts';
import type { L1Watcher } from '#bridge/l1/watcher.ts';
import type { AttestationPool, Attested } from '#bridge/relayer/attestations.ts';
import type { VerifierState } from '#bridge/relayer/checkpointSubmitter.ts';
import type { OwnBlock } from '#bridge/relayer/ports.ts';
import type { RelayerLog } from '#bridge/relayer/records.ts';
import type { Address, Hash } from '#consensus/primitives.ts';

export type AttestedStatus = {
  /** Deposit count or height, decimal. */
  readonly key: string;
  readonly value: Hash;
  readonly signedBy: readonly Address[];
  readonly missing: readonly Address[];
  readonly quorate: boolean;
};

/** Numbers of the chains are decimal strings, so that it is JSON as it stands. */
export type RelayerStatus = {
  readonly address: Address;
  readonly state: 'halted' | 'waiting' | 'running';
  readonly reason: string | null;
  readonly threshold: number;
  readonly relayers: number;
  readonly sidechain: { readonly height: string; readonly imported: string; readonly outboxCount: string };
  readonly l1: {
    readonly state: string;
    readonly reason: string | null;
    readonly finalized: string | null;
    readonly deposits: string | null;
    readonly anchoredFinal: string | null;
    readonly anchoredLatest: string | null;
    readonly balanceWei: string | null;
  };
  readonly pendingDeposits: string;
  readonly deposits: readonly AttestedStatus[];
  readonly checkpoints: readonly AttestedStatus[];
  readonly unsettledL1Transactions: readonly {
    readonly nonce: number;
    readonly height: string | null;
    readonly hash: Hash;
  }[];
  readonly peers: readonly { readonly address: Address; readonly silentMs: number | null }[];
};

export const relayerStatus = (view: {
  readonly address: Address;
  readonly relayers: RelayerSet;
  readonly halted: string | null;
  readonly waiting: string | null;
  readonly head: OwnBlock;
  readonly l1: L1Watcher;
  readonly pools: { readonly deposits: AttestationPool; readonly anchors: AttestationPool };
  readonly verifier: VerifierState | null;
  readonly log: RelayerLog;
  readonly lastAnswerMs: ReadonlyMap<Address, number | null>;
  readonly nowMs: number;
}): RelayerStatus => {
  const { l1, pools, verifier, head } = view;
  const l1Status = l1.status();
  const l1Reason = 'reason' in l1Status ? l1Status.reason : null;
  const waiting = l1Reason ?? view.waiting;
  const isHalted = view.halted !== null || l1Status.state === 'halted';
  const finalized = l1.finalized();
  const { importedCount, outboxCount } = head.checkpoint;
  const pending = (finalized?.depositCount ?? 0n) - importedCount;
  const attestedStatus =
    (pool: AttestationPool) =>
    (attested: Attested): AttestedStatus => ({
      key: String(attested.key),
      value: attested.value,
      signedBy: [...attested.signatures.keys()],
      missing: pool.missing(attested),
      quorate: pool.isQuorate(attested),
    });
  return {
    address: view.address,
    state: isHalted ? 'halted' : waiting !== null ? 'waiting' : 'running',
    reason: view.halted ?? waiting,
    threshold: view.relayers.threshold,
    relayers: view.relayers.addresses.length,
    sidechain: {
      height: String(head.height),
      imported: String(importedCount),
      outboxCount: String(outboxCount),
    },
    l1: {
      state: l1Status.state,
      reason: l1Reason,
      finalized: decimal(finalized?.blockNumber),
      deposits: decimal(finalized?.depositCount),
      anchoredFinal: decimal(l1.latestAccepted()?.height),
      anchoredLatest: decimal(verifier?.latestHeight),
      balanceWei: decimal(verifier?.balanceWei),
    },
    pendingDeposits: String(pending > 0n ? pending : 0n),
    deposits: pools.deposits.all().map(attestedStatus(pools.deposits)),
    checkpoints: pools.anchors.all().map(attestedStatus(pools.anchors)),
    unsettledL1Transactions: [...view.log.memory.l1].map(([nonce, attempts]) => ({
      nonce,
      height: decimal(attempts.at(-1)?.height ?? undefined),
      hash: attempts.at(-1)!.hash,
    })),
    peers: [...view.lastAnswerMs].map(([address, atMs]) => ({
      address,
      silentMs: atMs === null ? null : view.nowMs - atMs,
    })),
  };
};

const decimal = (value: bigint | undefined): string | null => (value === undefined ? null : String(value));
