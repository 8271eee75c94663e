/**
 * RLP, strict and total, for bytes that strangers send.
 *
 * Why not @ethereumjs/rlp: it copies the rest of the input at every item, which is quadratic for a payload of 1,400
 * transactions, and recurses without a limit. Here items are views of the input, depth and item count are bounded,
 * and only the canonical encoding is accepted (Ethereum yellow paper, appendix B).
 */
export type RlpItem = Uint8Array | readonly RlpItem[];

export class RlpError extends Error {
  override readonly name = 'RlpError';
  readonly code = 'BAD_RLP';
}

const MAX_DEPTH = 8;
const MAX_ITEMS = 200_000;

/** How many bytes a length takes in a header that has to spell it out. */
const lengthBytes = (length: number): number => {
  let count = 1;
  for (let rest = Math.floor(length / 256); rest > 0; rest = Math.floor(rest / 256)) count++;
  return count;
};

const headerSize = (bodySize: number): number => (bodySize < 56 ? 1 : 1 + lengthBytes(bodySize));
const isOneByte = (bytes: Uint8Array): boolean => bytes.length === 1 && bytes[0]! < 0x80;

const bodySizeOf = (item: RlpItem): number => {
  if (item instanceof Uint8Array) return item.length;
  let size = 0;
  for (const part of item) size += sizeOf(part);
  return size;
};

const sizeOf = (item: RlpItem): number => {
  const bodySize = bodySizeOf(item);
  return item instanceof Uint8Array && isOneByte(item) ? 1 : headerSize(bodySize) + bodySize;
};

/** @returns where the header ends */
const writeHeader = (to: Uint8Array, at: number, offset: number, bodySize: number): number => {
  if (bodySize < 56) {
    to[at] = offset + bodySize;
    return at + 1;
  }
  const count = lengthBytes(bodySize);
  to[at] = offset + 55 + count;
  for (let i = count, rest = bodySize; i > 0; i--, rest = Math.floor(rest / 256)) to[at + i] = rest % 256;
  return at + 1 + count;
};

/** @returns where the item ends */
const writeItem = (to: Uint8Array, at: number, item: RlpItem): number => {
  if (item instanceof Uint8Array) {
    const start = isOneByte(item) ? at : writeHeader(to, at, 0x80, item.length);
    to.set(item, start);
    return start + item.length;
  }
  let end = writeHeader(to, at, 0xc0, bodySizeOf(item));
  for (const part of item) end = writeItem(to, end, part);
  return end;
};

export const encodeRlp = (item: RlpItem): Uint8Array => {
  const bytes = new Uint8Array(sizeOf(item));
  writeItem(bytes, 0, item);
  return bytes;
};

type Header = { readonly list: boolean; readonly start: number; readonly end: number };

const readHeader = (bytes: Uint8Array, at: number, limit: number): Header => {
  const first = bytes[at]!;
  if (first < 0x80) return { list: false, start: at, end: at + 1 };
  const list = first >= 0xc0;
  const short = first - (list ? 0xc0 : 0x80);
  let start = at + 1;
  let length = short;
  if (short > 55) {
    const sizeOfSize = short - 55;
    if (sizeOfSize > 4 || start + sizeOfSize > limit) throw new RlpError('length out of range');
    length = 0;
    for (let i = 0; i < sizeOfSize; i++) length = length * 256 + bytes[start + i]!;
    if (length < 56 || bytes[start] === 0) throw new RlpError('length is not canonical');
    start += sizeOfSize;
  }
  if (start + length > limit) throw new RlpError('item longer than the input');
  if (!list && short === 1 && bytes[start]! < 0x80) throw new RlpError('single byte is not canonical');
  return { list, start, end: start + length };
};

/** One item that fills the input exactly. @throws RlpError */
export const decodeRlp = (bytes: Uint8Array): RlpItem => {
  let items = 0;
  const decodeAt = (at: number, limit: number, depth: number): { item: RlpItem; end: number } => {
    if (++items > MAX_ITEMS || depth > MAX_DEPTH) throw new RlpError('too many items or too deep');
    const { list, start, end } = readHeader(bytes, at, limit);
    if (!list) return { item: bytes.subarray(start, end), end };
    const children: RlpItem[] = [];
    for (let next = start; next < end; ) {
      const child = decodeAt(next, end, depth + 1);
      children.push(child.item);
      next = child.end;
    }
    return { item: children, end };
  };
  if (bytes.length === 0) throw new RlpError('no input');
  const { item, end } = decodeAt(0, bytes.length, 0);
  if (end !== bytes.length) throw new RlpError('bytes after the item');
  return item;
};
