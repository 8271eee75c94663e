/**
 * Connections from their first moment to the end of their handshake.
 *
 * Owns who is let through the gater, one handshake per connection, and the time it may take. After it, peerTable.ts
 * has the connection. Invariants: at most `MAX_CONNECTIONS_PER_PEER` connections of one PeerId; a stranger has to
 * prove a validator's key first, before anything is signed for it; an inbound connection without a handshake in time
 * is gone.
 */
import type { Connection, PeerId, Stream } from '@libp2p/interface';
import type { Address } from '#consensus/primitives.ts';
import type { AddressGate } from '#node/network/addressGate.ts';
import type { AllowList } from '#node/network/allowList.ts';
import type { CounterBook } from '#node/network/counters.ts';
import type { Defence } from '#node/network/defence.ts';
import type { DialResult } from '#node/network/dialer.ts';
import { HandshakeError, type HandshakeIdentity, performHandshake } from '#node/network/handshake.ts';
import { errorMessage, NetworkError } from '#node/network/networkError.ts';
import type { AllowedPeer } from '#node/network/peerTable.ts';
import type { SecurityLog } from '#node/network/securityLog.ts';

export const MAX_CONNECTIONS_PER_PEER = 4;
const LAST_WORDS_MS = 500;

export type Link = {
  readonly peerId: string;
  readonly connection: Connection;
  /** Where it comes from, for the address's budget. */
  readonly address: string;
  /** Null for a stranger, until it proved a key. */
  allowed: AllowedPeer | null;
  /** The key that was proven, acceptable as a validator's now or not. */
  proven: Address | null;
  readonly result: Promise<DialResult>;
  readonly ready: Promise<boolean>;
  settle(result: DialResult): void;
  handshaking: boolean;
};

export type LinksOptions = {
  readonly identity: HandshakeIdentity;
  readonly allowList: AllowList;
  readonly gate: AddressGate;
  readonly defence: Defence;
  readonly counters: CounterBook;
  readonly log: SecurityLog;
  readonly handshakeTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly addressOf: (connection: Pick<Connection, 'remoteAddr'>) => string;
  readonly openHandshake: (connection: Connection, signal: AbortSignal) => Promise<Stream>;
  /** The handshake is done. */
  readonly onReady: (connection: Connection, allowed: AllowedPeer, validator: Address | null) => void;
  readonly onClosed: (connection: Connection) => void;
  /** A peer that dialled us was refused, or refused us. */
  readonly onRefused: (peerId: string) => void;
};

export type Links = {
  mayDial(peerId: PeerId): boolean;
  /** Noise has proven the PeerId. */
  denies(peerId: PeerId, direction: 'inbound' | 'outbound', address: string): boolean;
  opened(connection: Connection): void;
  onHandshakeStream(stream: Stream, connection: Connection): Promise<void>;
  /** Resolves when the handshake is over: may anything else be served? */
  gate(connection: Connection): Promise<boolean>;
  of(connection: Connection): Link | null;
  all(): readonly Link[];
  isLinked(peerId: string): boolean;
};

export const createLinks = (options: LinksOptions): Links => {
  const { identity, allowList, gate, defence, counters, log, handshakeTimeoutMs, signal: stopping } = options;
  const { addressOf, openHandshake, onReady, onClosed, onRefused } = options;
  const links = new Map<Connection, Link>();

  const countOf = (peerId: string): number => {
    let count = 0;
    for (const link of links.values()) if (link.peerId === peerId) count++;
    return count;
  };

  const isWelcome = (connection: Connection): boolean => {
    if (connection.status !== 'open' || stopping.aborted) return false;
    const peerId = connection.remotePeer.toString();
    if (allowList.get(peerId) === null && !allowList.takesStrangers()) return false;
    if (countOf(peerId) < MAX_CONNECTIONS_PER_PEER) return true;
    counters.drop('tooManyConnections', allowList.get(peerId) === null ? undefined : peerId);
    return false;
  };

  const linkOf = (connection: Connection): Link | null => {
    const known = links.get(connection);
    if (known !== undefined) return known;
    if (!isWelcome(connection)) return null;
    const { promise, resolve } = Promise.withResolvers<DialResult>();
    const peerId = connection.remotePeer.toString();
    const link: Link = {
      peerId,
      connection,
      address: addressOf(connection),
      allowed: allowList.get(peerId),
      proven: null,
      result: promise,
      ready: promise.then((result) => result === 'connected'),
      settle: resolve,
      handshaking: false,
    };
    links.set(connection, link);
    connection.addEventListener('close', () => {
      link.settle('unreachable');
      links.delete(connection);
      onClosed(connection);
    });
    return link;
  };

  /** @throws HandshakeError, NetworkError */
  const shakeHands = async (link: Link, stream: Stream, signal: AbortSignal): Promise<void> => {
    const { connection, peerId } = link;
    const listed = link.allowed?.validator ?? null;
    const proven = await performHandshake(
      stream,
      identity,
      {
        peerId,
        validator: listed,
        accepts: (address) => address === listed || allowList.isAcceptable(address, listed),
        ...(link.allowed === null ? { mustProve: true, isDialler: connection.direction === 'inbound' } : {}),
      },
      signal,
    );
    if (connection.status !== 'open') throw new NetworkError('STREAM', 'closed during the handshake');
    const validator = proven !== null && allowList.isAcceptable(proven, listed) ? proven : null;
    if (validator !== null && defence.isKeyBanned(validator))
      throw new HandshakeError('REFUSED', `the key of ${validator} is banned for a moment`);
    const allowed = link.allowed ?? (validator === null ? null : allowList.learn(peerId, validator));
    if (allowed === null)
      throw new HandshakeError(
        'REFUSED',
        `expected fewer PeerIds with the key of ${validator}, found one more`,
      );
    link.allowed = allowed;
    link.proven = proven;
    onReady(connection, allowed, validator);
    link.settle('connected');
  };

  const noteRefusal = (link: Link, error: HandshakeError): void => {
    counters.drop('handshakeRefused', link.allowed === null ? undefined : link.peerId);
    if (link.allowed === null) gate.strangerFailed(link.address);
    const source = link.allowed === null ? link.address : link.peerId;
    const { peerId, address } = link;
    log(
      'warn',
      `handshake ${error.code}`,
      source,
      { peerId, peer: link.allowed?.name ?? null, address },
      `handshake failed: ${error.message}`,
    );
    if (link.connection.direction === 'inbound') onRefused(peerId);
  };

  const handshake = async (link: Link, open: (signal: AbortSignal) => Promise<Stream>): Promise<void> => {
    const { connection } = link;
    link.handshaking = true;
    const signal = AbortSignal.any([AbortSignal.timeout(handshakeTimeoutMs), stopping]);
    let stream: Stream | null = null;
    try {
      stream = await open(signal);
      await shakeHands(link, stream, signal);
    } catch (error) {
      const refused = error instanceof HandshakeError;
      if (refused) noteRefusal(link, error);
      else {
        if (link.allowed === null) gate.strangerFailed(link.address);
        log(
          'debug',
          'handshake',
          link.address,
          { peerId: link.peerId, error: errorMessage(error) },
          'handshake broke off',
        );
      }
      link.settle(refused ? 'refused' : 'unreachable');
      if (refused && stream !== null) await lastWords(stream);
      await connection.close().catch((closeError: unknown) => connection.abort(closeError as Error));
      return;
    }
    await stream.close({ signal }).catch((error: unknown) => stream.abort(error as Error));
  };

  const refuse = (
    reason: 'unlisted' | 'banned' | 'tooManyConnections',
    peerId: string,
    address: string,
  ): true => {
    counters.drop(reason, allowList.get(peerId) === null ? undefined : peerId);
    if (reason === 'unlisted')
      log(
        'warn',
        'unlisted',
        address,
        { peerId, address },
        'refused a PeerId that the specification does not list: add it there or stop that node',
      );
    return true;
  };

  return {
    mayDial(peerId) {
      const text = peerId.toString();
      return (allowList.get(text) !== null || allowList.takesStrangers()) && !defence.isBanned(text);
    },
    denies(peerId, direction, address) {
      const text = peerId.toString();
      if (defence.isBanned(text)) return refuse('banned', text, address);
      if (allowList.get(text) !== null) {
        if (direction === 'outbound' || defence.mayConnectAgain(text)) return false;
        return refuse('tooManyConnections', text, address);
      }
      if (!allowList.takesStrangers()) return refuse('unlisted', text, address);
      if (direction === 'outbound' || gate.mayStrangerTry(address)) return false;
      return refuse('unlisted', text, address);
    },
    opened(connection) {
      const link = linkOf(connection);
      if (link === null) {
        connection.abort(new Error('not welcome'));
        return;
      }
      if (connection.direction === 'outbound')
        void handshake(link, (signal) => openHandshake(connection, signal));
      else
        void within(link.ready, handshakeTimeoutMs).then((ready) => {
          if (!ready && connection.status === 'open') connection.abort(new Error('no handshake in time'));
        });
    },
    async onHandshakeStream(stream, connection) {
      const link = linkOf(connection);
      if (link === null || connection.direction === 'outbound' || link.handshaking)
        stream.abort(new Error('no handshake is due'));
      else await handshake(link, async () => stream);
    },
    gate: async (connection) => (await linkOf(connection)?.ready) ?? false,
    of: linkOf,
    all: () => [...links.values()],
    isLinked: (peerId) => countOf(peerId) > 0,
  };
};

/** Lets the verdict reach the peer, which then closes its side, before the connection goes. */
const lastWords = async (stream: Stream): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, LAST_WORDS_MS);
  stream.addEventListener('close', () => resolve());
  stream.close({ signal: AbortSignal.timeout(LAST_WORDS_MS) }).catch(() => resolve());
  if (stream.status === 'open') await promise;
  clearTimeout(timer);
};

/** False when it takes longer. */
const within = async (promise: Promise<boolean>, timeoutMs: number): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, false);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};
