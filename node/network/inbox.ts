/**
 * Consensus messages as they arrive from one peer: framed, budgeted, handed on.
 *
 * Owns nothing beyond the stream. Invariants: no message above the cap is buffered, none above the budget is handed
 * on, and whatever is wrong with the stream ends it and is reported once per message, never thrown.
 */
import type { Stream } from '@libp2p/interface';
import { createFrameDecoder } from '#node/network/frames.ts';
import type { PeerFault } from '#node/network/network.ts';
import { errorMessage, isCode } from '#node/network/networkError.ts';
import { eventBytes } from '#node/network/streams.ts';
import type { TokenBucket } from '#node/network/tokenBucket.ts';

export type InboxOptions = {
  readonly maxMessageBytes: number;
  readonly messages: TokenBucket;
  readonly bytes: TokenBucket;
  readonly onMessage: (message: Uint8Array) => void;
  readonly onFault: (fault: PeerFault, detail: string) => void;
};

export const attachInbox = (stream: Stream, options: InboxOptions): void => {
  const { maxMessageBytes, messages, bytes, onMessage, onFault } = options;
  const decoder = createFrameDecoder({ minBytes: 1, maxBytes: maxMessageBytes }, (message) => {
    if (stream.status !== 'open') return; // an earlier message of the same chunk cost the peer its connection
    if (messages.take(1)) onMessage(message);
    else onFault('flood', 'more consensus messages than its budget');
  });
  stream.addEventListener('message', (event) => {
    if (stream.status !== 'open') return;
    const chunk = eventBytes(event);
    if (!bytes.take(chunk.length)) {
      // part of a frame is lost with it, so the stream ends here
      stream.abort(new Error('over its budget'));
      onFault('flood', 'more consensus bytes than its budget');
      return;
    }
    try {
      decoder.push(chunk);
    } catch (error) {
      stream.abort(new Error(errorMessage(error)));
      onFault(isCode(error, 'OVERSIZED') ? 'oversized' : 'malformed', errorMessage(error));
    }
  });
  stream.addEventListener('remoteCloseWrite', () => closeOurSide(stream));
};

/** We never write on it; closing our side lets the muxer forget the stream. */
const closeOurSide = (stream: Stream): void => {
  stream.close().catch((error: unknown) => stream.abort(new Error(errorMessage(error))));
};
