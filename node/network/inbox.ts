/**
 * Messages as they arrive from one peer on one stream: framed, budgeted, handed on.
 *
 * Owns nothing beyond the stream. Invariants: no message above the cap is buffered; beyond the budget, and while the
 * message in hand is worked on, nothing is decoded, the stream is not read, and what waits in it is bounded by the
 * muxer's window, then waits at the sender; whatever is wrong with the stream ends it and is reported once per message,
 * never thrown.
 */
import type { Stream } from '@libp2p/interface';
import { createFrameDecoder, STOP } from '#node/network/frames.ts';
import type { PeerFault } from '#node/network/network.ts';
import { errorMessage, isCode } from '#node/network/networkError.ts';
import { eventBytes } from '#node/network/streams.ts';

export type InboxOptions = {
  readonly maxMessageBytes: number;
  /** Books a message on its sender. @returns milliseconds until the next may be read */
  readonly book: (sizeBytes: number) => number;
  /** What it promises has to come before the next message is read: milliseconds to wait beyond that. */
  readonly onMessage: (message: Uint8Array) => Promise<number> | undefined;
  /** The peer sends more than its budget and waits. */
  readonly onPaused: () => void;
  readonly onFault: (fault: PeerFault, detail: string) => void;
};

const pass = (waitMs: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, waitMs).unref();
  });

export const attachInbox = (stream: Stream, options: InboxOptions): void => {
  const { maxMessageBytes, book, onMessage, onPaused, onFault } = options;
  let held = false;
  let saidAll = false;
  /** Chunks that arrived before the pause took effect, oldest first. */
  const waiting: Uint8Array[] = [];

  const decoder = createFrameDecoder({ minBytes: 1, maxBytes: maxMessageBytes }, (message) => {
    if (stream.status !== 'open') return STOP; // an earlier message cost the peer its connection
    const waitMs = book(message.length);
    const work = onMessage(message);
    if (waitMs === 0 && work === undefined) return undefined;
    hold(waitMs, work).catch((error: unknown) => stream.abort(new Error(errorMessage(error))));
    return STOP;
  });

  const hold = async (waitMs: number, work: Promise<number> | undefined): Promise<void> => {
    held = true;
    queueMicrotask(pauseIfHeld);
    const longerMs = Math.max(waitMs, work === undefined ? 0 : await work);
    if (longerMs > 0) {
      onPaused();
      await pass(longerMs);
    }
    held = false;
    readWaiting();
    readOn();
  };

  /**
   * Not at once: what lies in the stream's own buffer is dispatched while it resumes, and where that holds again, the
   * library would go on to resume what was paused just now.
   */
  const pauseIfHeld = (): void => {
    if (held && isReadable(stream)) stream.pause();
  };

  const readOn = (): void => {
    if (!held && isReadable(stream)) stream.resume();
    if (saidAll && !held && waiting.length === 0 && stream.readBufferLength === 0) closeOurSide(stream);
  };

  const readWaiting = (): void => {
    while (waiting.length > 0 && !held && stream.status === 'open') {
      try {
        const rest = decoder.push(waiting.shift()!);
        if (rest.length > 0) waiting.unshift(rest);
      } catch (error) {
        stream.abort(new Error(errorMessage(error)));
        onFault(isCode(error, 'OVERSIZED') ? 'oversized' : 'malformed', errorMessage(error));
        return;
      }
    }
  };

  stream.addEventListener('message', (event) => {
    waiting.push(eventBytes(event));
    readWaiting();
  });
  stream.addEventListener('close', () => {
    waiting.length = 0;
  });
  stream.addEventListener('remoteCloseWrite', () => {
    // a sender that closes has said all it had; what of it waits here is still read, a half frame dropped with the stream
    saidAll = true;
    readOn();
  });
};

const isReadable = (stream: Stream): boolean =>
  stream.status === 'open' && stream.readStatus !== 'closed' && stream.readStatus !== 'closing';

/** We never write on it; closing our side lets the muxer forget the stream. */
const closeOurSide = (stream: Stream): void => {
  stream.close().catch((error: unknown) => stream.abort(new Error(errorMessage(error))));
};
