/** The other signature that plain ECDSA would also accept. */
import { bytesToHex, hexToBytes, toBigEndian } from '#consensus/primitives.ts';

const secp256k1Order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

export const toHighS = (signature: string): string => {
  const bytes = hexToBytes(signature);
  bytes.set(toBigEndian(secp256k1Order - BigInt(bytesToHex(bytes.subarray(32, 64))), 32), 32);
  bytes[64] = bytes[64] === 27 ? 28 : 27;
  return bytesToHex(bytes);
};
