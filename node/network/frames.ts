/**
 * Length-prefixed frames: uint32 big-endian size, then that many bytes.
 *
 * Invariants: a size above the cap is refused as soon as its four bytes are here, before anything is allocated for
 * it; the buffer never holds more than one frame; a reader that has had enough gets the rest of its chunk back.
 */
import { NetworkError } from '#node/network/networkError.ts';

export const FRAME_HEADER_BYTES = 4;

export const frameHeader = (sizeBytes: number): Uint8Array => {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  new DataView(header.buffer).setUint32(0, sizeBytes);
  return header;
};

export const encodeFrame = (body: Uint8Array): Uint8Array => {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  frame.set(frameHeader(body.length));
  frame.set(body, FRAME_HEADER_BYTES);
  return frame;
};

export type FrameLimits = { readonly minBytes: number; readonly maxBytes: number };

export type FrameDecoder = {
  /**
   * Calls back for each frame that is complete.
   * @returns what was not looked at, because the callback said stop; empty otherwise
   * @throws NetworkError OVERSIZED, MALFORMED
   */
  push(chunk: Uint8Array): Uint8Array;
};

/** Returned by a frame's callback: no more frames now. */
export const STOP = Symbol('stop');
const NOTHING = new Uint8Array(0);

const FIRST_ALLOCATION_BYTES = 4096;

export const createFrameDecoder = (
  { minBytes, maxBytes }: FrameLimits,
  onFrame: (body: Uint8Array) => unknown,
): FrameDecoder => {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  let headerFilled = 0;
  let body = new Uint8Array(0);
  let bodyFilled = 0;
  let bodySize = 0;

  const readHeader = (chunk: Uint8Array): number => {
    const taken = Math.min(FRAME_HEADER_BYTES - headerFilled, chunk.length);
    header.set(chunk.subarray(0, taken), headerFilled);
    headerFilled += taken;
    if (headerFilled < FRAME_HEADER_BYTES) return taken;
    bodySize = new DataView(header.buffer).getUint32(0);
    if (bodySize > maxBytes)
      throw new NetworkError('OVERSIZED', `expected a frame of at most ${maxBytes} bytes, found ${bodySize}`);
    if (bodySize < minBytes)
      throw new NetworkError(
        'MALFORMED',
        `expected a frame of at least ${minBytes} bytes, found ${bodySize}`,
      );
    body = new Uint8Array(Math.min(bodySize, FIRST_ALLOCATION_BYTES));
    bodyFilled = 0;
    return taken;
  };

  /** Memory follows what arrived, not what was announced. */
  const reserve = (sizeBytes: number): void => {
    if (sizeBytes <= body.length) return;
    const grown = new Uint8Array(Math.min(bodySize, Math.max(sizeBytes, 2 * body.length)));
    grown.set(body.subarray(0, bodyFilled));
    body = grown;
  };

  const readBody = (chunk: Uint8Array): number => {
    const taken = Math.min(bodySize - bodyFilled, chunk.length);
    reserve(bodyFilled + taken);
    body.set(chunk.subarray(0, taken), bodyFilled);
    bodyFilled += taken;
    return taken;
  };

  return {
    push(chunk) {
      let rest = chunk;
      while (true) {
        if (headerFilled < FRAME_HEADER_BYTES) {
          if (rest.length === 0) return NOTHING;
          rest = rest.subarray(readHeader(rest));
          if (headerFilled < FRAME_HEADER_BYTES) return NOTHING;
        }
        rest = rest.subarray(readBody(rest));
        if (bodyFilled < bodySize) return NOTHING;
        const complete = body;
        headerFilled = 0;
        body = new Uint8Array(0);
        if (onFrame(complete) === STOP) return rest;
      }
    },
  };
};
