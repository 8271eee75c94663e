/**
 * What waits to be sent to one peer on one long-lived stream.
 *
 * Owns a bounded queue and the stream under it. Invariants: at most `maxQueueBytes` wait; a frame is sent whole or,
 * when its stream breaks, from its beginning on the next one; a peer that does not read for `stallMs` loses the
 * stream, and one whose queue overflows is reported to the owner, which drops the connection.
 */
import type { Stream } from '@libp2p/interface';
import { createDeadline } from '#node/network/deadline.ts';
import { encodeFrame } from '#node/network/frames.ts';
import { errorMessage } from '#node/network/networkError.ts';
import { closeQuietly, sendAtOnce, writeAll } from '#node/network/streams.ts';

export type OutboxOptions = {
  readonly maxQueueBytes: number;
  readonly stallMs: number;
  readonly openStream: (signal: AbortSignal) => Promise<Stream>;
  /** The peer does not read, or its stream cannot be opened; what waited was dropped. */
  readonly onStalled: (reason: string) => void;
};

export type Outbox = {
  send(message: Uint8Array): void;
  /** The next frame opens a stream of its own on whatever `openStream` finds then. */
  reopen(): void;
  close(): void;
};

export const createOutbox = ({ maxQueueBytes, stallMs, openStream, onStalled }: OutboxOptions): Outbox => {
  const queue: Uint8Array[] = [];
  const closing = new AbortController();
  let queuedBytes = 0;
  let stream: Stream | null = null;
  let pumping = false;

  const dropStream = (reason: string): void => {
    stream?.abort(new Error(reason));
    stream = null;
  };

  const stalled = (reason: string): void => {
    queue.length = 0;
    queuedBytes = 0;
    dropStream(reason);
    if (!closing.signal.aborted) onStalled(reason);
  };

  const sendHead = async (frame: Uint8Array): Promise<void> => {
    // most frames leave at once, and then nothing has to watch over them
    if (stream !== null && stream.writeStatus === 'writable' && sendAtOnce(stream, frame)) return;
    const deadline = createDeadline(stallMs, closing.signal);
    try {
      if (stream === null || stream.writeStatus !== 'writable') stream = await openStream(deadline.signal);
      await writeAll(stream, frame, deadline.signal);
    } finally {
      deadline.clear();
    }
  };

  const pump = async (): Promise<void> => {
    let attempts = 0;
    while (!closing.signal.aborted) {
      const frame = queue[0];
      if (frame === undefined) return;
      const sentOn = stream;
      try {
        await sendHead(frame);
        attempts = 0;
        if (queue[0] === frame) {
          queue.shift();
          queuedBytes -= frame.length;
        }
      } catch (error) {
        // a stream that had broken before, or was replaced meanwhile, is worth one more try
        if (sentOn !== null && stream !== null) dropStream('broken');
        stream = null;
        if (++attempts > 1) stalled(`cannot send: ${errorMessage(error)}`);
      }
    }
  };

  const start = (): void => {
    if (pumping) return;
    pumping = true;
    void pump().finally(() => {
      pumping = false;
      if (queue.length > 0 && !closing.signal.aborted) start();
    });
  };

  return {
    send(message) {
      if (closing.signal.aborted) return;
      const frame = encodeFrame(message);
      if (queuedBytes + frame.length > maxQueueBytes) {
        stalled(`more than ${maxQueueBytes} bytes wait for it`);
        return;
      }
      queue.push(frame);
      queuedBytes += frame.length;
      start();
    },
    reopen() {
      if (stream !== null) closeQuietly(stream);
      stream = null;
    },
    close() {
      closing.abort(new Error('outbox closed'));
      queue.length = 0;
      queuedBytes = 0;
      if (stream !== null) closeQuietly(stream);
      stream = null;
    },
  };
};
