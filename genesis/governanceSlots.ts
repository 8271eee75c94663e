/**
 * Where the Governance predeploy (0x…1002) keeps the organisations' keys: the genesis writes them, nothing changes them.
 *
 * Slot 0 is the dynamic array of governors, one address an element, strictly ascending.
 */
import {
  addressToWord,
  arrayElementSlot,
  type StorageEntry,
  uintToWord,
} from '#bridge/encoding/storageWords.ts';
import type { Address } from '#consensus/primitives.ts';

export const GOVERNORS_SLOT = 0n;
/** A vote walks the list; a consortium is far smaller. */
export const MAX_GOVERNORS = 64;

export const governanceGenesisStorage = (governors: readonly Address[]): StorageEntry[] => [
  [uintToWord(GOVERNORS_SLOT), uintToWord(BigInt(governors.length))],
  ...governors.map(
    (governor, index): StorageEntry => [
      arrayElementSlot(GOVERNORS_SLOT, BigInt(index)),
      addressToWord(governor),
    ],
  ),
];
