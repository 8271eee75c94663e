/**
 * Where the UpgradePlan predeploy (0x…1005) keeps which rules apply from which height: one word, read by the node.
 *
 * Slot 0, from the low end: uint64 version in force before nextHeight, uint64 nextHeight (zero: nothing is
 * scheduled), uint64 nextVersion. A chain without the predeploy has the zero word: version 0, which every release
 * supports.
 */
import { type SlotReader, type StorageEntry, uintToWord, wordToUint } from '#bridge/encoding/storageWords.ts';

export const UPGRADE_PLAN_SLOT = 0n;
/** The rules of every new chain. */
export const GENESIS_RULES_VERSION = 1n;

export type UpgradePlan = {
  /** In force before `next`. */
  readonly version: bigint;
  readonly next: { readonly height: bigint; readonly version: bigint } | null;
};

const U64 = (1n << 64n) - 1n;

/** Total: every word is a plan. */
export const readUpgradePlan = async (read: SlotReader): Promise<UpgradePlan> => {
  const word = wordToUint(await read(uintToWord(UPGRADE_PLAN_SLOT)));
  const height = (word >> 64n) & U64;
  return {
    version: word & U64,
    next: height === 0n ? null : { height, version: (word >> 128n) & U64 },
  };
};

/** Which rules a height is executed under, by the plan of its parent's state. */
export const rulesVersionAt = ({ version, next }: UpgradePlan, height: bigint): bigint =>
  next !== null && height >= next.height ? next.version : version;

export const upgradePlanGenesisStorage = (): StorageEntry[] => [
  [uintToWord(UPGRADE_PLAN_SLOT), uintToWord(GENESIS_RULES_VERSION)],
];
