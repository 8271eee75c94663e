/**
 * The peer network on libp2p 3: TCP, noise, yamux, gossipsub for transactions, direct streams for consensus.
 *
 * Owns the wiring of this folder's parts. A connection's life: the gater lets only allow-listed, unbanned PeerIds
 * in; handshake.ts decides whether we talk; peerTable.ts announces the peer; only then are other protocols served.
 * Invariants: nothing that a peer sends throws out of here; every queue, buffer and table is bounded by the size of
 * the allow-list; faults cost score (peerScore.ts), too many of them a ban that expires.
 */
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { TopicValidatorResult } from '@libp2p/gossipsub';
import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import type { Libp2p } from 'libp2p';
import { createDialer, type DialResult } from '#node/network/dialer.ts';
import { FORK_PLAN_HASH } from '#node/network/forkPlan.ts';
import { gateHandler } from '#node/network/gatedRegistrar.ts';
import { createBatcher, decodeBatch } from '#node/network/gossip.ts';
import { HANDSHAKE_PROTOCOL, HandshakeError, performHandshake } from '#node/network/handshake.ts';
import { attachInbox } from '#node/network/inbox.ts';
import { createKeepAlive } from '#node/network/keepAlive.ts';
import { createLibp2pNode, type Libp2pNode } from '#node/network/libp2pNode.ts';
import {
  type ConsensusHandler,
  MAX_CONSENSUS_MESSAGE_BYTES,
  type Network,
  type Peer,
  type PeerFault,
  type RequestHandler,
  type TransactionsHandler,
} from '#node/network/network.ts';
import { errorMessage, isCode, NetworkError } from '#node/network/networkError.ts';
import {
  BULK_PROTOCOL,
  checkOptions,
  DEFAULT_TUNING,
  type Libp2pNetworkOptions,
  type NetworkTuning,
  PING_PROTOCOL,
  PROTOCOL_VERSION,
  URGENT_MESSAGE_BYTES,
  URGENT_PROTOCOL,
} from '#node/network/networkOptions.ts';
import { createOutbox, type Outbox } from '#node/network/outbox.ts';
import { createPeerScores } from '#node/network/peerScore.ts';
import { type AllowedPeer, createPeerTable, type PeerLines } from '#node/network/peerTable.ts';
import { answer, ask, MAX_REQUESTS_AT_ONCE } from '#node/network/requests.ts';
import { createTokenBucket } from '#node/network/tokenBucket.ts';

const LAST_WORDS_MS = 500;

export type Libp2pNetwork = Network & {
  /** What others can dial, with the ports that were really bound. */
  addresses(): readonly string[];
};

type Link = {
  readonly allowed: AllowedPeer;
  readonly connection: Connection;
  /** Resolves once: true when the handshake is done. */
  readonly ready: Promise<boolean>;
  settle(result: DialResult): void;
  readonly result: Promise<DialResult>;
  handshaking: boolean;
};

/** @throws NetworkError BAD_OPTIONS */
export const createLibp2pNetwork = async (options: Libp2pNetworkOptions): Promise<Libp2pNetwork> => {
  checkOptions(options);
  const { domain, signer, logger, peers: configured } = options;
  const tuning: NetworkTuning = { ...DEFAULT_TUNING, ...options.tuning };
  const privateKey = await generateKeyPairFromSeed('Ed25519', options.privateKeySeed);
  const localPeerId = peerIdFromPrivateKey(privateKey).toString();
  const allowList = new Map(options.allowList.map((entry) => [entry.peerId, entry]));
  allowList.delete(localPeerId);
  const identity = {
    protocolVersion: options.protocolVersion ?? PROTOCOL_VERSION,
    domain,
    forkPlanHash: options.forkPlanHash ?? FORK_PLAN_HASH,
    peerId: localPeerId,
    signer,
  };
  const topic = `/causeway/${domain.chainId}/${domain.genesisHash.slice(2, 18)}/transactions/1`;
  const nowMs = (): number => performance.now();
  const scores = createPeerScores(tuning.score, nowMs);
  const stopping = new AbortController();
  const links = new Map<Connection, Link>();
  const requestHandlers = new Map<string, RequestHandler>();
  const connectedListeners = new Set<(peer: Peer) => void>();
  const disconnectedListeners = new Set<(peer: Peer) => void>();
  /** What was said about a peer already, so that a persistent mismatch does not fill the log. */
  const lastComplaint = new Map<string, string>();
  /** Bounded by the allow-list, gone with the peer's last connection. */
  const roundTrips = new Map<string, number>();
  let consensusHandler: ConsensusHandler = () => {};
  let transactionsHandler: TransactionsHandler = () => {};
  let running: Libp2pNode | null = null;

  const complain = (peerId: string, message: string): void => {
    if (lastComplaint.get(peerId) === message) return;
    if (lastComplaint.size > 4 * (allowList.size + 16)) lastComplaint.clear();
    lastComplaint.set(peerId, message);
    logger.warn({ peerId, peer: allowList.get(peerId)?.name ?? null }, message);
  };

  /** A listener's fault is this node's, and must not look like the network's. */
  const notify = <T extends readonly unknown[]>(listener: (...args: T) => void, ...args: T): void => {
    try {
      listener(...args);
    } catch (error) {
      logger.error({ error: errorMessage(error) }, 'a network listener threw');
    }
  };

  const openLine = async (peerId: string, protocol: string, signal: AbortSignal): Promise<Stream> => {
    const connection = table.newest(peerId);
    if (connection === null) throw new NetworkError('NOT_CONNECTED', `${peerId} is not connected`);
    const stream = await connection.newStream(protocol, { signal });
    // the other side never writes on it; reading notices when it closes
    stream.addEventListener('message', () => stream.abort(new Error('unexpected data')));
    return stream;
  };

  const createLine = (peerId: string, protocol: string, maxQueueBytes: number): Outbox =>
    createOutbox({
      maxQueueBytes,
      stallMs: tuning.stallMs,
      openStream: (signal) => openLine(peerId, protocol, signal),
      onStalled: (reason) => {
        logger.info({ peerId, protocol, reason }, 'peer does not read, dropping the connection');
        table.newest(peerId)?.abort(new Error(reason));
      },
    });

  const table = createPeerTable({
    localPeerId,
    retireAfterMs: tuning.retireAfterMs,
    createLines: (peerId): PeerLines => ({
      urgent: createLine(peerId, URGENT_PROTOCOL, tuning.urgentQueueBytes),
      bulk: createLine(peerId, BULK_PROTOCOL, tuning.bulkQueueBytes),
    }),
    createBudgets: () => ({
      messages: createTokenBucket(tuning.budgets.messages, nowMs),
      bytes: createTokenBucket(tuning.budgets.bytes, nowMs),
      requests: createTokenBucket(tuning.budgets.requests, nowMs),
      gossipBytes: createTokenBucket(tuning.budgets.gossipBytes, nowMs),
    }),
    onConnected: ({ peer, connections }) => {
      lastComplaint.delete(peer.peerId);
      logger.info({ peerId: peer.peerId, peer: peer.name, validator: peer.validator }, 'peer connected');
      running?.announcer.connected(connections[0]!.remotePeer, connections[0]!);
      for (const listener of connectedListeners) notify(listener, peer);
    },
    onDisconnected: (peer) => {
      logger.info({ peerId: peer.peerId, peer: peer.name }, 'peer disconnected');
      roundTrips.delete(peer.peerId);
      running?.announcer.disconnected(peerIdFromString(peer.peerId));
      for (const listener of disconnectedListeners) notify(listener, peer);
      dialer.lost(peer.peerId);
    },
  });

  const linkOf = (connection: Connection): Link | null => {
    const known = links.get(connection);
    if (known !== undefined) return known;
    const allowed = allowList.get(connection.remotePeer.toString());
    if (allowed === undefined || connection.status !== 'open' || stopping.signal.aborted) return null;
    const { promise, resolve } = Promise.withResolvers<DialResult>();
    const link: Link = {
      allowed,
      connection,
      result: promise,
      ready: promise.then((result) => result === 'connected'),
      settle: resolve,
      handshaking: false,
    };
    links.set(connection, link);
    connection.addEventListener('close', () => {
      link.settle('unreachable');
      links.delete(connection);
      table.leave(connection);
    });
    return link;
  };

  const gate = async (connection: Connection): Promise<boolean> => (await linkOf(connection)?.ready) ?? false;

  const isLinked = (peerId: string): boolean =>
    [...links.values()].some(({ allowed }) => allowed.peerId === peerId);

  const handshake = async (link: Link, open: (signal: AbortSignal) => Promise<Stream>): Promise<void> => {
    const { connection, allowed } = link;
    if (link.handshaking)
      throw new HandshakeError('MALFORMED', 'expected one handshake on a connection, found two');
    link.handshaking = true;
    const signal = AbortSignal.any([AbortSignal.timeout(tuning.handshakeTimeoutMs), stopping.signal]);
    let stream: Stream | null = null;
    try {
      stream = await open(signal);
      const validator = await performHandshake(stream, identity, allowed, signal);
      if (connection.status !== 'open') throw new NetworkError('STREAM', 'closed during the handshake');
      table.join(connection, allowed, validator);
      link.settle('connected');
    } catch (error) {
      const refused = error instanceof HandshakeError;
      if (refused) complain(allowed.peerId, `handshake failed: ${error.message}`);
      else logger.debug({ peerId: allowed.peerId, error: errorMessage(error) }, 'handshake broke off');
      link.settle(refused ? 'refused' : 'unreachable');
      if (refused && connection.direction === 'inbound') dialer.refused(allowed.peerId);
      if (refused && stream !== null) await lastWords(stream);
      await connection.close().catch((closeError: unknown) => connection.abort(closeError as Error));
      return;
    }
    await stream.close({ signal }).catch((error: unknown) => stream.abort(error as Error));
  };

  const onConnectionOpen = (connection: Connection): void => {
    const link = linkOf(connection);
    if (link === null) {
      connection.abort(new Error('not welcome'));
      return;
    }
    if (connection.direction === 'outbound')
      void handshake(link, (signal) => connection.newStream(HANDSHAKE_PROTOCOL, { signal }));
    else
      void within(link.ready, tuning.handshakeTimeoutMs).then((ready) => {
        if (!ready && connection.status === 'open') connection.abort(new Error('no handshake in time'));
      });
  };

  const onHandshakeStream = async (stream: Stream, connection: Connection): Promise<void> => {
    const link = linkOf(connection);
    if (link === null || connection.direction === 'outbound' || link.handshaking)
      stream.abort(new Error('no handshake is due'));
    else await handshake(link, async () => stream);
  };

  const dial = async (peerId: string): Promise<DialResult> => {
    const target = configured.find((peer) => peer.peerId === peerId)!;
    try {
      const address = multiaddr(
        target.address.includes('/p2p/') ? target.address : `${target.address}/p2p/${peerId}`,
      );
      const signal = AbortSignal.any([AbortSignal.timeout(tuning.dialTimeoutMs), stopping.signal]);
      const connection = await running!.node.dial(address, { signal });
      return (await linkOf(connection)?.result) ?? 'unreachable';
    } catch (error) {
      if (error instanceof Error && error.name === 'UnexpectedPeerError')
        complain(
          peerId,
          `expected this peer at ${target.address}, found another PeerId: correct [[p2p.peers]]`,
        );
      else logger.debug({ peerId, error: errorMessage(error) }, 'cannot dial');
      return 'unreachable';
    }
  };

  const dialer = createDialer({
    localPeerId,
    peerIds: configured.map(({ peerId }) => peerId).filter((peerId) => peerId !== localPeerId),
    dial,
    isLinked,
    banLeftMs: scores.banLeftMs,
  });

  const reportFault = (peerId: string, fault: PeerFault, detail: string): void => {
    if (!allowList.has(peerId)) return;
    logger.debug({ peerId, fault, detail }, 'peer fault');
    if (!scores.fault(peerId, fault)) return;
    logger.warn(
      { peerId, peer: allowList.get(peerId)!.name, fault, detail, banMs: tuning.score.banMs },
      'peer banned for a while: too many faults',
    );
    for (const link of links.values())
      if (link.allowed.peerId === peerId) link.connection.abort(new Error(`banned: ${fault}`));
  };

  const mayConnect = (peerId: PeerId): boolean => {
    const text = peerId.toString();
    return allowList.has(text) && !scores.isBanned(text);
  };

  const denyAfterEncryption = (peerId: PeerId): boolean => {
    if (mayConnect(peerId)) return false;
    const text = peerId.toString();
    if (!allowList.has(text))
      complain(text, 'refused a PeerId that the specification does not list: add it there or stop that node');
    return true;
  };

  const onConsensusStream = (maxMessageBytes: number) => (stream: Stream, connection: Connection) => {
    const connected = table.get(connection.remotePeer.toString());
    if (connected === null) return stream.abort(new Error('not connected'));
    const { peer, budgets } = connected;
    if (peer.validator === null) {
      stream.abort(new Error('not a validator'));
      reportFault(peer.peerId, 'forbidden', 'consensus messages from a node without a consensus key');
      return;
    }
    attachInbox(stream, {
      maxMessageBytes,
      messages: budgets.messages,
      bytes: budgets.bytes,
      onMessage: (message) => notify(consensusHandler, peer, message),
      onFault: (fault, detail) => reportFault(peer.peerId, fault, detail),
    });
  };

  const onRequestStream =
    (handler: RequestHandler) =>
    async (stream: Stream, connection: Connection): Promise<void> => {
      const connected = table.get(connection.remotePeer.toString());
      if (connected === null) return stream.abort(new Error('not connected'));
      const { peer, budgets } = connected;
      if (!budgets.requests.take(1)) {
        stream.abort(new Error('over its budget'));
        reportFault(peer.peerId, 'flood', 'more requests than its budget');
        return;
      }
      await answer(stream, (request) => handler(peer, request), {
        readTimeoutMs: tuning.requestTimeoutMs,
        answerTimeoutMs: 2 * tuning.requestTimeoutMs,
        onOversized: (detail) => reportFault(peer.peerId, 'oversized', detail),
      });
    };

  const registerRequest = (node: Libp2p, protocol: string, handler: RequestHandler): Promise<void> =>
    node.handle(protocol, gateHandler(onRequestStream(handler), gate), {
      maxInboundStreams: MAX_REQUESTS_AT_ONCE,
      maxOutboundStreams: 4 * MAX_REQUESTS_AT_ONCE,
    });

  /** Gossipsub asks before it forwards. */
  const validateBatch = (source: PeerId, data: Uint8Array): TopicValidatorResult => {
    const peerId = source.toString();
    if (peerId === localPeerId) return TopicValidatorResult.Accept;
    const connected = table.get(peerId);
    if (connected === null) return TopicValidatorResult.Ignore;
    if (!connected.budgets.gossipBytes.take(data.length)) {
      reportFault(peerId, 'flood', 'more gossip than its budget');
      return TopicValidatorResult.Ignore;
    }
    let transactions: Uint8Array[];
    try {
      transactions = decodeBatch(data);
    } catch (error) {
      reportFault(peerId, isCode(error, 'OVERSIZED') ? 'oversized' : 'malformed', errorMessage(error));
      return TopicValidatorResult.Reject;
    }
    notify(transactionsHandler, connected.peer, transactions);
    return TopicValidatorResult.Accept;
  };

  const batcher = createBatcher((batch) => {
    running?.pubsub.publish(topic, batch).catch((error: unknown) => {
      logger.debug({ error: errorMessage(error) }, 'a batch of transactions was not published');
    });
  });

  const keepAlive = createKeepAlive({
    intervalMs: tuning.pingIntervalMs,
    connections: () => table.all().flatMap(({ connections }) => connections),
    ping: (connection) =>
      ask(connection, PING_PROTOCOL, new Uint8Array(0), {
        timeoutMs: tuning.pingTimeoutMs,
        maxAnswerBytes: 0,
        signal: stopping.signal,
      }),
    onAnswer: ({ remotePeer }, roundTripMs) => {
      const peerId = remotePeer.toString();
      if (table.get(peerId) !== null) roundTrips.set(peerId, Math.max(1, Math.round(roundTripMs)));
    },
    onDead: (connection, reason) => {
      if (stopping.signal.aborted) return;
      logger.info(
        { peerId: connection.remotePeer.toString(), reason: errorMessage(reason) },
        'peer does not answer, dropping the connection',
      );
      connection.abort(new Error('no answer'));
    },
  });

  const sendConsensus = (peerId: string, message: Uint8Array): void => {
    if (message.length === 0 || message.length > MAX_CONSENSUS_MESSAGE_BYTES)
      throw new NetworkError(
        'OVERSIZED',
        `expected a consensus message of 1 to ${MAX_CONSENSUS_MESSAGE_BYTES} bytes, found ${message.length}`,
      );
    const connected = table.get(peerId);
    if (connected === null) return;
    const { urgent, bulk } = connected.lines;
    (message.length <= URGENT_MESSAGE_BYTES ? urgent : bulk).send(message);
  };

  let announceTimer: NodeJS.Timeout | null = null;
  const announceAgain = (): void => {
    for (const { connections } of table.all()) {
      const newest = connections.at(-1)!;
      running?.announcer.connected(newest.remotePeer, newest);
    }
  };

  return {
    localPeerId,
    async start() {
      if (running !== null || stopping.signal.aborted)
        throw new NetworkError('BAD_OPTIONS', 'expected one start of a network, found a second');
      running = await createLibp2pNode({
        privateKey,
        listen: options.listen,
        maxPeers: allowList.size,
        upgradeTimeoutMs: tuning.handshakeTimeoutMs,
        topic,
        gate,
        denyDial: (peerId) => !mayConnect(peerId),
        denyProven: denyAfterEncryption,
        validateBatch,
      });
      const { node, pubsub } = running;
      node.addEventListener('connection:open', (event) => onConnectionOpen(event.detail));
      await node.handle(HANDSHAKE_PROTOCOL, onHandshakeStream, {
        maxInboundStreams: 1,
        maxOutboundStreams: 1,
      });
      const lines = { maxInboundStreams: 4, maxOutboundStreams: 4 };
      await node.handle(URGENT_PROTOCOL, gateHandler(onConsensusStream(URGENT_MESSAGE_BYTES), gate), lines);
      await node.handle(
        BULK_PROTOCOL,
        gateHandler(onConsensusStream(MAX_CONSENSUS_MESSAGE_BYTES), gate),
        lines,
      );
      await registerRequest(node, PING_PROTOCOL, async () => new Uint8Array(0));
      for (const [protocol, handler] of requestHandlers) await registerRequest(node, protocol, handler);
      await node.start();
      pubsub.subscribe(topic);
      keepAlive.start();
      announceTimer = setInterval(announceAgain, 2_000);
      dialer.start();
      logger.info({ peerId: localPeerId, addresses: node.getMultiaddrs().map(String) }, 'network started');
    },
    async stop() {
      if (stopping.signal.aborted) return;
      stopping.abort(new NetworkError('STREAM', 'the network stops'));
      dialer.stop();
      keepAlive.stop();
      batcher.stop();
      if (announceTimer !== null) clearInterval(announceTimer);
      table.stop();
      for (const { connection } of [...links.values()]) connection.abort(new Error('the network stops'));
      await running?.node.stop();
    },
    addresses: () => running?.node.getMultiaddrs().map(String) ?? [],
    peers: () =>
      table.all().map(({ peer }) => {
        const roundTripMs = roundTrips.get(peer.peerId);
        return roundTripMs === undefined ? peer : { ...peer, roundTripMs };
      }),
    onPeerConnected(listener) {
      connectedListeners.add(listener);
      return () => connectedListeners.delete(listener);
    },
    onPeerDisconnected(listener) {
      disconnectedListeners.add(listener);
      return () => disconnectedListeners.delete(listener);
    },
    sendConsensus,
    broadcastConsensus(message) {
      for (const { peer } of table.all()) if (peer.validator !== null) sendConsensus(peer.peerId, message);
    },
    onConsensus(handler) {
      consensusHandler = handler;
    },
    async request(peerId, protocol, request, requestOptions = {}) {
      const connection = table.newest(peerId);
      if (connection === null)
        throw new NetworkError(
          'NOT_CONNECTED',
          `expected ${peerId} to be connected, found it is not: ask another peer`,
        );
      return ask(connection, protocol, request, {
        timeoutMs: requestOptions.timeoutMs ?? tuning.requestTimeoutMs,
        maxAnswerBytes: requestOptions.maxAnswerBytes ?? MAX_CONSENSUS_MESSAGE_BYTES,
        signal: stopping.signal,
      });
    },
    handleRequest(protocol, handler) {
      if (requestHandlers.has(protocol))
        throw new NetworkError('BAD_OPTIONS', `expected one handler for ${protocol}, found a second`);
      requestHandlers.set(protocol, handler);
      if (running === null || stopping.signal.aborted) return;
      registerRequest(running.node, protocol, handler).catch((error: unknown) =>
        logger.error({ protocol, error: errorMessage(error) }, 'requests of this protocol are not served'),
      );
    },
    publishTransactions(transactions) {
      batcher.add(transactions);
    },
    onTransactions(handler) {
      transactionsHandler = handler;
    },
    reportFault,
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
