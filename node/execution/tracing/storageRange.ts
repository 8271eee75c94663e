/**
 * debug_storageRangeAt: an account's slots before a transaction of a block, in the order of their hashes.
 *
 * The trie of the parent state under the changes that the block made so far. A trie knows hashes only: the slot itself is
 * shown where the block has touched it, and for the first few of a contract, and is null elsewhere, as in geth.
 */
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { type Address, bytesToHex, type Hash, toBigEndian } from '#consensus/primitives.ts';
import type { OverlayState } from '#node/execution/overlayState.ts';
import { slotsFrom, type TrieSource } from '#node/execution/tracing/proofs.ts';

const MAX_RANGE = 1_024;
/** Slots from 0 on, where Solidity puts the variables of a contract. */
const WELL_KNOWN_SLOTS = 256;

export type StorageRangeRequest = {
  readonly address: Address;
  readonly startKey: Hash;
  readonly maxResults: number;
};

const hashOf = (slot: Uint8Array): string => Buffer.from(keccak256(slot)).toString('hex');
const word = (value: Uint8Array): string =>
  bytesToHex(toBigEndian(BigInt(`0x0${Buffer.from(value).toString('hex')}`), 32));

const wellKnownSlots = (): Map<string, string> =>
  new Map(
    Array.from({ length: WELL_KNOWN_SLOTS }, (_, index) => toBigEndian(BigInt(index), 32)).map((slot) => [
      hashOf(slot),
      bytesToHex(slot),
    ]),
  );

export const readStorageRange = (
  source: TrieSource,
  state: OverlayState,
  { address, startKey, maxResults }: StorageRangeRequest,
) => {
  const touched = state.touchedAt(address);
  const written: ReadonlyMap<string, Uint8Array> = touched.slots ?? new Map();
  const read: ReadonlyMap<string, Uint8Array> = touched.slotsBelow ?? new Map();
  const preimages = wellKnownSlots();
  for (const slot of [...written.keys(), ...read.keys()])
    preimages.set(hashOf(Buffer.from(slot, 'hex')), `0x${slot}`);
  const start = startKey.slice(2);
  const limit = Math.min(maxResults, MAX_RANGE);
  const slots = new Map<string, Uint8Array>();
  // One more than is shown, and as many as the changes may have emptied.
  const wanted = limit + written.size;
  if (!touched.isCleared)
    for (const [hashed, value] of slotsFrom(source, address, start)) {
      if (slots.size > wanted) break;
      slots.set(hashed, value);
    }
  for (const [slot, value] of written) {
    const hashed = hashOf(Buffer.from(slot, 'hex'));
    if (value.length === 0) slots.delete(hashed);
    else if (hashed >= start) slots.set(hashed, value);
  }
  const ordered = [...slots.keys()].sort();
  const next = ordered[limit];
  return {
    storage: Object.fromEntries(
      ordered.slice(0, limit).map((hashed) => {
        const value = word(slots.get(hashed)!);
        return [`0x${hashed}`, { key: preimages.get(hashed) ?? null, value }];
      }),
    ),
    nextKey: next === undefined ? null : `0x${next}`,
  };
};
