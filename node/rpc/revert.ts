/**
 * A call's outcome as an answer: its data, or geth's error for a revert (code 3, hex data, the decoded reason in the
 * message), or geth's words for anything else that stopped it.
 */
import { type Hex, hexToBytes } from '#consensus/primitives.ts';
import type { CallOutcome } from '#node/chain.ts';
import { RPC_CODES, RpcError, serverError } from '#node/rpc/errors.ts';

const ERROR_STRING = '0x08c379a0';
const PANIC = '0x4e487b71';

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

const WORD = 32;

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

/** The reason in Error(string) or Panic(uint256) data, null for other or malformed data. */
export const revertReason = (data: Hex): string | null => {
  const selector = data.slice(0, 10);
  if (selector !== ERROR_STRING && selector !== PANIC) return null;
  const bytes = hexToBytes(`0x${data.slice(10)}`);
  if (selector === ERROR_STRING) return decodeString(bytes);
  const code = wordAt(bytes, 0);
  if (code === null) return null;
  return PANIC_REASONS.get(code) ?? `unknown panic code: 0x${code.toString(16)}`;
};

/** @throws RpcError if the call did not succeed */
export const expectSuccess = (outcome: CallOutcome): Extract<CallOutcome, { status: 'success' }> => {
  if (outcome.status === 'success') return outcome;
  if (outcome.status === 'error') throw serverError(outcome.message);
  const reason = revertReason(outcome.data);
  throw new RpcError(
    RPC_CODES.reverted,
    reason === null ? 'execution reverted' : `execution reverted: ${reason}`,
    outcome.data,
  );
};
