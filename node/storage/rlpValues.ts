/** RLP's quantities: big-endian without leading zeros, zero as no byte at all. */
import { bytesToHex } from '#consensus/primitives.ts';

export const quantityToBytes = (value: bigint): Uint8Array => {
  if (value === 0n) return new Uint8Array(0);
  const hex = value.toString(16);
  return Uint8Array.from(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'));
};

export const bytesToQuantity = (bytes: Uint8Array): bigint =>
  bytes.length === 0 ? 0n : BigInt(bytesToHex(bytes));

/** Storage words are kept like quantities. */
export const trimLeft = (bytes: Uint8Array): Uint8Array => {
  let first = 0;
  while (first < bytes.length && bytes[first] === 0) first++;
  return first === 0 ? bytes : bytes.subarray(first);
};

export const padLeft = (bytes: Uint8Array, sizeBytes: number): Uint8Array => {
  if (bytes.length === sizeBytes) return bytes;
  const padded = new Uint8Array(sizeBytes);
  padded.set(bytes, sizeBytes - bytes.length);
  return padded;
};
