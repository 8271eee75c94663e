/**
 * The elliptic-curve operation that EthereumJS takes from us: public key recovery by libsecp256k1 (native).
 *
 * Looser than consensus/crypto on purpose: precompile 0x01 must accept a high s, transactions are held to a low s
 * by the transaction library. Imports the native binding itself, so that a missing one fails at import (RULES 5).
 */
import secp256k1 from 'secp256k1/bindings.js';

const leftPad = (bytes: Uint8Array): Uint8Array => {
  if (bytes.length === 32) return bytes;
  const padded = new Uint8Array(32);
  padded.set(bytes, 32 - bytes.length);
  return padded;
};

/**
 * The signature of EthereumJS' `customCrypto.ecrecover`.
 * @param v 0 or 1 (typed), 27 or 28 (legacy, precompile), or EIP-155's 2·chainId + 35 or 36
 * @returns 64 bytes, the public key without its prefix
 * @throws Error when nothing can be recovered
 */
export const recoverPublicKey = (
  messageHash: Uint8Array,
  v: bigint,
  r: Uint8Array,
  s: Uint8Array,
  chainId?: bigint,
): Uint8Array => {
  const recovery = v <= 1n ? v : chainId === undefined ? v - 27n : v - (2n * chainId + 35n);
  if (recovery !== 0n && recovery !== 1n) throw new Error(`expected a recovery id of 0 or 1, found v ${v}`);
  const signature = new Uint8Array(64);
  signature.set(leftPad(r), 0);
  signature.set(leftPad(s), 32);
  return secp256k1.ecdsaRecover(signature, Number(recovery), messageHash, false).subarray(1);
};
