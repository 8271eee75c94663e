/**
 * What connected peers send: consensus streams, requests, batches of transactions, each within its peer's budget.
 *
 * Owns the order of the checks: known peer → may it at all → budget → frames → whoever understands the bytes. The
 * cheap ones come first, and nothing is decoded for a peer that is over its budget.
 */
import type { Connection, Stream } from '@libp2p/interface';
import type { CounterBook } from '#node/network/counters.ts';
import { attachInbox } from '#node/network/inbox.ts';
import type {
  ConsensusHandler,
  PeerFault,
  RequestHandler,
  TransactionsHandler,
} from '#node/network/network.ts';
import { errorMessage, isCode } from '#node/network/networkError.ts';
import { PING_PROTOCOL, USES_MS } from '#node/network/networkOptions.ts';
import type { ConnectedPeer } from '#node/network/peerTable.ts';
import { answer } from '#node/network/requests.ts';
import type { Spreading } from '#node/network/spreading.ts';
import { type Batch, decodeBatch, MAX_BATCH_BYTES } from '#node/network/transactionBatch.ts';

export type InboundStreamsOptions = {
  readonly connected: (peerId: string) => ConnectedPeer | null;
  readonly counters: CounterBook;
  readonly reportFault: (peerId: string, fault: PeerFault, detail: string) => void;
  readonly requestTimeoutMs: number;
  readonly onConsensus: ConsensusHandler;
  readonly onTransactions: TransactionsHandler;
  readonly spreading: Pick<Spreading, 'passOn'>;
};

type Handler = (stream: Stream, connection: Connection) => void | Promise<void>;

export type InboundStreams = {
  consensus(maxMessageBytes: number): Handler;
  transactions: Handler;
  request(protocol: string, handler: RequestHandler): Handler;
};

/** Of what one transaction takes: the recovery of its signature, and a read of its sender. */
const RECOVERY_MS = 0.1;
/** As many are admitted at once (node/mempool/gossip.ts); after them others have their turn. */
const UNMEASURED_AFTER = 16;

/** How long what a peer wrote on an older stream may take to be read, once it opened a newer one. */
const REPLACED_AFTER_MS = 5_000;

const ended = (stream: Stream): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(
      () => stream.abort(new Error('replaced by a newer stream')),
      REPLACED_AFTER_MS,
    ).unref();
    stream.addEventListener('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });

/** What encrypting 64 KiB of an answer may take. */
const SERVING_MS = 1;
/** What an answer costs its asker at least: looking it up has a price of its own. */
const MIN_ANSWER_BYTES = 16 * 1024;

export const createInboundStreams = (options: InboundStreamsOptions): InboundStreams => {
  const { connected, counters, reportFault, requestTimeoutMs, onConsensus, onTransactions, spreading } =
    options;
  /** One of each peer is read: so one batch of each is in work. */
  const transactionStreams = new WeakMap<ConnectedPeer, Stream>();

  const overBudget = (stream: Stream, peerId: string): void => {
    counters.drop('requests', peerId);
    stream.abort(new Error('over its budget'));
    reportFault(peerId, 'flood', 'more requests than its budget');
  };

  const takeBatch = async ({ peer, budgets }: ConnectedPeer, data: Uint8Array): Promise<number> => {
    let batch: Batch;
    try {
      batch = decodeBatch(data);
    } catch (error) {
      reportFault(peer.peerId, isCode(error, 'OVERSIZED') ? 'oversized' : 'malformed', errorMessage(error));
      return 0;
    }
    const { fresh, isJunk, recovered, waitMs } = await onTransactions(peer, batch.transactions);
    const { cpuMs, uselessCpuMs } = budgets.reading;
    // the first few are recovered while the chunk that brought them is measured, the others behind it
    const laterMs = RECOVERY_MS * Math.max(0, recovered - UNMEASURED_AFTER);
    uselessCpuMs.give(USES_MS.transaction * fresh.length);
    const debtMs = Math.max(cpuMs.spend(laterMs), uselessCpuMs.spend(laterMs));
    if (isJunk) reportFault(peer.peerId, 'invalid', 'a batch with a transaction that no state makes valid');
    else spreading.passOn(batch.holders, fresh);
    return Math.max(waitMs, debtMs);
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
        book: () => budgets.messages.spend(1),
        onMessage: (message) => {
          counters.message(peerId);
          onConsensus(peer, message);
          return undefined;
        },
        onPaused: () => {
          budgets.reading.pauses++;
        },
        onFault: (fault, detail) => reportFault(peerId, fault, detail),
      });
    },

    transactions: async (stream, connection) => {
      const entry = connected(connection.remotePeer.toString());
      if (entry === null) return stream.abort(new Error('not connected'));
      const { peer, budgets } = entry;
      const older = transactionStreams.get(entry);
      transactionStreams.set(entry, stream);
      if (older?.status === 'open') {
        stream.pause();
        await ended(older);
        if (stream.status !== 'open') return;
        stream.resume();
      }
      attachInbox(stream, {
        maxMessageBytes: MAX_BATCH_BYTES,
        book: (sizeBytes) => Math.max(budgets.gossipMessages.spend(1), budgets.gossipBytes.spend(sizeBytes)),
        onMessage: (message) => takeBatch(entry, message),
        onPaused: () => {
          budgets.reading.pauses++;
        },
        onFault: (fault, detail) => reportFault(peer.peerId, fault, detail),
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
      const sentBytes = stream.status === 'open' ? await serve() : 0;
      // its window updates make us encrypt, in its own time
      budgets.reading.uselessCpuMs.give((SERVING_MS * sentBytes) / (64 * 1024));
      leave(stream.status === 'closed' && sentBytes === 0 ? 0 : Math.max(MIN_ANSWER_BYTES, sentBytes));
    },
  };
};
