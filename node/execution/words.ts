/**
 * 256-bit words and big-endian bytes, without the way through hex that the library takes.
 *
 * Held against the library's conversions by test/unit/node/execution/quickInterpreter.test.ts.
 */
const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;

/** @param start where 32 bytes begin */
export const readWord = (view: DataView, start: number): bigint => {
  const a = view.getBigUint64(start);
  const b = view.getBigUint64(start + 8);
  const c = view.getBigUint64(start + 16);
  const d = view.getBigUint64(start + 24);
  if (a === 0n && b === 0n) return c === 0n ? d : (c << 64n) | d;
  return (((a << 64n) | b) << 128n) | ((c << 64n) | d);
};

/** Writes 32 bytes. @param word below 2²⁵⁶ */
export const writeWord = (view: DataView, start: number, word: bigint): void => {
  if (word <= MAX_UINT64) {
    view.setBigUint64(start, 0n);
    view.setBigUint64(start + 8, 0n);
    view.setBigUint64(start + 16, 0n);
    view.setBigUint64(start + 24, word);
    return;
  }
  const high = word >> 128n;
  view.setBigUint64(start, high >> 64n);
  view.setBigUint64(start + 8, high & MAX_UINT64);
  view.setBigUint64(start + 16, (word >> 64n) & MAX_UINT64);
  view.setBigUint64(start + 24, word & MAX_UINT64);
};

/** The number that up to 32 bytes say. Bytes past the end count as zeros on the right. */
export const readBytes = (bytes: Uint8Array, start: number, size: number): bigint => {
  let value = 0n;
  let at = start;
  for (let left = size; left > 0; ) {
    const chunk = Math.min(left, 6);
    let number = 0;
    for (let i = 0; i < chunk; i++) number = number * 256 + (bytes[at + i] ?? 0);
    value = at === start ? BigInt(number) : (value << BigInt(8 * chunk)) | BigInt(number);
    at += chunk;
    left -= chunk;
  }
  return value;
};

const known = new WeakMap<Uint8Array, bigint>();

/** The number of bytes that never change, such as an address of the frame; each is read once. */
export const wordOf = (bytes: Uint8Array): bigint => {
  const before = known.get(bytes);
  if (before !== undefined) return before;
  const word = readBytes(bytes, 0, bytes.length);
  known.set(bytes, word);
  return word;
};

const views = new WeakMap<Uint8Array, DataView>();

/** Of bytes that are read or written word by word more than once. */
export const viewOf = (bytes: Uint8Array): DataView => {
  let view = views.get(bytes);
  if (view === undefined) {
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    views.set(bytes, view);
  }
  return view;
};

/** @param word below 2²⁵⁶. @returns 32 bytes */
export const wordToBytes = (word: bigint): Uint8Array => {
  const bytes = new Uint8Array(32);
  if (word !== 0n) writeWord(new DataView(bytes.buffer), 0, word);
  return bytes;
};
