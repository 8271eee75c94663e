/**
 * The network between the validators of a run: delay, loss, duplication, reordering, links that are cut one way or both.
 *
 * Owns which message arrives when. Each direction of each link draws from its own stream. Peers are connected while at
 * least one direction works; a message on a cut link is lost without a word, a request then runs into its timeout.
 * Does not look into messages: whoever watches the wire gets each one that is sent, and each answer.
 */
import type { Address } from '#consensus/primitives.ts';
import type { ConsensusHandler, Network, Peer, PeerFault, RequestHandler } from '#node/network/network.ts';
import type { VirtualClock } from './cluster/virtualClock.ts';
import type { Events } from './events.ts';
import { type EffectCounter, never, type SimProcess } from './simProcess.ts';

/** What the links do now. */
export type Conditions = {
  readonly isCut: (from: number, to: number) => boolean;
  readonly delayMs: (from: number, to: number, random: () => number) => number;
  readonly loss: (from: number, to: number, message: Uint8Array) => number;
  readonly duplicate: () => number;
};

export type Watch = {
  readonly onSent: (from: SimProcess, message: Uint8Array) => void;
  readonly onAnswered: (protocol: string, request: Uint8Array, answer: Uint8Array) => void;
  readonly onFault: (by: SimProcess, peerId: string, fault: PeerFault, detail: string) => void;
  readonly describe: (message: Uint8Array) => string;
  readonly describeRequest: (request: Uint8Array) => string;
  /** Names a message in the hash: equal for equal bytes. */
  readonly identify: (message: Uint8Array) => string;
};

export type SimHubPorts = {
  readonly clock: VirtualClock;
  readonly events: Events;
  readonly conditions: Conditions;
  readonly watch: Watch;
  readonly streamOf: (name: string) => () => number;
};

const DEFAULT_REQUEST_TIMEOUT_MS = 3_000;

export class SimHub {
  readonly ports: SimHubPorts;
  readonly #nodes = new Map<string, SimNetwork>();
  readonly #streams = new Map<string, () => number>();
  sent = 0;
  dropped = 0;

  constructor(ports: SimHubPorts) {
    this.ports = ports;
  }

  join(process: SimProcess, validator: Address, effects: EffectCounter): SimNetwork {
    const node = new SimNetwork(this, process, effects, {
      peerId: process.name,
      name: process.name,
      validator,
    });
    this.#nodes.set(process.name, node);
    for (const other of this.#others(node))
      if (this.#isConnected(node, other)) {
        other.noteConnected(node.peer);
        node.noteConnected(other.peer);
      }
    return node;
  }

  leave(name: string): void {
    const node = this.#nodes.get(name);
    if (node === undefined) return;
    this.#nodes.delete(name);
    for (const other of this.#nodes.values()) other.noteDisconnected(node.peer);
  }

  /** The cuts have changed: peers that see each other again are told so. @param before what `isCut` said until now */
  noteChange(before: Conditions['isCut']): void {
    const nodes = [...this.#nodes.values()];
    for (const [at, a] of nodes.entries())
      for (const b of nodes.slice(at + 1)) {
        const wasApart = before(a.process.index, b.process.index) && before(b.process.index, a.process.index);
        const isApart = !this.#isConnected(a, b);
        if (wasApart === isApart) continue;
        if (isApart) {
          a.noteDisconnected(b.peer);
          b.noteDisconnected(a.peer);
        } else {
          a.noteConnected(b.peer);
          b.noteConnected(a.peer);
        }
      }
  }

  peersOf(node: SimNetwork): readonly Peer[] {
    return this.#others(node)
      .filter((other) => this.#isConnected(node, other))
      .map(({ peer }) => peer);
  }

  send(from: SimNetwork, to: string, message: Uint8Array): void {
    const { watch, events, conditions, clock } = this.ports;
    watch.onSent(from.process, message);
    this.sent++;
    const target = this.#nodes.get(to);
    const random = this.#stream(from.process.name, to);
    const label = `${from.process.name}>${to} ${watch.identify(message)}`;
    const readable = (): string => `${from.process.name} → ${to}  ${watch.describe(message)}`;
    // The same numbers are drawn whatever becomes of the message.
    const isLost =
      random() <
      (target === undefined ? 0 : conditions.loss(from.process.index, target.process.index, message));
    const isTwice = random() < conditions.duplicate();
    const delays = [0, 1].map(() =>
      target === undefined ? 0 : conditions.delayMs(from.process.index, target.process.index, random),
    );
    if (target === undefined || isLost || conditions.isCut(from.process.index, target.process.index)) {
      this.dropped++;
      events.add('lost', label, readable);
      return;
    }
    for (const delayMs of isTwice ? delays : delays.slice(0, 1))
      clock.setTimer(delayMs, () => {
        if (this.#nodes.get(to) !== target || !target.process.isAlive) return;
        events.add('receive', label, readable);
        target.onMessage?.(from.peer, message);
      });
  }

  request(
    from: SimNetwork,
    to: string,
    protocol: string,
    request: Uint8Array,
    timeoutMs: number,
  ): Promise<Uint8Array> {
    const { watch, events, conditions, clock } = this.ports;
    const target = this.#nodes.get(to);
    const random = this.#stream(from.process.name, to);
    const [thereMs, backMs] = [0, 1].map(() =>
      target === undefined ? 1 : conditions.delayMs(from.process.index, target.process.index, random),
    ) as [number, number];
    events.add(
      'ask',
      `${from.process.name}>${to} ${watch.identify(request)}`,
      () => `${from.process.name} → ${to}  ${watch.describeRequest(request)}`,
    );
    return new Promise((resolve, reject) => {
      const isUp = (): boolean =>
        target !== undefined && this.#nodes.get(to) === target && target.process.isAlive;
      const settle = (result: () => void): void => {
        if (from.process.isAlive) result();
      };
      const fail = (code: string): void => settle(() => reject(new Error(code)));
      clock.setTimer(timeoutMs, () => fail('TIMEOUT'));
      clock.setTimer(thereMs, () => {
        const handler = target?.handlers.get(protocol);
        if (target === undefined || !isUp() || handler === undefined) return fail('NOT_CONNECTED');
        if (conditions.isCut(from.process.index, target.process.index)) return;
        handler(from.peer, request).then(
          (answer) => {
            if (!isUp() || conditions.isCut(target.process.index, from.process.index)) return;
            watch.onAnswered(protocol, request, answer);
            clock.setTimer(backMs, () => {
              events.add('answer', `${to}>${from.process.name} ${watch.identify(answer)}`);
              settle(() => resolve(answer));
            });
          },
          () => fail('STREAM'),
        );
      });
    });
  }

  #others(node: SimNetwork): readonly SimNetwork[] {
    return [...this.#nodes.values()].filter((other) => other !== node);
  }

  #isConnected({ process: a }: SimNetwork, { process: b }: SimNetwork): boolean {
    const { isCut } = this.ports.conditions;
    return !isCut(a.index, b.index) || !isCut(b.index, a.index);
  }

  #stream(from: string, to: string): () => number {
    const name = `link ${from} ${to}`;
    const known = this.#streams.get(name);
    if (known !== undefined) return known;
    const stream = this.ports.streamOf(name);
    this.#streams.set(name, stream);
    return stream;
  }
}

export class SimNetwork implements Network {
  readonly peer: Peer;
  readonly process: SimProcess;
  readonly localPeerId: string;
  readonly handlers = new Map<string, RequestHandler>();
  onMessage: ConsensusHandler | null = null;
  readonly #hub: SimHub;
  readonly #effects: EffectCounter;
  readonly #connected = new Set<(peer: Peer) => void>();
  readonly #disconnected = new Set<(peer: Peer) => void>();

  constructor(hub: SimHub, process: SimProcess, effects: EffectCounter, peer: Peer) {
    this.#hub = hub;
    this.process = process;
    this.#effects = effects;
    this.peer = peer;
    this.localPeerId = peer.peerId;
  }

  noteConnected(peer: Peer): void {
    if (this.process.isAlive) for (const listener of this.#connected) listener(peer);
  }
  noteDisconnected(peer: Peer): void {
    if (this.process.isAlive) for (const listener of this.#disconnected) listener(peer);
  }
  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  peers(): readonly Peer[] {
    return this.process.isAlive ? this.#hub.peersOf(this) : [];
  }
  onPeerConnected(listener: (peer: Peer) => void): () => void {
    this.#connected.add(listener);
    return () => this.#connected.delete(listener);
  }
  onPeerDisconnected(listener: (peer: Peer) => void): () => void {
    this.#disconnected.add(listener);
    return () => this.#disconnected.delete(listener);
  }
  sendConsensus(peerId: string, message: Uint8Array): void {
    if (!this.#effects.pass(this.process)) return;
    this.#hub.send(this, peerId, message);
    this.#effects.pass(this.process);
  }
  broadcastConsensus(message: Uint8Array): void {
    for (const peer of this.peers()) this.sendConsensus(peer.peerId, message);
  }
  onConsensus(handler: ConsensusHandler): void {
    this.onMessage = handler;
  }
  request(
    peerId: string,
    protocol: string,
    request: Uint8Array,
    { timeoutMs = DEFAULT_REQUEST_TIMEOUT_MS }: { timeoutMs?: number } = {},
  ): Promise<Uint8Array> {
    if (!this.process.isAlive) return never();
    return this.#hub.request(this, peerId, protocol, request, timeoutMs);
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
    if (this.process.isAlive) this.#hub.ports.watch.onFault(this.process, peerId, fault, detail);
  }
}
