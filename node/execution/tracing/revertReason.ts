/** The reason in what a revert returned: Error(string) or Panic(uint256), as Solidity encodes them. */
import { bytesToHex } from '#consensus/primitives.ts';

const ERROR_STRING = '0x08c379a0';
const PANIC = '0x4e487b71';
const WORD = 32;

const PANIC_REASONS: ReadonlyMap<bigint, string> = new Map([
  [0x00n, 'generic panic'],
  [0x01n, 'assert(false)'],
  [0x11n, 'arithmetic underflow or overflow'],
  [0x12n, 'division or modulo by zero'],
  [0x21n, 'enum overflow'],
  [0x22n, 'invalid encoded storage byte array accessed'],
  [0x31n, 'out-of-bounds array access; popping on an empty array'],
  [0x32n, 'out-of-bounds access of an array or bytesN'],
  [0x41n, 'out of memory'],
  [0x51n, 'uninitialized function'],
]);

const wordAt = (bytes: Uint8Array, at: number): bigint | null => {
  if (at + WORD > bytes.length) return null;
  let value = 0n;
  for (const byte of bytes.subarray(at, at + WORD)) value = (value << 8n) | BigInt(byte);
  return value;
};

const decodeString = (bytes: Uint8Array): string | null => {
  const offset = wordAt(bytes, 0);
  if (offset === null || offset > BigInt(bytes.length)) return null;
  const length = wordAt(bytes, Number(offset));
  const start = Number(offset) + WORD;
  if (length === null || length > BigInt(bytes.length - start)) return null;
  return new TextDecoder().decode(bytes.subarray(start, start + Number(length)));
};

/** Null for other or malformed data. */
export const revertReasonOf = (output: Uint8Array): string | null => {
  const selector = bytesToHex(output.subarray(0, 4));
  if (selector !== ERROR_STRING && selector !== PANIC) return null;
  const bytes = output.subarray(4);
  if (selector === ERROR_STRING) return decodeString(bytes);
  const code = wordAt(bytes, 0);
  if (code === null) return null;
  return PANIC_REASONS.get(code) ?? `unknown panic code: 0x${code.toString(16)}`;
};
