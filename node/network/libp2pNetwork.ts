/**
 * The peer network on libp2p 3: TCP, noise, yamux, direct streams for consensus and for transactions.
 *
 * Owns the wiring of this folder's parts. A connection's life: the address gate and the gater let it come as far as
 * its handshake (links.ts); peerTable.ts announces the peer; only then are other protocols served
 * (inboundStreams.ts), each within the peer's budgets.
 * Invariants: nothing that a peer sends throws out of here; every queue, buffer and table is bounded; faults cost
 * score (defence.ts), too many of them a ban that expires.
 */
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Stream } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import type { Libp2p } from 'libp2p';
import { createAddressGate, plainAddress } from '#node/network/addressGate.ts';
import { createAllowList, MAX_PEER_IDS_PER_KEY } from '#node/network/allowList.ts';
import { addressOf } from '#node/network/boundedTcp.ts';
import { createCounterBook, type NetworkCounters } from '#node/network/counters.ts';
import { createDefence } from '#node/network/defence.ts';
import { createDialer, type DialResult } from '#node/network/dialer.ts';
import { FORK_PLAN_HASH } from '#node/network/forkPlan.ts';
import { gateHandler } from '#node/network/gatedHandler.ts';
import { HANDSHAKE_PROTOCOL } from '#node/network/handshake.ts';
import { createInboundStreams } from '#node/network/inboundStreams.ts';
import { createKeepAlive } from '#node/network/keepAlive.ts';
import { createLibp2pNode } from '#node/network/libp2pNode.ts';
import { createLinks, MAX_CONNECTIONS_PER_PEER } from '#node/network/links.ts';
import {
  type BatchOutcome,
  type ConsensusHandler,
  MAX_CONSENSUS_MESSAGE_BYTES,
  type Network,
  type Peer,
  type RequestHandler,
  type TransactionsHandler,
} from '#node/network/network.ts';
import { errorMessage, NetworkError } from '#node/network/networkError.ts';
import {
  BULK_PROTOCOL,
  checkOptions,
  DEFAULT_TUNING,
  type Libp2pNetworkOptions,
  type NetworkTuning,
  PING_PROTOCOL,
  PROTOCOL_VERSION,
  TRANSACTIONS_PROTOCOL,
  URGENT_MESSAGE_BYTES,
  URGENT_PROTOCOL,
  useMs,
} from '#node/network/networkOptions.ts';
import { createOutbox, type Outbox } from '#node/network/outbox.ts';
import { budgetName, createPeerBudgets } from '#node/network/peerBudgets.ts';
import { type ConnectedPeer, createPeerTable, type PeerLines } from '#node/network/peerTable.ts';
import { createReadingTurns, threadCpuMs } from '#node/network/readingTurns.ts';
import { ask, MAX_REQUESTS_AT_ONCE } from '#node/network/requests.ts';
import { createSecurityLog } from '#node/network/securityLog.ts';
import { createSpreading, type Neighbour } from '#node/network/spreading.ts';
import { holderOf } from '#node/network/transactionBatch.ts';

export type Libp2pNetwork = Network & {
  /** What others can dial, with the ports that were really bound. */
  addresses(): readonly string[];
  /** What was refused, dropped and slowed down so far. */
  counters(): NetworkCounters;
};

const NOTHING_TAKEN: BatchOutcome = { fresh: [], isJunk: false, recovered: 0, waitMs: 0 };

/** A set may grow to this many validators while a node runs (RULES 5). */
const MAX_VALIDATORS = 100;
const RECHECK_MS = 2_000;

/** @throws NetworkError BAD_OPTIONS */
export const createLibp2pNetwork = async (options: Libp2pNetworkOptions): Promise<Libp2pNetwork> => {
  checkOptions(options);
  const { domain, signer, logger, peers: configured } = options;
  const tuning: NetworkTuning = { ...DEFAULT_TUNING, ...options.tuning };
  const privateKey = await generateKeyPairFromSeed('Ed25519', options.privateKeySeed);
  const localPeerId = peerIdFromPrivateKey(privateKey).toString();
  const identity = {
    protocolVersion: options.protocolVersion ?? PROTOCOL_VERSION,
    domain,
    forkPlanHash: options.forkPlanHash ?? FORK_PLAN_HASH,
    peerId: localPeerId,
    signer,
  };
  const nowMs = (): number => performance.now();
  const stopping = new AbortController();
  const requestHandlers = new Map<string, RequestHandler>();
  const connectedListeners = new Set<(peer: Peer) => void>();
  const disconnectedListeners = new Set<(peer: Peer) => void>();
  const lostListeners = new Set<(peer: Peer) => void>();
  /** Bounded by the peer table, gone with the peer's last connection. */
  const roundTrips = new Map<string, number>();
  /** By a connection's timeline: gives back its place among those that have not shaken hands. */
  const entered = new WeakMap<object, () => void>();
  let consensusHandler: ConsensusHandler = () => {};
  let transactionsHandler: TransactionsHandler = async () => NOTHING_TAKEN;
  let running: Libp2p | null = null;

  const allowList = createAllowList(options.allowList, localPeerId, options.members ?? null);
  const counters = createCounterBook();
  const log = createSecurityLog(logger, nowMs);
  const gate = createAddressGate(
    tuning.addresses,
    new Set(
      configured.map(({ address }) => plainAddress(multiaddr(address).getComponents()[0]?.value ?? '')),
    ),
    nowMs,
    (why, address) => {
      counters.drop(why === 'pending' ? 'pendingHandshakes' : 'acceptRate');
      log('warn', why, address, { address, why }, 'connections of this address refused: too many at once');
    },
  );
  const turns = createReadingTurns({
    beforeHandshakeBytes: tuning.beforeHandshakeBytes,
    sliceMs: tuning.sliceMs,
    nowMs,
    cpuNowMs: threadCpuMs,
  });
  const budgetsOf = createPeerBudgets(tuning.budgets, turns, nowMs);

  /** A listener's fault is this node's, and must not look like the network's. */
  const notify = <T extends readonly unknown[], R>(
    listener: (...args: T) => R,
    ...args: T
  ): R | undefined => {
    try {
      return listener(...args);
    } catch (error) {
      logger.error({ error: errorMessage(error) }, 'a network listener threw');
      return undefined;
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

  /** Whoever does not take transactions loses them; whoever does not take votes, the connection. */
  const createTransactionLine = (peerId: string): Outbox =>
    createOutbox({
      maxQueueBytes: tuning.transactionsQueueBytes,
      stallMs: tuning.stallMs,
      openStream: (signal) => openLine(peerId, TRANSACTIONS_PROTOCOL, signal),
      onStalled: (reason) => {
        log(
          'debug',
          'slow',
          peerId,
          { peerId, reason },
          'peer does not read transactions, dropping what waits for it',
        );
        // not from within the send that found the queue full
        setImmediate(() => {
          const connected = table.get(peerId);
          if (connected !== null) for (const listener of lostListeners) notify(listener, connected.peer);
        });
      },
    });

  const createLine = (peerId: string, protocol: string, maxQueueBytes: number): Outbox =>
    createOutbox({
      maxQueueBytes,
      stallMs: tuning.stallMs,
      openStream: (signal) => openLine(peerId, protocol, signal),
      onStalled: (reason) => {
        log(
          'info',
          'stalled',
          peerId,
          { peerId, protocol, reason },
          'peer does not read, dropping the connection',
        );
        table.newest(peerId)?.abort(new Error(reason));
      },
    });

  const table = createPeerTable({
    localPeerId,
    retireAfterMs: tuning.retireAfterMs,
    createLines: (peerId): PeerLines => ({
      urgent: createLine(peerId, URGENT_PROTOCOL, tuning.urgentQueueBytes),
      bulk: createLine(peerId, BULK_PROTOCOL, tuning.bulkQueueBytes),
      transactions: createTransactionLine(peerId),
    }),
    budgetsOf,
    onConnected: ({ peer }) => {
      logger.info({ peerId: peer.peerId, peer: peer.name, validator: peer.validator }, 'peer connected');
      for (const listener of connectedListeners) notify(listener, peer);
    },
    onDisconnected: (peer) => {
      logger.info({ peerId: peer.peerId, peer: peer.name }, 'peer disconnected');
      roundTrips.delete(peer.peerId);
      for (const listener of disconnectedListeners) notify(listener, peer);
      dialer.lost(peer.peerId);
    },
  });

  const defence = createDefence({
    score: tuning.score,
    allowList,
    counters,
    log,
    nowMs,
    connectedPeer: (peerId) => table.get(peerId)?.peer ?? null,
    dropAll: (name, reason) => {
      for (const { peerId, connection, allowed } of links.all())
        if (
          peerId === name ||
          budgetName(table.get(peerId)?.peer ?? allowed ?? { peerId, validator: null }) === name
        )
          connection.abort(new Error(`dropped: ${reason}`));
    },
  });

  const links = createLinks({
    identity,
    allowList,
    gate,
    defence,
    counters,
    log,
    handshakeTimeoutMs: tuning.handshakeTimeoutMs,
    signal: stopping.signal,
    addressOf,
    openHandshake: (connection, signal) => connection.newStream(HANDSHAKE_PROTOCOL, { signal }),
    onReady: (connection, allowed, validator) => {
      entered.get(connection.timeline)?.();
      table.join(connection, allowed, validator);
      const { reading } = budgetsOf({ peerId: allowed.peerId, name: allowed.name, validator });
      turns.assign(connection.timeline, reading);
    },
    onClosed: (connection) => table.leave(connection),
    onRefused: (peerId) => dialer.refused(peerId),
  });

  const dial = async (peerId: string): Promise<DialResult> => {
    const target = configured.find((peer) => peer.peerId === peerId)!;
    try {
      const address = multiaddr(
        target.address.includes('/p2p/') ? target.address : `${target.address}/p2p/${peerId}`,
      );
      const signal = AbortSignal.any([AbortSignal.timeout(tuning.dialTimeoutMs), stopping.signal]);
      const connection = await running!.dial(address, { signal });
      return (await links.of(connection)?.result) ?? 'unreachable';
    } catch (error) {
      if (error instanceof Error && error.name === 'UnexpectedPeerError')
        log(
          'warn',
          'wrong peer',
          peerId,
          { peerId, address: target.address },
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
    isLinked: links.isLinked,
    banLeftMs: defence.banLeftMs,
  });

  const neighbourOf = ({ holder, lines }: ConnectedPeer): Neighbour => ({
    holder,
    send: (batch) => lines.transactions.send(batch),
  });
  const spreading = createSpreading({
    self: holderOf(localPeerId),
    neighbours: () => table.all().map(neighbourOf),
    nowMs,
  });

  const inbound = createInboundStreams({
    connected: (peerId) => table.get(peerId),
    counters,
    reportFault: defence.reportFault,
    requestTimeoutMs: tuning.requestTimeoutMs,
    onConsensus: (peer, message) => {
      notify(consensusHandler, peer, message);
    },
    onTransactions: async (peer, transactions) => {
      try {
        return await transactionsHandler(peer, transactions);
      } catch (error) {
        logger.error({ error: errorMessage(error) }, 'transactions of a peer were not taken');
        return NOTHING_TAKEN;
      }
    },
    spreading,
  });

  const registerRequest = (node: Libp2p, protocol: string, handler: RequestHandler): Promise<void> =>
    node.handle(protocol, gateHandler(inbound.request(protocol, handler), links.gate), {
      maxInboundStreams: MAX_REQUESTS_AT_ONCE,
      maxOutboundStreams: 4 * MAX_REQUESTS_AT_ONCE,
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
      const peerId = connection.remotePeer.toString();
      log(
        'info',
        'no answer',
        peerId,
        { peerId, reason: errorMessage(reason) },
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

  /** The set has changed: who is a validator now, or no longer, shakes hands again. */
  const recheckMembers = (): void => {
    for (const { connection, allowed, proven, peerId } of links.all()) {
      const connected = table.get(peerId);
      if (proven === null || connected === null) continue;
      const isValidator = allowList.isAcceptable(proven, allowed?.validator ?? null);
      if (isValidator !== (connected.peer.validator !== null))
        connection.close().catch((error: unknown) => connection.abort(error as Error));
    }
    allowList.forgetFormer();
  };

  let recheckTimer: NodeJS.Timeout | null = null;
  return {
    localPeerId,
    async start() {
      if (running !== null || stopping.signal.aborted)
        throw new NetworkError('BAD_OPTIONS', 'expected one start of a network, found a second');
      const node = await createLibp2pNode({
        privateKey,
        listen: options.listen,
        maxConnections:
          MAX_CONNECTIONS_PER_PEER * (options.allowList.length + MAX_PEER_IDS_PER_KEY * MAX_VALIDATORS),
        tcp: { gate, turns, onEntered: (timeline, leave) => entered.set(timeline, leave) },
        upgradeTimeoutMs: tuning.handshakeTimeoutMs,
        denyDial: (peerId) => !links.mayDial(peerId),
        denyProven: links.denies,
      });
      running = node;
      node.addEventListener('connection:open', (event) => links.opened(event.detail));
      await node.handle(HANDSHAKE_PROTOCOL, links.onHandshakeStream, {
        maxInboundStreams: 1,
        maxOutboundStreams: 1,
      });
      const lines = { maxInboundStreams: 4, maxOutboundStreams: 4 };
      await node.handle(
        URGENT_PROTOCOL,
        gateHandler(inbound.consensus(URGENT_MESSAGE_BYTES), links.gate),
        lines,
      );
      await node.handle(
        BULK_PROTOCOL,
        gateHandler(inbound.consensus(MAX_CONSENSUS_MESSAGE_BYTES), links.gate),
        lines,
      );
      await node.handle(TRANSACTIONS_PROTOCOL, gateHandler(inbound.transactions, links.gate), lines);
      await registerRequest(node, PING_PROTOCOL, async () => new Uint8Array(0));
      for (const [protocol, handler] of requestHandlers) await registerRequest(node, protocol, handler);
      await node.start();
      keepAlive.start();
      recheckTimer = setInterval(recheckMembers, RECHECK_MS);
      dialer.start();
      logger.info({ peerId: localPeerId, addresses: node.getMultiaddrs().map(String) }, 'network started');
    },
    async stop() {
      if (stopping.signal.aborted) return;
      stopping.abort(new NetworkError('STREAM', 'the network stops'));
      dialer.stop();
      keepAlive.stop();
      spreading.stop();
      if (recheckTimer !== null) clearInterval(recheckTimer);
      table.stop();
      for (const { connection } of links.all()) connection.abort(new Error('the network stops'));
      await running?.stop();
    },
    addresses: () => running?.getMultiaddrs().map(String) ?? [],
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
      const answer = await ask(connection, protocol, request, {
        timeoutMs: requestOptions.timeoutMs ?? tuning.requestTimeoutMs,
        maxAnswerBytes: requestOptions.maxAnswerBytes ?? MAX_CONSENSUS_MESSAGE_BYTES,
        signal: stopping.signal,
      });
      table.get(peerId)?.budgets.reading.uselessCpuMs.give(useMs('answer', answer.length));
      return answer;
    },
    handleRequest(protocol, handler) {
      if (requestHandlers.has(protocol))
        throw new NetworkError('BAD_OPTIONS', `expected one handler for ${protocol}, found a second`);
      requestHandlers.set(protocol, handler);
      if (running === null || stopping.signal.aborted) return;
      registerRequest(running, protocol, handler).catch((error: unknown) =>
        logger.error({ protocol, error: errorMessage(error) }, 'requests of this protocol are not served'),
      );
    },
    publishTransactions(transactions) {
      spreading.publish(transactions);
    },
    sendTransactions(peerId, transactions) {
      const connected = table.get(peerId);
      if (connected !== null) spreading.give(neighbourOf(connected), transactions);
    },
    reportUse(peerId, use, sizeBytes = 0) {
      table.get(peerId)?.budgets.reading.uselessCpuMs.give(useMs(use, sizeBytes));
    },
    onTransactionsLost(listener) {
      lostListeners.add(listener);
      return () => lostListeners.delete(listener);
    },
    onTransactions(handler) {
      transactionsHandler = handler;
    },
    reportFault: defence.reportFault,
    counters: () => ({
      ...counters.totals(),
      bannedNow: defence.bannedNow(),
      pendingHandshakes: gate.pending(),
      peers: Object.fromEntries(
        table
          .all()
          .map(({ peer, budgets }) => [
            peer.peerId,
            { ...counters.of(peer.peerId), pauses: budgets.reading.pauses },
          ]),
      ),
    }),
  };
};
