/**
 * The peer network as the rest of the node sees it.
 *
 * Owns the interface; libp2pNetwork.ts implements it. Bytes in, bytes out: what the bytes mean is decided by
 * consensus/ (votes, proposals, payloads), sync/ (blocks) and mempool/ (transactions). Only peers on the allow-list
 * connect; a peer counts as a validator once the handshake has bound its PeerId to a consensus key.
 * Invalid input never throws out of here: it costs the peer its score.
 */
import type { Address } from '#consensus/primitives.ts';

export type Peer = {
  readonly peerId: string;
  /** Name in the specification, for people. */
  readonly name: string;
  /** The consensus address that the handshake proved, null for a full node. */
  readonly validator: Address | null;
  /** Of the newest keep-alive question and its answer; absent before the first, and where nothing is measured. */
  readonly roundTripMs?: number;
};

export type PeerFault = 'malformed' | 'invalid' | 'oversized' | 'flood' | 'forbidden';

export type ConsensusHandler = (peer: Peer, message: Uint8Array) => void;
/** What a batch was worth. */
export type BatchOutcome = {
  /** What was new here, in its order: others may lack it. */
  readonly fresh: readonly Uint8Array[];
  /** How many signatures were recovered for it. */
  readonly recovered: number;
  /** One of the transactions is none in any state: whoever sent it made it up. */
  readonly isJunk: boolean;
  /** How long nothing more of this peer can be taken. */
  readonly waitMs: number;
};
export type TransactionsHandler = (peer: Peer, transactions: readonly Uint8Array[]) => Promise<BatchOutcome>;
/** What a peer sent and we could use: reading it was not in vain. */
export type PeerUse = 'vote' | 'proposal' | 'payload';
/** @returns the answer's bytes; a throw answers nothing and closes the stream */
export type RequestHandler = (peer: Peer, request: Uint8Array) => Promise<Uint8Array>;

export interface Network {
  readonly localPeerId: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  peers(): readonly Peer[];
  onPeerConnected(listener: (peer: Peer) => void): () => void;
  onPeerDisconnected(listener: (peer: Peer) => void): () => void;
  /**
   * Reliable while the connection lasts; dropped with a bounded queue when the peer does not read. Small messages
   * (up to 8 KiB) overtake large ones; within each of the two, order holds. A peer that is away is silence.
   * @throws NetworkError OVERSIZED when empty or above `MAX_CONSENSUS_MESSAGE_BYTES`
   */
  sendConsensus(peerId: string, message: Uint8Array): void;
  /** To every connected peer with a consensus key. */
  broadcastConsensus(message: Uint8Array): void;
  onConsensus(handler: ConsensusHandler): void;
  /** One request, one answer, on a stream of its own. @throws NetworkError TIMEOUT, NOT_CONNECTED, STREAM */
  request(
    peerId: string,
    protocol: string,
    request: Uint8Array,
    options?: { timeoutMs?: number; maxAnswerBytes?: number },
  ): Promise<Uint8Array>;
  handleRequest(protocol: string, handler: RequestHandler): void;
  /** To every peer, together with what else comes within a moment; what is new to them they pass on. */
  publishTransactions(transactions: readonly Uint8Array[]): void;
  /** To one peer. */
  sendTransactions(peerId: string, transactions: readonly Uint8Array[]): void;
  /** What waited for this peer was dropped, because it did not read: it may be given again. */
  onTransactionsLost(listener: (peer: Peer) => void): () => void;
  /** One batch of a peer at a time: its next is read when this one is done. */
  onTransactions(handler: TransactionsHandler): void;
  /** What this peer sent was of use, and reading it is not held against it. */
  reportUse(peerId: string, use: PeerUse, sizeBytes?: number): void;
  /** Lowers the peer's score; too low means disconnect and a ban that expires. */
  reportFault(peerId: string, fault: PeerFault, detail: string): void;
}

/** A payload (2 MiB, RULES 2) with room for its envelope. */
export const MAX_CONSENSUS_MESSAGE_BYTES = 2 * 1024 * 1024 + 64 * 1024;
