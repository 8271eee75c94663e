/**
 * What the pool recovered, on its way to the execution thread: a signature is recovered once on a node.
 *
 * Keys are packed, since a message of a thousand small arrays costs more to copy than it saves. They are a function
 * of the transaction's bytes alone, so a derivation with them and one without are the same (RULES 1).
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { Payload } from '#consensus/types.ts';
import type { PublicKeyOf } from '#node/execution/transactionChecks.ts';

const KEY_BYTES = 64;

/** For each transaction of a payload its hash, and 64 bytes that are zero where the key is not known. */
export type PackedKeys = { readonly hashes: readonly Hash[]; readonly keys: Uint8Array };

/** Null when none is known. */
export const packPublicKeys = ({ transactions }: Payload, publicKeyOf: PublicKeyOf): PackedKeys | null => {
  const keys = new Uint8Array(KEY_BYTES * transactions.length);
  let isEmpty = true;
  const hashes = transactions.map((raw, index) => {
    const hash = keccak256Hex(raw);
    const key = publicKeyOf(hash);
    if (key === null) return hash;
    keys.set(key, KEY_BYTES * index);
    isEmpty = false;
    return hash;
  });
  return isEmpty ? null : { hashes, keys };
};

export const unpackPublicKeys = (packed: PackedKeys | null): PublicKeyOf => {
  if (packed === null) return () => null;
  const { hashes, keys } = packed;
  const indexByHash = new Map(hashes.map((hash, index) => [hash, index]));
  return (hash) => {
    const index = indexByHash.get(hash);
    if (index === undefined) return null;
    const key = keys.subarray(KEY_BYTES * index, KEY_BYTES * (index + 1));
    return key.some((byte) => byte !== 0) ? key : null;
  };
};
