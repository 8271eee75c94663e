/**
 * The sync lease: while it is held, this validator signs nothing (scenario 40).
 *
 * Owns when it begins and ends. It begins when validators with more than 1/3 of the power claim to be two blocks ahead
 * (one of them is honest, so the blocks exist), or when a block whose certificate verified is being imported. It ends
 * when the head is there, when the claims are withdrawn, when the import failed, or after `boundMs` without progress:
 * no claim of a height that does not exist keeps a validator from voting. A lease that ran out is not taken again for
 * claims before the head has moved. Votes are taken in all the while. This is not what makes a vote safe (the guard
 * is): it keeps a validator from voting on what is final already.
 */

import { isHonestMinority, powerOf, type ValidatorSet } from '#consensus/validatorSet.ts';
import type { SigningLease } from '#node/consensus/hostPorts.ts';
import type { ValidatorClaim } from '#node/sync/heads.ts';

export type LeaseOptions = {
  readonly boundMs: number;
  readonly nowMs: () => number;
  /** It ran out at this head. */
  readonly onLapsed: (head: bigint, target: bigint) => void;
};

export type Lease = SigningLease & {
  /** Compares anew: after each claim, each commit, and at each tick. */
  update(head: bigint, credible: bigint): void;
  /** A block of this height is being imported, and its certificate verified. */
  holdForImport(height: bigint): void;
  /** The import is over, well or not. */
  importEnded(): void;
  /** For good. */
  stop(): void;
};

/** The greatest height that more than 1/3 of the power claims, 0 when there is none. */
export const credibleHeight = (set: ValidatorSet, claims: readonly ValidatorClaim[]): bigint => {
  const byHeight = [...claims].sort((a, b) => (a.height > b.height ? -1 : a.height < b.height ? 1 : 0));
  const counted = new Set<string>();
  let power = 0n;
  for (const { validator, height } of byHeight) {
    if (counted.has(validator)) continue;
    counted.add(validator);
    power += powerOf(set, validator);
    if (isHonestMinority(set, power)) return height;
  }
  return 0n;
};

export const createLease = ({ boundMs, nowMs, onLapsed }: LeaseOptions): Lease => {
  let head = 0n;
  let progressMs = nowMs();
  /** What the claims make us wait for. */
  let claimed: bigint | null = null;
  let importing: bigint | null = null;
  let lapsedAt: bigint | null = null;
  let stopped = false;
  let waiting: (() => void)[] = [];

  const isHeld = (): boolean => !stopped && (claimed !== null || importing !== null);

  const wake = (): void => {
    if (isHeld()) return;
    const released = waiting;
    waiting = [];
    for (const release of released) release();
  };

  const follow = (credible: bigint): void => {
    if (claimed !== null && (credible <= head || head >= claimed)) claimed = null;
    if (credible < head + 2n || lapsedAt === head) return;
    if (claimed === null) progressMs = nowMs();
    if (claimed === null || credible > claimed) claimed = credible;
  };

  return {
    update(newHead, credible) {
      if (newHead > head) {
        head = newHead;
        progressMs = nowMs();
        lapsedAt = null;
      }
      follow(credible);
      if (isHeld() && nowMs() - progressMs >= boundMs) {
        onLapsed(head, claimed ?? importing!);
        lapsedAt = head;
        claimed = null;
        importing = null;
      }
      wake();
    },
    holdForImport(height) {
      if (importing === null && claimed === null) progressMs = nowMs();
      importing = height;
    },
    importEnded() {
      importing = null;
      wake();
    },
    stop() {
      stopped = true;
      wake();
    },
    reason: () =>
      isHeld() ? `syncing: block ${claimed ?? importing} is final elsewhere, the head here is ${head}` : null,
    ended: () => (isHeld() ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve()),
  };
};
