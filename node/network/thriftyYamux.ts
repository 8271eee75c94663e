/**
 * yamux that gives a window back by halves.
 *
 * The library answers every frame with a window update: an encryption and a write of twelve bytes for each vote that is
 * read, the dearest part of reading a small message. A window of which more than half is left keeps nobody waiting.
 * Owns nothing but that decision. Invariants: flags that are due (SYN, ACK) are sent at once; a sender is never left
 * with an empty window, because half of one is given back as soon as it is used up.
 */
import type {
  ComponentLogger,
  MultiaddrConnection,
  StreamMuxer,
  StreamMuxerFactory,
} from '@libp2p/interface';
import { type YamuxMuxerInit, yamux } from '@libp2p/yamux';
import { NetworkError } from '#node/network/networkError.ts';

/** What the library's streams have beyond their interface; checked at run time. */
type YamuxStream = {
  readonly state: number;
  readonly recvWindow: number;
  readonly recvWindowCapacity: number;
  sendWindowUpdate(): void;
};
type YamuxMuxer = StreamMuxer & { _newStream(...args: readonly unknown[]): YamuxStream };

/** StreamState of @libp2p/yamux 8: those in which no flag is due. */
const ESTABLISHED = 3;
const FINISHED = 4;

const giveBackByHalves = (stream: YamuxStream): YamuxStream => {
  if (
    typeof stream.state !== 'number' ||
    typeof stream.recvWindow !== 'number' ||
    typeof stream.recvWindowCapacity !== 'number' ||
    typeof stream.sendWindowUpdate !== 'function'
  )
    throw unexpected();
  const update = stream.sendWindowUpdate.bind(stream);
  stream.sendWindowUpdate = () => {
    const isWide = 2 * stream.recvWindowCapacity > stream.recvWindow;
    if (isWide && (stream.state === ESTABLISHED || stream.state === FINISHED)) return;
    update();
  };
  return stream;
};

const unexpected = (): NetworkError =>
  new NetworkError(
    'BAD_OPTIONS',
    'expected streams of @libp2p/yamux 8 with state, recvWindow, recvWindowCapacity and sendWindowUpdate, found another structure: use the version of package-lock.json',
  );

export const thriftyYamux =
  (init: YamuxMuxerInit): ((components: { logger: ComponentLogger }) => StreamMuxerFactory) =>
  () => {
    const factory = (yamux(init) as () => StreamMuxerFactory)();
    const createStreamMuxer = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (connection: MultiaddrConnection) => {
      const muxer = createStreamMuxer(connection) as YamuxMuxer;
      if (typeof muxer._newStream !== 'function') throw unexpected();
      const newStream = muxer._newStream.bind(muxer);
      muxer._newStream = (...args) => giveBackByHalves(newStream(...args));
      return muxer;
    };
    return factory;
  };
