/**
 * libp2p's registrar as gossipsub and identify see it: nothing is served to, and nobody is announced as, a peer
 * whose handshake is not done.
 *
 * Owns the waiting. The library announces peers after identify; here the owner announces them after the handshake,
 * and again from time to time: gossipsub ignores a peer that it already has, and so gets back a stream that broke.
 */
import type { Connection, PeerId, StreamHandler, StreamHandlerOptions, Topology } from '@libp2p/interface';
import type { Registrar } from '@libp2p/interface-internal';

export type Gate = (connection: Connection) => Promise<boolean>;

export type PeerAnnouncer = {
  connected(peerId: PeerId, connection: Connection): void;
  disconnected(peerId: PeerId): void;
};

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

export const createGatedRegistrar = (registrar: Registrar, gate: Gate): Registrar & PeerAnnouncer => {
  const topologies = new Map<string, Topology>();
  let lastId = 0;
  return {
    getProtocols: () => registrar.getProtocols(),
    getHandler: (protocol) => registrar.getHandler(protocol),
    handle: (protocol: string, handler: StreamHandler, options?: StreamHandlerOptions) =>
      registrar.handle(protocol, gateHandler(handler, gate), options),
    unhandle: (protocols, options) => registrar.unhandle(protocols, options),
    register: async (_protocol, topology) => {
      const id = `gated-${++lastId}`;
      topologies.set(id, topology);
      return id;
    },
    unregister: (id) => {
      topologies.delete(id);
    },
    getTopologies: () => [...topologies.values()],
    use: (protocol, middleware) => registrar.use(protocol, middleware),
    unuse: (protocol) => registrar.unuse(protocol),
    getMiddleware: (protocol) => registrar.getMiddleware(protocol),
    connected(peerId, connection) {
      for (const topology of topologies.values()) topology.onConnect?.(peerId, connection);
    },
    disconnected(peerId) {
      for (const topology of topologies.values()) topology.onDisconnect?.(peerId);
    },
  };
};
