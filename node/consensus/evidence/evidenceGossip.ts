/**
 * How evidence gets to every validator: sent once when it is new here, and asked for on connecting and now and then.
 *
 * Owns when it travels, what one peer may make this node verify, and what a peer is charged with. Does not own what is
 * kept (evidencePool.ts). Asking says what is here, so nothing travels twice; it heals what a lost message, a partition
 * or a restart left out. Bounded: one question at a time to each peer, an answer of 128 pieces, a queue of 256.
 */
import type { Misbehaviour } from '#consensus/evidence.ts';
import { bytesToHex, concatBytes, hexToBytes } from '#consensus/primitives.ts';
import {
  EVIDENCE_STEPS,
  evidenceItem,
  evidenceOf,
  KEY_BYTES,
  SLOT_BYTES,
} from '#node/consensus/evidence/evidenceCodec.ts';
import type { EvidencePool } from '#node/consensus/evidence/evidencePool.ts';
import { bytesOf, FieldError, listOf, manyOf } from '#node/consensus/fields.ts';
import type { HostDependencies } from '#node/consensus/hostPorts.ts';
import { encodeMessage } from '#node/consensus/messages.ts';
import { decodeRlp, encodeRlp, RlpError } from '#node/consensus/rlp.ts';
import type { Peer } from '#node/network/network.ts';
import { createTokenBucket, type TokenBucket } from '#node/network/tokenBucket.ts';

export const EVIDENCE_PROTOCOL = '/causeway/evidence/1';
const ASK_TIMEOUT_MS = 3_000;
export const ASK_INTERVAL_MS = 10_000;
/** A connection that comes and goes is no reason to ask more often than `ANSWER_RATE` lets a peer answer. */
const ASK_PEER_INTERVAL_MS = 1_000;
const MAX_ANSWER_ITEMS = 128;
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Questions that one answer full to the brim may lead to. */
const MAX_ASKS_IN_A_ROW = 16;
const MAX_QUEUE = 256;
const MAX_PEERS = 1_024;
/** Signature recoveries for one peer's evidence; what goes beyond is dropped and asked for later. */
const VERIFY_RATE = { perSecond: 64, burst: 1_024 };
const ANSWER_RATE = { perSecond: 1, burst: 32 };
/** A peer that has not got near this height cannot hold evidence of it. */
export const MAX_AHEAD_HEIGHTS = 64n;

export type EvidenceGossipDependencies = Pick<HostDependencies, 'network' | 'clock' | 'logger' | 'chain'> & {
  readonly pool: EvidencePool;
};

type PeerState = {
  readonly verify: TokenBucket;
  readonly answer: TokenBucket;
  /** What its summaries said, null before the first. */
  claimedHeight: bigint | null;
  isAsked: boolean;
  askedMs: number;
};

const recoveriesOf = (item: Misbehaviour): number =>
  item.type === 'conflictingCommit' ? item.first.signatures.length + item.second.signatures.length : 2;

export class EvidenceGossip {
  readonly #deps: EvidenceGossipDependencies;
  readonly #peers = new Map<string, PeerState>();
  #waiting = 0;
  #working: Promise<void> = Promise.resolve();
  #askedMs = Number.NEGATIVE_INFINITY;
  #nextPeer = 0;
  #isStopped = false;

  constructor(dependencies: EvidenceGossipDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    this.#deps.network.handleRequest(EVIDENCE_PROTOCOL, async (peer, request) => this.#answer(peer, request));
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Resolves when everything taken in so far is judged. */
  idle(): Promise<void> {
    return this.#working;
  }

  /** What this node found itself. */
  note(item: Misbehaviour): void {
    this.#enqueue(async () => {
      const verdict = await this.#deps.pool.add(item);
      if (verdict.status === 'added') this.#push(verdict.kept.item);
      else if (verdict.status === 'invalid')
        this.#deps.logger.error(
          { kind: item.type, height: item.first.height, code: verdict.code },
          'expected evidence that this node found to prove something, found that it does not',
        );
    });
  }

  receive(peer: Peer, item: Misbehaviour): void {
    const { pool } = this.#deps;
    if (!pool.hasPlaceFor(item) || !this.mayVerify(peer, recoveriesOf(item))) return;
    this.#enqueue(async () => {
      const verdict = await pool.add(item);
      if (verdict.status === 'added') this.#push(verdict.kept.item);
      else if (verdict.status === 'invalid')
        this.#charge(peer, `evidence that proves nothing: ${verdict.code}`);
      else if (verdict.status === 'ahead') this.#judgeAhead(peer, item.first.height);
    });
  }

  /** @param cost in signature recoveries */
  mayVerify(peer: Peer, cost: number): boolean {
    return this.#stateOf(peer.peerId).verify.take(cost);
  }

  /** We may be behind; but nobody has evidence of what lies far above its own height. */
  #judgeAhead(peer: Peer, height: bigint): void {
    const { claimedHeight } = this.#stateOf(peer.peerId);
    const own = this.#deps.chain.head().block.height;
    const isAbove = (reached: bigint): boolean => height > reached + MAX_AHEAD_HEIGHTS;
    if (claimedHeight !== null && isAbove(claimedHeight) && isAbove(own))
      this.#charge(peer, `evidence of height ${height}, which nobody has reached`);
  }

  noteHeight(peer: Peer, height: bigint): void {
    const state = this.#stateOf(peer.peerId);
    if (state.claimedHeight === null || height > state.claimedHeight) state.claimedHeight = height;
  }

  onConnected(peer: Peer): void {
    void this.#ask(peer);
  }

  /** Every second: a question to one peer when it is time. */
  tick(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#askedMs < ASK_INTERVAL_MS) return;
    this.#askedMs = nowMs;
    const peers = this.#deps.network.peers().filter(({ validator }) => validator !== null);
    const peer = peers[this.#nextPeer++ % Math.max(1, peers.length)];
    if (peer !== undefined) void this.#ask(peer);
  }

  #push(item: Misbehaviour): void {
    if (!this.#isStopped)
      this.#deps.network.broadcastConsensus(encodeMessage({ type: 'evidence', evidence: item }));
  }

  async #ask(peer: Peer): Promise<void> {
    const state = this.#stateOf(peer.peerId);
    const nowMs = this.#deps.clock.monotonicMs();
    if (state.isAsked || this.#isStopped || nowMs - state.askedMs < ASK_PEER_INTERVAL_MS) return;
    state.isAsked = true;
    state.askedMs = nowMs;
    try {
      for (let asks = 0; asks < MAX_ASKS_IN_A_ROW && !this.#isStopped; asks++) {
        const before = this.#deps.pool.size();
        const count = await this.#askOnce(peer);
        await this.#working;
        if (count < MAX_ANSWER_ITEMS || this.#deps.pool.size() === before) break;
      }
    } catch (error) {
      if (error instanceof RlpError || error instanceof FieldError)
        this.#deps.network.reportFault(peer.peerId, 'malformed', error.message);
      else this.#deps.logger.debug({ peer: peer.name, err: error }, 'no evidence from peer');
    } finally {
      state.isAsked = false;
    }
  }

  /** @returns how many pieces came */
  async #askOnce(peer: Peer): Promise<number> {
    const { network, pool } = this.#deps;
    const request = encodeRlp([
      concatBytes(...pool.list().map(({ key }) => hexToBytes(key))),
      concatBytes(...pool.fullSlots().map(hexToBytes)),
    ]);
    const bytes = await network.request(peer.peerId, EVIDENCE_PROTOCOL, request, {
      timeoutMs: ASK_TIMEOUT_MS,
      maxAnswerBytes: MAX_ANSWER_BYTES,
    });
    const items = manyOf(decodeRlp(bytes), MAX_ANSWER_ITEMS).map(evidenceOf);
    for (const item of items) this.receive(peer, item);
    return items.length;
  }

  #answer(peer: Peer, request: Uint8Array): Uint8Array {
    if (peer.validator === null) throw new Error('evidence goes to validators only');
    if (!this.#stateOf(peer.peerId).answer.take(1)) {
      this.#deps.network.reportFault(peer.peerId, 'flood', 'requests for evidence beyond the budget');
      throw new Error('too many requests for evidence');
    }
    try {
      const [keys, slots] = listOf(decodeRlp(request), 2);
      return this.#missing(piecesOf(bytesOf(keys), KEY_BYTES), piecesOf(bytesOf(slots), SLOT_BYTES));
    } catch (error) {
      if (error instanceof RlpError || error instanceof FieldError)
        this.#deps.network.reportFault(peer.peerId, 'malformed', error.message);
      throw error;
    }
  }

  /** Oldest first. */
  #missing(has: ReadonlySet<string>, full: ReadonlySet<string>): Uint8Array {
    const items: Misbehaviour[] = [];
    let bytes = 0;
    for (const { key, slot, item } of this.#deps.pool.list()) {
      if (has.has(key) || full.has(slot)) continue;
      bytes += encodeRlp(evidenceItem(item)).length;
      if (items.length >= MAX_ANSWER_ITEMS || bytes > MAX_ANSWER_BYTES - 16) break;
      items.push(item);
    }
    return encodeRlp(items.map(evidenceItem));
  }

  #charge(peer: Peer, detail: string): void {
    this.#deps.network.reportFault(peer.peerId, 'invalid', detail);
  }

  #enqueue(work: () => Promise<void>): void {
    if (this.#waiting >= MAX_QUEUE || this.#isStopped) return;
    this.#waiting++;
    this.#working = this.#working
      .then(work)
      .catch((error: unknown) => this.#deps.logger.error({ err: error }, 'evidence not judged'))
      .finally(() => {
        this.#waiting--;
      });
  }

  #stateOf(peerId: string): PeerState {
    const known = this.#peers.get(peerId);
    if (known !== undefined) return known;
    if (this.#peers.size >= MAX_PEERS) this.#peers.delete(this.#peers.keys().next().value!);
    const nowMs = (): number => this.#deps.clock.monotonicMs();
    const state: PeerState = {
      verify: createTokenBucket(VERIFY_RATE, nowMs),
      answer: createTokenBucket(ANSWER_RATE, nowMs),
      claimedHeight: null,
      isAsked: false,
      askedMs: Number.NEGATIVE_INFINITY,
    };
    this.#peers.set(peerId, state);
    return state;
  }
}

const piecesOf = (bytes: Uint8Array, sizeBytes: number): ReadonlySet<string> => {
  if (bytes.length % sizeBytes !== 0)
    throw new FieldError(`expected a multiple of ${sizeBytes} bytes, found ${bytes.length}`);
  const pieces = new Set<string>();
  for (let at = 0; at < bytes.length; at += sizeBytes) {
    if (bytes[at]! >= EVIDENCE_STEPS.length) throw new FieldError(`expected a step, found ${bytes[at]}`);
    pieces.add(bytesToHex(bytes.subarray(at, at + sizeBytes)));
  }
  return pieces;
};
