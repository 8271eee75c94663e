/**
 * Which rules apply from which height, as one hash that peers compare.
 *
 * Version 1 has one entry: Osaka from the genesis on. A release that schedules a fork adds one here, and a peer
 * without it is refused by name instead of splitting off at the fork.
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import type { Hash } from '#consensus/primitives.ts';

const FORK_PLAN: readonly { readonly rules: string; readonly fromHeight: bigint }[] = [
  { rules: 'osaka', fromHeight: 0n },
];

export const FORK_PLAN_HASH: Hash = keccak256Hex(
  new TextEncoder().encode(FORK_PLAN.map(({ rules, fromHeight }) => `${rules}@${fromHeight}`).join(',')),
);
