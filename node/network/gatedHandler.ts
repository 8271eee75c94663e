/** Nothing is served to a peer whose handshake is not done. */
import type { Connection, StreamHandler } from '@libp2p/interface';

export type Gate = (connection: Connection) => Promise<boolean>;

/** Data that comes before the gate opens stays with the sender: the stream is paused, not buffered. */
export const gateHandler =
  (handler: StreamHandler, gate: Gate): StreamHandler =>
  async (stream, connection) => {
    stream.pause();
    if (!(await gate(connection))) {
      stream.abort(new Error('the handshake is not done'));
      return;
    }
    if (stream.status !== 'open') return;
    stream.resume();
    await handler(stream, connection);
  };
