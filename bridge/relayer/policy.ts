/**
 * May this checkpoint be signed? The second lock's own judgement (RULES 25).
 *
 * Owns the verdict, from what the own node executed and the own L1 view folded; nothing a peer said enters here.
 * `wait` means not yet (the L1 view is behind); `refuse` means never: the caller halts. Does not own signing.
 */
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { readGatewayState } from '#bridge/encoding/gatewaySlots.ts';
import type { L1Watcher } from '#bridge/l1/watcher.ts';
import type { OwnBlock, OwnChain } from '#bridge/relayer/ports.ts';
import { checkpointToValueId } from '#consensus/digests.ts';
import type { Hash } from '#consensus/primitives.ts';

export type Verdict =
  | { readonly kind: 'sign' }
  | { readonly kind: 'wait'; readonly reason: string }
  | { readonly kind: 'refuse'; readonly reason: string };

export type PolicyView = Pick<L1Watcher, 'status' | 'depositHashAt' | 'depositedWeiAt'>;

export type PolicyOptions = {
  readonly chain: Pick<OwnChain, 'storageAt' | 'account'>;
  readonly l1: PolicyView;
  /** Sum of the backed genesis balances, wei. */
  readonly backedWei: bigint;
  /** The gateway's balance in block 0, wei. */
  readonly gatewayPrefundWei: bigint;
};

const refuse = (reason: string): Verdict => ({ kind: 'refuse', reason });

export const judgeCheckpoint = async (
  { chain, l1, backedWei, gatewayPrefundWei }: PolicyOptions,
  block: OwnBlock,
): Promise<Verdict> => {
  const { height, checkpoint } = block;
  if (
    checkpoint.height !== height ||
    checkpoint.blockHash !== block.hash ||
    checkpoint.stateRoot !== block.stateRoot ||
    checkpointToValueId(checkpoint) !== block.valueId
  )
    return refuse(`the checkpoint of height ${height} does not describe the block executed here`);
  if (l1.status().state !== 'ready') return { kind: 'wait', reason: 'the own L1 view is not ready' };

  const [gateway, account] = await Promise.all([
    readGatewayState((slot) => chain.storageAt(PEG_GATEWAY, slot, height)),
    chain.account(PEG_GATEWAY, height),
  ]);
  if (
    gateway.importedCount !== checkpoint.importedCount ||
    gateway.importedHash !== checkpoint.importedHash ||
    gateway.outboxCount !== checkpoint.outboxCount ||
    gateway.outboxRoot !== checkpoint.outboxRoot
  )
    return refuse(`the checkpoint of height ${height} differs from the gateway's state after that height`);

  const folded: Hash | null = l1.depositHashAt(checkpoint.importedCount);
  const depositedWei = l1.depositedWeiAt(checkpoint.importedCount);
  if (folded === null || depositedWei === null)
    return {
      kind: 'wait',
      reason: `height ${height} imported ${checkpoint.importedCount} deposits, more than the own finalised L1 view has`,
    };
  if (folded !== checkpoint.importedHash)
    return refuse(
      `height ${height} imported deposits that are not on the L1: after ${checkpoint.importedCount} of them the own L1 view folds to ${folded}, the checkpoint says ${checkpoint.importedHash}`,
    );

  if (gateway.mintedWei !== backedWei + depositedWei)
    return refuse(
      `height ${height} minted ${gateway.mintedWei} wei, expected ${backedWei + depositedWei}: the backed sum and the deposits imported`,
    );
  if (gateway.burnedWei > gateway.mintedWei)
    return refuse(
      `height ${height} burned ${gateway.burnedWei} wei, more than the ${gateway.mintedWei} minted`,
    );
  // Execution conserves the native coin, so what is outside the gateway is what has left it. Forced sends and parked
  // credits only make its balance larger.
  const leastWei = gatewayPrefundWei + backedWei - gateway.mintedWei + gateway.burnedWei;
  const balanceWei = account?.balance ?? 0n;
  if (balanceWei < leastWei)
    return refuse(
      `the native balance outside the gateway rose without an import: at height ${height} the gateway holds ${balanceWei} wei, expected at least ${leastWei}`,
    );
  return { kind: 'sign' };
};

/**
 * Heights that relayers sign: outboxCount grew, an epoch ends, or a half day begins (anchored at least daily,
 * RULES 29, 40). A function of the chain alone, so that every relayer picks the same.
 */
export const isAnchorHeight = (block: OwnBlock, parent: OwnBlock, epochLength: bigint): boolean =>
  block.checkpoint.outboxCount > parent.checkpoint.outboxCount ||
  block.height % epochLength === 0n ||
  block.timestamp / HALF_DAY_S > parent.timestamp / HALF_DAY_S;

const HALF_DAY_S = 43_200n;
