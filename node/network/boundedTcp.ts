/**
 * libp2p's TCP transport with our bounds in front: the address gate at accept, the reading turns from the first byte.
 *
 * Owns nothing but the order: gate → reading bound → libp2p's own upgrade. Outbound connections are read in turns
 * too: whom we dialled can flood as well.
 */
import type { MultiaddrConnection, Upgrader } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { type AddressGate, plainAddress } from '#node/network/addressGate.ts';
import type { ReadingTurns } from '#node/network/readingTurns.ts';

export type BoundedTcpParts = {
  readonly gate: AddressGate;
  readonly turns: ReadingTurns;
  /** Keeps what `enter` gave until the handshake is done. The key is the connection's timeline. */
  readonly onEntered: (timeline: object, leave: () => void) => void;
};

export const addressOf = ({ remoteAddr }: { remoteAddr: MultiaddrConnection['remoteAddr'] }): string =>
  plainAddress(remoteAddr.getComponents()[0]?.value ?? '');

type TcpFactory = ReturnType<typeof tcp>;

export const boundedTcp = ({ gate, turns, onEntered }: BoundedTcpParts): TcpFactory => {
  const boundUpgrader = (upgrader: Upgrader): Upgrader => ({
    getStreamMuxers: () => upgrader.getStreamMuxers(),
    getConnectionEncrypters: () => upgrader.getConnectionEncrypters(),
    createInboundAbortSignal: (signal) => upgrader.createInboundAbortSignal(signal),
    upgradeOutbound(connection, options) {
      turns.watch(connection);
      return upgrader.upgradeOutbound(connection, options);
    },
    async upgradeInbound(connection, options) {
      const leave = gate.enter(addressOf(connection));
      if (leave === null) throw new Error('too many connections of this address wait for their handshake');
      connection.addEventListener('close', leave);
      onEntered(connection.timeline, leave);
      turns.watch(connection);
      await upgrader.upgradeInbound(connection, options);
    },
  });

  const listenOpts = { noDelay: true, blockList: gate.blockList };
  const create = tcp({ dialOpts: { noDelay: true }, listenOpts });
  return (components) => {
    const transport = create(components);
    const dial = transport.dial.bind(transport);
    const createListener = transport.createListener.bind(transport);
    transport.dial = (address, options) =>
      dial(address, { ...options, upgrader: boundUpgrader(options.upgrader) });
    transport.createListener = (options) =>
      createListener({ ...options, upgrader: boundUpgrader(options.upgrader) });
    return transport;
  };
};
