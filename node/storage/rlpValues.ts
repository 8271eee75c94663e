/** RLP's quantities: big-endian without leading zeros, zero as no byte at all. */
import { bytesToHex } from '#consensus/primitives.ts';

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

export const quantityToBytes = (value: bigint): Uint8Array => {
  if (value <= MAX_SAFE) return smallToBytes(Number(value));
  const hex = value.toString(16);
  return Uint8Array.from(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'));
};

const smallToBytes = (value: number): Uint8Array => {
  let size = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) size++;
  const bytes = new Uint8Array(size);
  for (let i = size - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  return bytes;
};

export const bytesToQuantity = (bytes: Uint8Array): bigint => {
  if (bytes.length > 6) return BigInt(bytesToHex(bytes));
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return BigInt(value);
};

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
