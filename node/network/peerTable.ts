/**
 * Which peers are connected, over which connections, and what each may still send.
 *
 * Owns the connections of allow-listed peers from their handshake on. Invariants: a peer is connected while at least
 * one connection of it has passed the handshake; connect and disconnect are announced once each, alternately;
 * messages leave over the newest connection. When both sides dialled at once, the side with the smaller PeerId alone
 * retires the older connection, after a moment in which the other side can move too: so never both are closed.
 */
import type { Connection } from '@libp2p/interface';
import type { Address } from '#consensus/primitives.ts';
import type { Peer } from '#node/network/network.ts';
import type { Outbox } from '#node/network/outbox.ts';
import type { PeerBudgets } from '#node/network/peerBudgets.ts';
import { holderOf } from '#node/network/transactionBatch.ts';

export type AllowedPeer = {
  readonly peerId: string;
  /** Name in the specification, for people. */
  readonly name: string;
  /** The consensus address that belongs to this PeerId, null for a full node. */
  readonly validator: Address | null;
};

export type PeerLines = {
  /** Small messages (votes) never wait behind large ones (payloads). */
  readonly urgent: Outbox;
  readonly bulk: Outbox;
  /** Batches of transactions: what it does not take is lost, and nothing else. */
  readonly transactions: Outbox;
};

export type ConnectedPeer = {
  readonly peer: Peer;
  /** What it is called in a batch of transactions. */
  readonly holder: number;
  readonly lines: PeerLines;
  readonly budgets: PeerBudgets;
  /** Oldest first; never empty. */
  readonly connections: Connection[];
};

export type PeerTableOptions = {
  readonly localPeerId: string;
  readonly createLines: (peerId: string) => PeerLines;
  /** The same for the same peer, however often it comes back. */
  readonly budgetsOf: (peer: Peer) => PeerBudgets;
  readonly onConnected: (connected: ConnectedPeer) => void;
  readonly onDisconnected: (peer: Peer) => void;
  readonly retireAfterMs: number;
};

export type PeerTable = {
  /** The handshake on this connection is done. */
  join(connection: Connection, allowed: AllowedPeer, validator: Address | null): void;
  /** The connection has closed, joined or not. */
  leave(connection: Connection): void;
  get(peerId: string): ConnectedPeer | null;
  newest(peerId: string): Connection | null;
  all(): readonly ConnectedPeer[];
  stop(): void;
};

export const createPeerTable = (options: PeerTableOptions): PeerTable => {
  const { localPeerId, createLines, budgetsOf, onConnected, onDisconnected, retireAfterMs } = options;
  const connected = new Map<string, ConnectedPeer>();
  const retirements = new Set<NodeJS.Timeout>();

  const disconnect = (entry: ConnectedPeer): void => {
    connected.delete(entry.peer.peerId);
    entry.lines.urgent.close();
    entry.lines.bulk.close();
    entry.lines.transactions.close();
    onDisconnected(entry.peer);
  };

  const retireOlder = (entry: ConnectedPeer): void => {
    const timer = setTimeout(() => {
      retirements.delete(timer);
      for (const older of entry.connections.slice(0, -1))
        older.close().catch((error: unknown) => older.abort(error as Error));
    }, retireAfterMs);
    retirements.add(timer);
  };

  return {
    join(connection, allowed, validator) {
      const { peerId, name } = allowed;
      const before = connected.get(peerId);
      if (before !== undefined && before.peer.validator === validator) {
        before.connections.push(connection);
        before.lines.urgent.reopen();
        before.lines.bulk.reopen();
        before.lines.transactions.reopen();
        if (localPeerId < peerId) retireOlder(before);
        return;
      }
      // the same node with another key, or without: a new peer as far as anybody here is concerned
      if (before !== undefined) {
        disconnect(before);
        for (const older of before.connections) older.abort(new Error('replaced by another identity'));
      }
      const peer = { peerId, name, validator };
      const entry: ConnectedPeer = {
        peer,
        holder: holderOf(peerId),
        lines: createLines(peerId),
        budgets: budgetsOf(peer),
        connections: [connection],
      };
      connected.set(peerId, entry);
      onConnected(entry);
    },
    leave(connection) {
      const entry = connected.get(connection.remotePeer.toString());
      const index = entry?.connections.indexOf(connection) ?? -1;
      if (entry === undefined || index < 0) return;
      entry.connections.splice(index, 1);
      if (entry.connections.length === 0) disconnect(entry);
    },
    get: (peerId) => connected.get(peerId) ?? null,
    newest: (peerId) => connected.get(peerId)?.connections.at(-1) ?? null,
    all: () => [...connected.values()],
    stop() {
      for (const timer of retirements) clearTimeout(timer);
      retirements.clear();
      for (const entry of [...connected.values()]) disconnect(entry);
    },
  };
};
