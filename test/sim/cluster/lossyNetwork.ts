/**
 * A network in memory on a virtual clock: latency, loss, links that are cut, nodes that are down. Consensus messages
 * may be lost; requests fail when the link is cut.
 */
import type { Address } from '#consensus/primitives.ts';
import type { Clock } from '#node/consensus/clock.ts';
import type { ConsensusHandler, Network, Peer, PeerFault, RequestHandler } from '#node/network/network.ts';

export type LossyOptions = { loss: number; minLatencyMs: number; maxLatencyMs: number };

export type Fault = {
  readonly by: string;
  readonly peerId: string;
  readonly fault: PeerFault;
  readonly detail: string;
};

export class LossyHub {
  readonly options: LossyOptions;
  readonly faults: Fault[] = [];
  /** Every consensus message that was sent, before loss. */
  readonly sent: { readonly from: string; readonly to: string; readonly message: Uint8Array }[] = [];
  isCut: (a: string, b: string) => boolean = () => false;
  /** Single messages that do not arrive; asked for each one that is sent. */
  isLost: (from: string, to: string, message: Uint8Array) => boolean = () => false;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #nodes = new Map<string, LossyNetwork>();

  constructor(clock: Clock, random: () => number, options: LossyOptions) {
    this.#clock = clock;
    this.#random = random;
    this.options = options;
  }

  join(peerId: string, validator: Address | null): LossyNetwork {
    const node = new LossyNetwork(this, { peerId, name: peerId, validator });
    this.#nodes.set(peerId, node);
    for (const other of this.#nodes.values())
      if (other !== node) {
        other.noteConnected(node.peer);
        node.noteConnected(other.peer);
      }
    return node;
  }

  leave(peerId: string): void {
    this.#nodes.delete(peerId);
  }

  peersOf(peerId: string): readonly Peer[] {
    return [...this.#nodes.values()]
      .filter((node) => node.localPeerId !== peerId && !this.isCut(peerId, node.localPeerId))
      .map((node) => node.peer);
  }

  deliver(from: Peer, to: string, message: Uint8Array): void {
    this.sent.push({ from: from.peerId, to, message });
    if (this.sent.length > 200_000) this.sent.splice(0, 100_000);
    if (this.isCut(from.peerId, to) || this.isLost(from.peerId, to, message)) return;
    if (this.#random() < this.options.loss) return;
    const target = this.#nodes.get(to);
    this.#clock.setTimer(this.#latency(), () => {
      if (target !== undefined && this.#nodes.get(to) === target) target.onMessage?.(from, message);
    });
  }

  request(from: Peer, to: string, protocol: string, request: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const target = this.#nodes.get(to);
      this.#clock.setTimer(this.#latency(), () => {
        const handler = target?.handlers.get(protocol);
        if (handler === undefined || this.#nodes.get(to) !== target || this.isCut(from.peerId, to)) {
          reject(new Error('NOT_CONNECTED'));
          return;
        }
        handler(from, request).then(resolve, reject);
      });
    });
  }

  #latency(): number {
    const { minLatencyMs, maxLatencyMs } = this.options;
    return minLatencyMs + this.#random() * (maxLatencyMs - minLatencyMs);
  }
}

export class LossyNetwork implements Network {
  readonly peer: Peer;
  readonly localPeerId: string;
  readonly handlers = new Map<string, RequestHandler>();
  onMessage: ConsensusHandler | null = null;
  readonly #hub: LossyHub;
  readonly #connected = new Set<(peer: Peer) => void>();

  constructor(hub: LossyHub, peer: Peer) {
    this.#hub = hub;
    this.peer = peer;
    this.localPeerId = peer.peerId;
  }

  noteConnected(peer: Peer): void {
    for (const listener of this.#connected) listener(peer);
  }
  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  peers(): readonly Peer[] {
    return this.#hub.peersOf(this.localPeerId);
  }
  onPeerConnected(listener: (peer: Peer) => void): () => void {
    this.#connected.add(listener);
    return () => this.#connected.delete(listener);
  }
  onPeerDisconnected(): () => void {
    return () => undefined;
  }
  sendConsensus(peerId: string, message: Uint8Array): void {
    this.#hub.deliver(this.peer, peerId, message);
  }
  broadcastConsensus(message: Uint8Array): void {
    for (const peer of this.peers())
      if (peer.validator !== null) this.#hub.deliver(this.peer, peer.peerId, message);
  }
  onConsensus(handler: ConsensusHandler): void {
    this.onMessage = handler;
  }
  request(peerId: string, protocol: string, request: Uint8Array): Promise<Uint8Array> {
    return this.#hub.request(this.peer, peerId, protocol, request);
  }
  handleRequest(protocol: string, handler: RequestHandler): void {
    this.handlers.set(protocol, handler);
  }
  publishTransactions(): void {}
  sendTransactions(): void {}
  reportUse(): void {}
  onTransactionsLost(): () => void {
    return () => undefined;
  }
  onTransactions(): void {}
  reportFault(peerId: string, fault: PeerFault, detail: string): void {
    this.#hub.faults.push({ by: this.localPeerId, peerId, fault, detail });
  }
}
