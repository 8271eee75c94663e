/**
 * Signs checkpoints: walks the own chain height by height and attests those that relayers anchor.
 *
 * Owns the order and the record. Invariants (RULES 25): every signed checkpoint passed the policy on the own
 * executed block; the own chain holds what this key signed and what the L1 accepted, or the relayer halts; one
 * valueId per height, durable before the signature leaves; nothing at or below the anchored height is signed.
 */

import type { AcceptedCheckpoint } from '#bridge/l1/view.ts';
import type { L1Watcher } from '#bridge/l1/watcher.ts';
import type { AttestationDomains, AttestationPool } from '#bridge/relayer/attestations.ts';
import type { Halt } from '#bridge/relayer/halt.ts';
import { isAnchorHeight, judgeCheckpoint, type PolicyOptions } from '#bridge/relayer/policy.ts';
import type { OwnBlock, OwnChain } from '#bridge/relayer/ports.ts';
import type { RelayerLog } from '#bridge/relayer/records.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { Signer } from '#consensus/signer.ts';

export type AnchorAttesterModules = {
  readonly chain: OwnChain;
  readonly l1: Pick<
    L1Watcher,
    'status' | 'depositHashAt' | 'depositedWeiAt' | 'latestAccepted' | 'acceptedAbove'
  >;
  /** The verifier's relayerEpoch; null while unknown. */
  readonly relayerEpoch: () => bigint | null;
  readonly pool: AttestationPool;
  readonly log: RelayerLog;
  readonly signer: Signer;
  readonly halt: Halt;
};

export type AnchorAttesterOptions = {
  readonly domains: AttestationDomains;
  readonly epochLength: bigint;
  readonly backedWei: bigint;
  readonly gatewayPrefundWei: bigint;
};

export interface AnchorAttester {
  run(): Promise<void>;
  /** Why the newest height waits, or null. */
  waitingFor(): string | null;
}

/** Heights in one run, so that a long catch-up lets other parts of the relayer speak. */
const HEIGHTS_PER_RUN = 2_000;

export const createAnchorAttester = (
  options: AnchorAttesterOptions,
  { chain, l1, relayerEpoch, pool, log, signer, halt }: AnchorAttesterModules,
): AnchorAttester => {
  const policy: PolicyOptions = { chain, l1, ...options };
  let walkedThrough: bigint | null = null;
  let walkedInEpoch: bigint | null = null;
  let checkedThrough = 0n;
  let waiting: string | null = null;

  /** False when our chain holds another block there, after halting; also while it has not got there yet. */
  const isOwnBlock = async (height: bigint, valueId: Hash, what: string): Promise<boolean> => {
    const own = height > chain.head().height ? null : await chain.blockAt(height);
    if (own === null) return false;
    if (own.valueId === valueId) return true;
    halt.halt(`${what} at height ${height} is ${valueId}, the block executed here is ${own.valueId}`);
    return false;
  };

  /** True when all that the L1 accepted, as far as the own chain reaches, is ours; the finalised tip is recorded. */
  const checkAccepted = async (): Promise<boolean> => {
    for (const accepted of l1.acceptedAbove(checkedThrough)) {
      if (accepted.height > chain.head().height) break;
      if (!(await isOwnBlock(accepted.height, accepted.valueId, 'the checkpoint accepted on the L1')))
        return false;
      checkedThrough = accepted.height;
      await noteAnchored(accepted);
    }
    return true;
  };

  const noteAnchored = async ({ height, valueId }: AcceptedCheckpoint): Promise<void> => {
    pool.forgetThrough(height);
    if (height > (log.memory.anchored?.height ?? 0n))
      await log.record({ t: 'anchored', height: String(height), valueId });
  };

  /** What a restart knows: the own chain must hold it all before anything new is signed. */
  const resume = async (): Promise<bigint | null> => {
    const floor = log.memory.anchored;
    if (floor !== null && !(await isOwnBlock(floor.height, floor.valueId, 'the anchored checkpoint')))
      return null;
    for (const [height, { valueId, relayerEpoch: epoch, signature }] of log.memory.anchors) {
      if (!(await isOwnBlock(height, valueId, 'the checkpoint signed before'))) return null;
      pool.open(height, valueId, epoch);
      pool.add(height, signature);
    }
    return floor?.height ?? 0n;
  };

  const signOnce = async (block: OwnBlock, epoch: bigint): Promise<void> => {
    const { height, valueId } = block;
    const known = log.memory.anchors.get(height);
    if (known !== undefined && known.valueId !== valueId)
      return halt.halt(
        `signed ${known.valueId} for height ${height} before; the block executed here is ${valueId}`,
      );
    let signature = known?.signature;
    if (signature === undefined || known?.relayerEpoch !== epoch) {
      signature = await signer.sign({
        kind: 'anchorAttestation',
        domain: options.domains.verifier,
        attestation: { valueId, relayerEpoch: epoch },
      });
      await log.record({
        t: 'anchorSigned',
        height: String(height),
        valueId,
        relayerEpoch: String(epoch),
        signature,
      });
    }
    pool.open(height, valueId, epoch);
    pool.add(height, signature);
  };

  /** @returns true when the height is dealt with */
  const walkTo = async (height: bigint, epoch: bigint): Promise<boolean> => {
    const [block, parent] = await Promise.all([chain.blockAt(height), chain.blockAt(height - 1n)]);
    if (block === null || parent === null) {
      waiting = `the own chain does not hold height ${height}`;
      return false;
    }
    if (!isAnchorHeight(block, parent, options.epochLength)) return true;
    if (pool.isFull()) {
      waiting = 'too many checkpoints wait for the L1';
      return false;
    }
    const verdict = await judgeCheckpoint(policy, block);
    if (verdict.kind === 'refuse') halt.halt(verdict.reason);
    if (verdict.kind !== 'sign') {
      waiting = verdict.reason;
      return false;
    }
    await signOnce(block, epoch);
    return halt.reason() === null;
  };

  const run = async (): Promise<void> => {
    if (halt.reason() !== null || l1.status().state !== 'ready') return;
    if (!(await checkAccepted())) return;
    const epoch = relayerEpoch();
    if (epoch === null) return;
    const accepted = l1.latestAccepted();
    if (accepted !== null && accepted.height > chain.head().height) {
      waiting = `the own node is at height ${chain.head().height}, the L1 has accepted ${accepted.height}`;
      return;
    }
    if (epoch !== walkedInEpoch) walkedThrough = null; // rotated: what is not anchored is signed again
    walkedThrough ??= await resume();
    walkedInEpoch = epoch;
    if (walkedThrough === null) {
      waiting = 'the own chain has not reached what was signed before';
      return;
    }
    if (walkedThrough < checkedThrough) walkedThrough = checkedThrough;
    waiting = null;
    const head = chain.head().height;
    for (let count = 0; count < HEIGHTS_PER_RUN && walkedThrough < head; count++) {
      if (!(await walkTo(walkedThrough + 1n, epoch))) return;
      walkedThrough++;
    }
  };

  return { run, waitingFor: () => halt.reason() ?? waiting };
};
