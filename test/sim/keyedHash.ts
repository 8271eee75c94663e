/**
 * Signatures for the simulation alone: a hash keyed with the private key, a hundred times cheaper than secp256k1.
 *
 * Stands in for `#consensus/crypto/secp256k1.ts` by way of hooks.ts; production code knows nothing of it. The same
 * exports with the same shapes: 65 bytes, low-s, v 27. `r` is keccak(private key ‖ digest), `s` the signer's address,
 * so nobody without the key makes one, and whoever verifies looks the key up in a table that only this module has.
 * `useRealSignatures` hands all of it to the real library, for the runs that are to prove that it makes no difference.
 */
import { keccak256 } from '#consensus/crypto/keccak.ts';
import * as real from '#consensus/crypto/secp256k1.ts';
import {
  type Address,
  bytesToAddress,
  bytesToHex,
  concatBytes,
  type Hash,
  hexToBytes,
  type Signature,
} from '#consensus/primitives.ts';

const MAX_REMEMBERED = 65_536;
const keys = new Map<string, Uint8Array>();
const tags = new Map<string, string>();
let isReal = false;

export const useRealSignatures = (use: boolean): void => {
  isReal = use;
};

export const publicKeyToAddress = (uncompressed: Uint8Array): Address =>
  real.publicKeyToAddress(uncompressed);

export const isPrivateKey = (privateKey: Uint8Array): boolean => real.isPrivateKey(privateKey);

export const privateKeyToAddress = (privateKey: Uint8Array): Address => {
  if (isReal) return real.privateKeyToAddress(privateKey);
  const address = bytesToAddress(keccak256(privateKey).subarray(12));
  keys.set(address, privateKey.slice());
  return address;
};

/** The keyed hash as hex without 0x; remembered, because every validator verifies every vote. */
const tagOf = (digest: Hash, address: string, privateKey: Uint8Array): string => {
  const key = address + digest;
  const known = tags.get(key);
  if (known !== undefined) return known;
  const tag = bytesToHex(keccak256(concatBytes(privateKey, hexToBytes(digest)))).slice(2);
  if (tags.size >= MAX_REMEMBERED) tags.clear();
  tags.set(key, tag);
  return tag;
};

export const signDigest = (digest: Hash, privateKey: Uint8Array): Signature => {
  if (isReal) return real.signDigest(digest, privateKey);
  const address = privateKeyToAddress(privateKey);
  return `0x${tagOf(digest, address, privateKey)}${'00'.repeat(12)}${address.slice(2)}1b` as Signature;
};

export const recoverAddress = (digest: Hash, signature: Signature): Address | null => {
  if (isReal) return real.recoverAddress(digest, signature);
  if (signature.length !== 132 || !signature.endsWith('1b')) return null;
  const address = `0x${signature.slice(90, 130)}` as Address;
  const privateKey = keys.get(address);
  if (privateKey === undefined || signature.slice(66, 90) !== '00'.repeat(12)) return null;
  return tagOf(digest, address, privateKey) === signature.slice(2, 66) ? address : null;
};
