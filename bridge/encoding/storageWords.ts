/** Words of contract storage: how Solidity places arrays and mappings, and how numbers sit in 32 bytes. */
import { keccak256 } from '#consensus/crypto/keccak.ts';
import {
  type Address,
  bytesToHash,
  concatBytes,
  type Hash,
  type Hex,
  hexToBytes,
  toBigEndian,
} from '#consensus/primitives.ts';

/** Reads one storage word of one contract at one state; an absent slot is the zero word. */
export type SlotReader = (slot: Hash) => Promise<Hash>;
/** One word of genesis storage. */
export type StorageEntry = readonly [slot: Hash, value: Hash];

export const uintToWord = (value: bigint): Hash => bytesToHash(toBigEndian(value, 32));
export const wordToUint = (word: Hash): bigint => BigInt(word);
export const addressToWord = (address: Address): Hash => uintToWord(BigInt(address));
/** The low 20 bytes. */
export const wordToAddress = (word: Hash): Address => `0x${word.slice(26)}` as Address;

/** Element `index` of a dynamic array whose length is in `slot`, one word an element. */
export const arrayElementSlot = (slot: bigint, index: bigint): Hash =>
  uintToWord(BigInt.asUintN(256, BigInt(bytesToHash(keccak256(toBigEndian(slot, 32)))) + index));

/** The word of `mapping(key => …)` in `slot`; nested mappings feed the result back in. @param key one word */
export const mappingSlot = (key: Hex, slot: bigint): Hash =>
  bytesToHash(keccak256(concatBytes(hexToBytes(key), toBigEndian(slot, 32))));
