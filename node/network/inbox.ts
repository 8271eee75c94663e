/**
 * Consensus messages as they arrive from one peer: framed, budgeted, handed on.
 *
 * Owns nothing beyond the stream. Invariants: no message above the cap is buffered; beyond the budget nothing is
 * decoded, the stream is not read, and what waits in it is bounded by the muxer's window, then waits at the sender;
 * whatever is wrong with the stream ends it and is reported once per message, never thrown.
 */
import type { Stream } from '@libp2p/interface';
import { createFrameDecoder, STOP } from '#node/network/frames.ts';
import type { PeerFault } from '#node/network/network.ts';
import { errorMessage, isCode } from '#node/network/networkError.ts';
import { eventBytes } from '#node/network/streams.ts';
import type { TokenBucket } from '#node/network/tokenBucket.ts';

export type InboxOptions = {
  readonly maxMessageBytes: number;
  readonly messages: TokenBucket;
  readonly onMessage: (message: Uint8Array) => void;
  /** The peer sends more than its budget and waits. */
  readonly onPaused: () => void;
  readonly onFault: (fault: PeerFault, detail: string) => void;
};

export const attachInbox = (stream: Stream, options: InboxOptions): void => {
  const { maxMessageBytes, messages, onMessage, onPaused, onFault } = options;
  let waitMs = 0;
  /** Chunks that arrived before the pause took effect, oldest first. */
  const waiting: Uint8Array[] = [];

  const decoder = createFrameDecoder({ minBytes: 1, maxBytes: maxMessageBytes }, (message) => {
    if (stream.status !== 'open') return STOP; // an earlier message cost the peer its connection
    waitMs = messages.spend(1);
    onMessage(message);
    return waitMs > 0 ? STOP : undefined;
  });

  const pause = (): void => {
    onPaused();
    stream.pause();
    setTimeout(() => {
      waitMs = 0;
      readWaiting();
      if (waitMs === 0 && isReadable(stream)) stream.resume();
    }, waitMs).unref();
  };

  const readWaiting = (): void => {
    while (waiting.length > 0 && isReadable(stream)) {
      try {
        const rest = decoder.push(waiting.shift()!);
        if (rest.length > 0) waiting.unshift(rest);
      } catch (error) {
        stream.abort(new Error(errorMessage(error)));
        onFault(isCode(error, 'OVERSIZED') ? 'oversized' : 'malformed', errorMessage(error));
        return;
      }
      if (waitMs > 0 && isReadable(stream)) {
        pause();
        return;
      }
    }
  };

  stream.addEventListener('message', (event) => {
    waiting.push(eventBytes(event));
    if (waitMs === 0) readWaiting();
  });
  stream.addEventListener('close', () => {
    waiting.length = 0;
  });
  stream.addEventListener('remoteCloseWrite', () => {
    // a sender that closes has said all it had; its half frame is dropped with the stream
    if (waitMs === 0) closeOurSide(stream);
  });
};

const isReadable = (stream: Stream): boolean =>
  stream.status === 'open' && stream.readStatus !== 'closed' && stream.readStatus !== 'closing';

/** We never write on it; closing our side lets the muxer forget the stream. */
const closeOurSide = (stream: Stream): void => {
  stream.close().catch((error: unknown) => stream.abort(new Error(errorMessage(error))));
};
