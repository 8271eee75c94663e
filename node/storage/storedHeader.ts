/**
 * The header in a stored block (codec.ts: an RLP list whose first item it is), without decoding the rest: a log query
 * looks at a thousand of them.
 */
const SHORT_LIST = 0xf8;
const LONG_LIST = 0xf7;
const LONG_STRING = 0xb7;

/** @throws TypeError if the first item is not a string of 56 bytes or more, which every header is */
export const headerOfStoredBlock = (stored: Uint8Array): Uint8Array => {
  const first = stored[0] ?? 0;
  const at = first < SHORT_LIST ? 1 : 1 + first - LONG_LIST;
  const lengthBytes = (stored[at] ?? 0) - LONG_STRING;
  if (lengthBytes < 1 || lengthBytes > 4)
    throw new TypeError(`expected a header at the start of a stored block, found ${stored[at]}`);
  const start = at + 1 + lengthBytes;
  const length = stored.subarray(at + 1, start).reduce((sum, byte) => 256 * sum + byte, 0);
  return stored.subarray(start, start + length);
};
