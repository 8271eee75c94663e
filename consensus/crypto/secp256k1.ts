/**
 * secp256k1 signatures with Ethereum's conventions, on libsecp256k1 (native).
 *
 * Owns: signing a 32-byte digest, recovering an address, the strict form of RULES 46 (65 bytes, low-s,
 * v 27 or 28). Does not own keys or the decision what may be signed. Imports the native binding itself, not the
 * package's entry, which falls back to JavaScript without a word when the binding is missing (RULES 5).
 */
import secp256k1 from 'secp256k1/bindings.js';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import {
  type Address,
  bytesToAddress,
  bytesToHex,
  type Hash,
  hexToBytes,
  type Signature,
  toBigEndian,
} from '#consensus/primitives.ts';

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const HALF_ORDER = toBigEndian(ORDER / 2n, 32);

const isLowS = (s: Uint8Array): boolean => {
  for (let i = 0; i < 32; i++) if (s[i] !== HALF_ORDER[i]) return s[i]! < HALF_ORDER[i]!;
  return true;
};

/** The last 20 bytes of keccak(uncompressed public key without its prefix). */
export const publicKeyToAddress = (uncompressed: Uint8Array): Address =>
  bytesToAddress(keccak256(uncompressed.subarray(1)).subarray(12));

/** @param privateKey 32 bytes. @throws Error when the scalar is zero or not below the group order */
export const privateKeyToAddress = (privateKey: Uint8Array): Address =>
  publicKeyToAddress(secp256k1.publicKeyCreate(privateKey, false));

export const isPrivateKey = (privateKey: Uint8Array): boolean =>
  privateKey.length === 32 && secp256k1.privateKeyVerify(privateKey);

/** Deterministic (RFC 6979), low-s. @param privateKey 32 bytes */
export const signDigest = (digest: Hash, privateKey: Uint8Array): Signature => {
  const { signature, recid } = secp256k1.ecdsaSign(hexToBytes(digest), privateKey);
  const bytes = new Uint8Array(65);
  bytes.set(signature, 0);
  bytes[64] = 27 + recid;
  return bytesToHex(bytes) as Signature;
};

/** The signer's address, or null when the signature is not in the strict form of RULES 46 or recovers nothing. */
export const recoverAddress = (digest: Hash, signature: Signature): Address | null => {
  const bytes = hexToBytes(signature);
  const v = bytes[64];
  if (bytes.length !== 65 || (v !== 27 && v !== 28) || !isLowS(bytes.subarray(32, 64))) return null;
  try {
    return publicKeyToAddress(
      secp256k1.ecdsaRecover(bytes.subarray(0, 64), v - 27, hexToBytes(digest), false),
    );
  } catch {
    return null; // r or s out of range, or no point with that x: not a signature of anybody
  }
};
