/**
 * Frames over one libp2p stream: written with back-pressure, read with a cap, both until a signal aborts.
 *
 * Owns nothing but the stream it is given. Used where a conversation has an end (handshake, requests); the
 * long-lived consensus streams are outbox.ts and inbox.ts.
 */
import type { Stream } from '@libp2p/interface';
import { createDeadline } from '#node/network/deadline.ts';
import { createFrameDecoder, encodeFrame, type FrameLimits } from '#node/network/frames.ts';
import { errorMessage, NetworkError } from '#node/network/networkError.ts';

/** Small enough that a vote waits behind at most this much of a payload in our own buffers. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Resolves when the stream can take more. (The library's own `onDrain` keeps its first promise, and so resolves at
 * once from the second time on.)
 */
const drained = async (stream: Stream, signal: AbortSignal): Promise<void> => {
  while (stream.writableNeedsDrain) {
    signal.throwIfAborted();
    if (stream.writeStatus !== 'writable')
      throw new NetworkError('STREAM', 'the stream closed while sending');
    await new Promise<void>((resolve, reject) => {
      const settle = (): void => {
        signal.removeEventListener('abort', onAbort);
        stream.removeEventListener('drain', settle);
        stream.removeEventListener('close', settle);
        resolve();
      };
      const onAbort = (): void => {
        settle();
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort);
      stream.addEventListener('drain', settle);
      stream.addEventListener('close', settle);
    });
    signal.throwIfAborted();
  }
};

/** False, and nothing sent, when the stream has no room now or the data is more than goes at a time. */
export const sendAtOnce = (stream: Stream, data: Uint8Array): boolean => {
  if (data.length > CHUNK_BYTES || stream.writableNeedsDrain) return false;
  stream.send(data);
  return true;
};

/** @throws whatever the stream or the signal aborted with */
export const writeAll = async (stream: Stream, data: Uint8Array, signal: AbortSignal): Promise<void> => {
  for (let at = 0; at < data.length; at += CHUNK_BYTES) {
    signal.throwIfAborted();
    if (!stream.send(data.subarray(at, at + CHUNK_BYTES))) await drained(stream, signal);
    // between two chunks other streams get their turn
    if (at + CHUNK_BYTES < data.length) await new Promise((resolve) => setImmediate(resolve));
  }
};

export const writeFrame = (stream: Stream, body: Uint8Array, signal: AbortSignal): Promise<void> =>
  writeAll(stream, encodeFrame(body), signal);

/** The bytes of one `message` event. */
export const eventBytes = (event: { data: Uint8Array | { subarray(): Uint8Array } }): Uint8Array =>
  event.data.subarray();

export type FrameReader = {
  /** The next frame. @throws NetworkError OVERSIZED, MALFORMED, STREAM (closed before a frame was complete) */
  next(signal: AbortSignal): Promise<Uint8Array>;
};

/** More frames than a conversation has are a fault of the peer. */
const MAX_WAITING_FRAMES = 8;

export const createFrameReader = (stream: Stream, limits: FrameLimits): FrameReader => {
  const frames: Uint8Array[] = [];
  let failure: Error | null = null;
  let wake: (() => void) | null = null;

  const fail = (error: Error): void => {
    failure ??= error;
    wake?.();
  };
  const decoder = createFrameDecoder(limits, (body) => {
    frames.push(body);
    wake?.();
  });
  stream.addEventListener('message', (event) => {
    if (failure !== null) return;
    try {
      decoder.push(eventBytes(event));
      if (frames.length > MAX_WAITING_FRAMES)
        throw new NetworkError('MALFORMED', `expected at most ${MAX_WAITING_FRAMES} frames, found more`);
    } catch (error) {
      fail(error as Error);
    }
  });
  const onEnd = (): void =>
    fail(new NetworkError('STREAM', 'expected a frame, found the end of the stream: the peer closed it'));
  stream.addEventListener('end', onEnd);
  stream.addEventListener('close', onEnd);

  return {
    async next(signal) {
      while (frames.length === 0 && failure === null) {
        signal.throwIfAborted();
        await new Promise<void>((resolve, reject) => {
          const onAbort = (): void => reject(signal.reason);
          signal.addEventListener('abort', onAbort, { once: true });
          wake = () => {
            signal.removeEventListener('abort', onAbort);
            resolve();
          };
        }).finally(() => {
          wake = null;
        });
      }
      const frame = frames.shift();
      if (frame !== undefined) return frame;
      throw failure!;
    },
  };
};

/** Says goodbye and does not wait for the answer; a stream that cannot close is reset. */
export const closeQuietly = (stream: Stream, timeoutMs = 1_000): void => {
  const deadline = createDeadline(timeoutMs);
  stream
    .close({ signal: deadline.signal })
    .catch((error: unknown) => stream.abort(new Error(errorMessage(error))))
    .finally(deadline.clear);
};
