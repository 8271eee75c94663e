/** Keys and paths of the state's tries in nibbles, and the one place where nodes are written to be hashed. */

/** Keys are hashes. */
export const KEY_BYTES = 32;
export const KEY_NIBBLES = 64;

export const nibbleAt = (key: Uint8Array, depth: number): number =>
  depth % 2 === 0 ? key[depth >> 1]! >> 4 : key[depth >> 1]! & 15;

// ── hex-prefix encoding (Yellow Paper, appendix C) ──

export const packedLength = (nibbles: number): number => (nibbles >> 1) + 1;

/** A leaf's path: its key from a depth on. @returns where it ends */
export const packKey = (to: Uint8Array, start: number, key: Uint8Array, depth: number): number => {
  let at = start;
  to[at++] = depth % 2 === 0 ? 0x20 : 0x30 | (key[depth >> 1]! & 15);
  for (let i = (depth + 1) >> 1; i < KEY_BYTES; i++) to[at++] = key[i]!;
  return at;
};

/** @param nibbles one a byte. @param isLeaf or an extension */
export const packNibbles = (nibbles: Uint8Array, isLeaf: boolean): Uint8Array => {
  const isOdd = nibbles.length % 2 === 1;
  const packed = new Uint8Array(packedLength(nibbles.length));
  packed[0] = (isLeaf ? 0x20 : 0) | (isOdd ? 0x10 | nibbles[0]! : 0);
  for (let i = isOdd ? 1 : 0, at = 1; i < nibbles.length; i += 2, at++)
    packed[at] = (nibbles[i]! << 4) | nibbles[i + 1]!;
  return packed;
};

export const unpackPath = (packed: Uint8Array): { readonly path: Uint8Array; readonly isLeaf: boolean } => {
  const first = packed[0]!;
  const skip = (first & 0x10) === 0 ? 2 : 1;
  const path = new Uint8Array(2 * packed.length - skip);
  for (let i = skip; i < 2 * packed.length; i++)
    path[i - skip] = i % 2 === 0 ? packed[i >> 1]! >> 4 : packed[i >> 1]! & 15;
  return { path, isLeaf: (first & 0x20) !== 0 };
};

// ── records ──

const CHUNK_BYTES = 64 * 1024;
let chunk = new Uint8Array(CHUNK_BYTES);
let used = 0;

/** Zeroed. Many small arrays of their own cost more to make, and to collect, than all that is done with them. */
export const allocateRecord = (sizeBytes: number): Uint8Array => {
  if (sizeBytes > CHUNK_BYTES) return new Uint8Array(sizeBytes);
  if (used + sizeBytes > CHUNK_BYTES) {
    chunk = new Uint8Array(CHUNK_BYTES);
    used = 0;
  }
  used += sizeBytes;
  return chunk.subarray(used - sizeBytes, used);
};

/** For what is kept longer than its neighbours, which it would keep alive. */
export const ownRecord = (record: Uint8Array): Uint8Array =>
  record.byteLength === record.buffer.byteLength ? record : record.slice();

// ── RLP on the way to keccak ──

/** Any branch, and any leaf with a value of at most 255 bytes, fits. Its bytes are good until the next node. */
export const scratch = new Uint8Array(1_024);
/** Where the body of a list begins, so that its header fits in front. */
export const LIST_BODY = 3;

/** @param end of the body, which begins at `LIST_BODY`. @returns a view of `scratch` */
export const closeList = (end: number): Uint8Array => {
  const size = end - LIST_BODY;
  if (size < 56) {
    scratch[2] = 0xc0 + size;
    return scratch.subarray(2, end);
  }
  if (size < 256) {
    scratch[1] = 0xf8;
    scratch[2] = size;
    return scratch.subarray(1, end);
  }
  scratch[0] = 0xf9;
  scratch[1] = size >> 8;
  scratch[2] = size & 0xff;
  return scratch.subarray(0, end);
};
