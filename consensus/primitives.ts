/**
 * The words everything else is written in: hashes, addresses, signatures.
 *
 * Owns their distinct types and the parsing of untrusted text into them. Does not own hashing or signing
 * (crypto/). Invariant: a `Hash`, `Address` or `Signature` is lower-case hex of exactly 32, 20 or 65 bytes,
 * so that equality of values is equality of strings.
 */

export type Hex = `0x${string}`;

declare const kind: unique symbol;
/** 32 bytes, lower-case hex. */
export type Hash = Hex & { readonly [kind]: 'Hash' };
/** 20 bytes, lower-case hex (never checksummed). */
export type Address = Hex & { readonly [kind]: 'Address' };
/** 65 bytes r ‖ s ‖ v, low-s, v 27 or 28 (RULES 46), lower-case hex. */
export type Signature = Hex & { readonly [kind]: 'Signature' };

export const ZERO_HASH = `0x${'00'.repeat(32)}` as Hash;
export const ZERO_ADDRESS = `0x${'00'.repeat(20)}` as Address;

export type PrimitiveErrorCode = 'BAD_HEX' | 'BAD_HASH' | 'BAD_ADDRESS' | 'BAD_SIGNATURE';

/** Text that is not the hash, address, signature or hex it should be. */
export class PrimitiveError extends Error {
  override readonly name = 'PrimitiveError';
  readonly code: PrimitiveErrorCode;
  constructor(code: PrimitiveErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

const HEX = /^0x([0-9a-fA-F]{2})*$/;

const parseSized = (text: unknown, sizeBytes: number, code: PrimitiveErrorCode, what: string): string => {
  if (typeof text === 'string' && text.length === 2 + 2 * sizeBytes && HEX.test(text))
    return text.toLowerCase();
  throw new PrimitiveError(
    code,
    `expected ${what} as 0x and ${2 * sizeBytes} hex digits, found ${describe(text)}`,
  );
};

const describe = (value: unknown): string =>
  typeof value === 'string' ? `"${value.length > 80 ? `${value.slice(0, 77)}…` : value}"` : typeof value;

/** @throws PrimitiveError BAD_HASH */
export const parseHash = (text: unknown): Hash => parseSized(text, 32, 'BAD_HASH', 'a 32-byte hash') as Hash;

/** Accepts any letter case. @throws PrimitiveError BAD_ADDRESS */
export const parseAddress = (text: unknown): Address =>
  parseSized(text, 20, 'BAD_ADDRESS', 'a 20-byte address') as Address;

/** Checks the length only; `verify…` functions check low-s and v. @throws PrimitiveError BAD_SIGNATURE */
export const parseSignature = (text: unknown): Signature =>
  parseSized(text, 65, 'BAD_SIGNATURE', 'a 65-byte signature') as Signature;

/** By character code: the digit's value, 16 for anything else. */
const DIGITS = Uint8Array.from({ length: 128 }, (_, code) => {
  const digit = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(digit) ? 16 : digit;
});

/** @throws PrimitiveError BAD_HEX */
export const hexToBytes = (hex: string): Uint8Array => {
  const size = (hex.length - 2) / 2;
  let isHex = Number.isInteger(size) && hex.startsWith('0x');
  const bytes = new Uint8Array(isHex ? size : 0);
  for (let i = 0, at = 2; i < bytes.length; i++, at += 2) {
    const high = DIGITS[hex.charCodeAt(at)] ?? 16;
    const low = DIGITS[hex.charCodeAt(at + 1)] ?? 16;
    if (high > 15 || low > 15) isHex = false;
    bytes[i] = (high << 4) | low;
  }
  if (!isHex) throw new PrimitiveError('BAD_HEX', `expected hex with 0x, found ${describe(hex)}`);
  return bytes;
};

/** By Buffer: a string that grows byte by byte costs four times as much, and again when it is first looked up. */
export const bytesToHex = (bytes: Uint8Array): Hex =>
  `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;

/** @throws PrimitiveError BAD_HASH */
export const bytesToHash = (bytes: Uint8Array): Hash =>
  bytes.length === 32 ? (bytesToHex(bytes) as Hash) : parseHash(bytesToHex(bytes));
/** @throws PrimitiveError BAD_ADDRESS */
export const bytesToAddress = (bytes: Uint8Array): Address =>
  bytes.length === 20 ? (bytesToHex(bytes) as Address) : parseAddress(bytesToHex(bytes));

export const concatBytes = (...parts: readonly Uint8Array[]): Uint8Array => {
  let size = 0;
  for (const part of parts) size += part.length;
  const joined = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
};

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** Big-endian, left-padded; a negative number as two's complement. @throws RangeError if it does not fit */
export const toBigEndian = (value: bigint, sizeBytes: number): Uint8Array => {
  const bits = BigInt(8 * sizeBytes);
  if (value >= 1n << bits || value < -(1n << (bits - 1n)))
    throw new RangeError(`${value} does not fit in ${sizeBytes} bytes`);
  const bytes = new Uint8Array(sizeBytes);
  if (value >= 0n && value <= MAX_SAFE) {
    for (let i = sizeBytes - 1, rest = Number(value); rest > 0; i--) {
      bytes[i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    return bytes;
  }
  let rest = BigInt.asUintN(8 * sizeBytes, value);
  for (let i = sizeBytes - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
};

/** Byte order, as Solidity compares addresses; never the locale's. */
export const compareHex = (a: Hex, b: Hex): number => (a < b ? -1 : a > b ? 1 : 0);
