/**
 * What connected peers send: consensus streams, requests, batches of transactions, each within its peer's budget.
 *
 * Owns the order of the checks: known peer → may it at all → budget → frames → whoever understands the bytes. The
 * cheap ones come first, and nothing is decoded for a peer that is over its budget.
 */
import type { Connection, PeerId, Stream } from '@libp2p/interface';
import type { CounterBook } from '#node/network/counters.ts';
import { decodeBatch } from '#node/network/gossip.ts';
import { attachInbox } from '#node/network/inbox.ts';
import type {
  BatchVerdict,
  ConsensusHandler,
  PeerFault,
  RequestHandler,
  TransactionsHandler,
} from '#node/network/network.ts';
import { errorMessage, isCode } from '#node/network/networkError.ts';
import { PING_PROTOCOL } from '#node/network/networkOptions.ts';
import type { ConnectedPeer } from '#node/network/peerTable.ts';
import { answer } from '#node/network/requests.ts';

export type InboundStreamsOptions = {
  readonly connected: (peerId: string) => ConnectedPeer | null;
  readonly counters: CounterBook;
  readonly reportFault: (peerId: string, fault: PeerFault, detail: string) => void;
  readonly requestTimeoutMs: number;
  readonly onConsensus: ConsensusHandler;
  readonly onTransactions: TransactionsHandler;
};

type Handler = (stream: Stream, connection: Connection) => void | Promise<void>;

export type InboundStreams = {
  consensus(maxMessageBytes: number): Handler;
  request(protocol: string, handler: RequestHandler): Handler;
  /** Gossipsub asks before it forwards. */
  validateBatch(source: PeerId, data: Uint8Array): BatchVerdict | Promise<BatchVerdict>;
};

export const createInboundStreams = (options: InboundStreamsOptions): InboundStreams => {
  const { connected, counters, reportFault, requestTimeoutMs, onConsensus, onTransactions } = options;

  const overBudget = (stream: Stream, peerId: string): void => {
    counters.drop('requests', peerId);
    stream.abort(new Error('over its budget'));
    reportFault(peerId, 'flood', 'more requests than its budget');
  };

  const judged = (peerId: string, verdict: BatchVerdict): BatchVerdict => {
    if (verdict === 'reject')
      reportFault(peerId, 'invalid', 'a batch with a transaction that no state makes valid');
    return verdict;
  };

  return {
    consensus: (maxMessageBytes) => (stream, connection) => {
      const entry = connected(connection.remotePeer.toString());
      if (entry === null) return stream.abort(new Error('not connected'));
      const { peer, budgets } = entry;
      const { peerId } = peer;
      if (peer.validator === null) {
        stream.abort(new Error('not a validator'));
        counters.drop('forbidden', peerId);
        reportFault(peerId, 'forbidden', 'consensus messages from a node without a consensus key');
        return;
      }
      attachInbox(stream, {
        maxMessageBytes,
        messages: budgets.messages,
        onMessage: (message) => {
          counters.message(peerId);
          onConsensus(peer, message);
        },
        onPaused: () => {
          budgets.reading.pauses++;
        },
        onFault: (fault, detail) => reportFault(peerId, fault, detail),
      });
    },

    request: (protocol, handler) => async (stream, connection) => {
      const entry = connected(connection.remotePeer.toString());
      if (entry === null) return stream.abort(new Error('not connected'));
      const { peer, budgets } = entry;
      const isPing = protocol === PING_PROTOCOL;
      const serve = (): Promise<number> =>
        answer(stream, (request) => handler(peer, request), {
          readTimeoutMs: requestTimeoutMs,
          answerTimeoutMs: 2 * requestTimeoutMs,
          onOversized: (detail) => reportFault(peer.peerId, 'oversized', detail),
        });
      if (!(isPing ? budgets.pings : budgets.requests).take(1)) return overBudget(stream, peer.peerId);
      if (isPing) {
        await serve();
        return;
      }
      const turn = budgets.answers.enter();
      if (turn === null) return overBudget(stream, peer.peerId);
      const leave = await turn;
      leave(stream.status === 'open' ? await serve() : 0);
    },

    validateBatch(source, data) {
      const entry = connected(source.toString());
      if (entry === null) return 'unread';
      const { peer, budgets } = entry;
      // no fault: a neighbour forwards what others wrote
      if (!budgets.gossipMessages.take(1) || !budgets.gossipBytes.take(data.length)) {
        counters.drop('gossip', peer.peerId);
        return 'unread';
      }
      let transactions: Uint8Array[];
      try {
        transactions = decodeBatch(data);
      } catch (error) {
        reportFault(peer.peerId, isCode(error, 'OVERSIZED') ? 'oversized' : 'malformed', errorMessage(error));
        return 'reject';
      }
      const verdict = onTransactions(peer, transactions);
      if (verdict === undefined) return 'forward';
      return verdict.then(
        (found) => judged(peer.peerId, found),
        () => 'ignore' as const,
      );
    },
  };
};
