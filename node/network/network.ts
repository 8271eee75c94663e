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
/**
 * What becomes of a batch: passed on to others; not passed on; neither, and held against its sender; not even looked
 * at, so that the same from somebody else still is.
 */
export type BatchVerdict = 'forward' | 'ignore' | 'reject' | 'unread';
/** @returns nothing to have the batch passed on at once */
export type TransactionsHandler = (
  peer: Peer,
  transactions: readonly Uint8Array[],
) => Promise<BatchVerdict> | undefined;
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
  publishTransactions(transactions: readonly Uint8Array[]): void;
  onTransactions(handler: TransactionsHandler): void;
  /** Lowers the peer's score; too low means disconnect and a ban that expires. */
  reportFault(peerId: string, fault: PeerFault, detail: string): void;
}

/** A payload (2 MiB, RULES 2) with room for its envelope. */
export const MAX_CONSENSUS_MESSAGE_BYTES = 2 * 1024 * 1024 + 64 * 1024;
