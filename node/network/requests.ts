/**
 * One request, one answer, on a stream of its own, with caps and time-outs on both sides.
 *
 * Owns the two halves of that conversation. Does not own who may ask (libp2pNetwork.ts) or what it means.
 */
import type { Connection, Stream } from '@libp2p/interface';
import { createDeadline } from '#node/network/deadline.ts';
import { errorMessage, isCode, NetworkError } from '#node/network/networkError.ts';
import { closeQuietly, createFrameReader, writeFrame } from '#node/network/streams.ts';

export const MAX_REQUEST_BYTES = 64 * 1024;
/** What a handler may answer at most; the asker sets its own, usually smaller, cap. */
export const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
export const MAX_REQUESTS_AT_ONCE = 16;

export type AskOptions = {
  readonly timeoutMs: number;
  readonly maxAnswerBytes: number;
  readonly signal: AbortSignal;
};

/** @throws NetworkError TIMEOUT, STREAM, OVERSIZED, MALFORMED */
export const ask = async (
  connection: Connection,
  protocol: string,
  request: Uint8Array,
  { timeoutMs, maxAnswerBytes, signal }: AskOptions,
): Promise<Uint8Array> => {
  if (request.length > MAX_REQUEST_BYTES)
    throw new NetworkError(
      'OVERSIZED',
      `expected a request of at most ${MAX_REQUEST_BYTES} bytes, found ${request.length}`,
    );
  const deadline = createDeadline(timeoutMs, signal);
  const until = deadline.signal;
  let stream: Stream | null = null;
  try {
    stream = await connection.newStream(protocol, { signal: until });
    const reader = createFrameReader(stream, { minBytes: 0, maxBytes: maxAnswerBytes });
    await writeFrame(stream, request, until);
    const answer = await reader.next(until);
    closeQuietly(stream);
    return answer;
  } catch (error) {
    stream?.abort(new Error(errorMessage(error)));
    if (deadline.hasPassed())
      throw new NetworkError(
        'TIMEOUT',
        `expected an answer to ${protocol} within ${timeoutMs} ms, found none`,
      );
    if (error instanceof NetworkError) throw error;
    throw new NetworkError('STREAM', `cannot ask ${protocol}: ${errorMessage(error)}`);
  } finally {
    deadline.clear();
  }
};

export type AnswerOptions = {
  readonly readTimeoutMs: number;
  readonly answerTimeoutMs: number;
  readonly onOversized: (detail: string) => void;
};

/** Serves one stream; whatever goes wrong closes it and nothing else. @returns the answer's size */
export const answer = async (
  stream: Stream,
  handler: (request: Uint8Array) => Promise<Uint8Array>,
  { readTimeoutMs, answerTimeoutMs, onOversized }: AnswerOptions,
): Promise<number> => {
  const reading = createDeadline(readTimeoutMs);
  const answering = createDeadline(readTimeoutMs + answerTimeoutMs);
  try {
    const reader = createFrameReader(stream, { minBytes: 0, maxBytes: MAX_REQUEST_BYTES });
    const request = await reader.next(reading.signal);
    const until = answering.signal;
    const body = await within(handler(request), until);
    if (body.length > MAX_ANSWER_BYTES)
      throw new NetworkError('OVERSIZED', `an answer of ${body.length} bytes does not leave`);
    await writeFrame(stream, body, until);
    closeQuietly(stream);
    return body.length;
  } catch (error) {
    stream.abort(new Error(errorMessage(error)));
    if (isCode(error, 'OVERSIZED')) onOversized(errorMessage(error));
    return 0;
  } finally {
    reading.clear();
    answering.clear();
  }
};

const within = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
