/** What the network refused, dropped and slowed down, by reason and peer, since it started: for status and metrics. */
export type DropReason =
  /** Before anybody was known: the address over its accept rate, or with too many handshakes under way. */
  | 'acceptRate'
  | 'pendingHandshakes'
  /** Noise proved a PeerId that may not be here. */
  | 'unlisted'
  | 'banned'
  | 'tooManyConnections'
  | 'handshakeRefused'
  /** A connected peer beyond its budget. */
  | 'requests'
  | 'forbidden';

export type PeerCounters = {
  readonly drops: Partial<Record<DropReason, number>>;
  readonly faults: number;
  readonly bans: number;
  /** How often reading waited for the peer's own budget. */
  readonly pauses: number;
  readonly messages: number;
};

export type NetworkCounters = {
  readonly drops: Partial<Record<DropReason, number>>;
  readonly bans: number;
  readonly bannedNow: readonly string[];
  readonly pendingHandshakes: number;
  /** By PeerId, the connected ones. */
  readonly peers: Readonly<Record<string, PeerCounters>>;
};

type Mutable = { drops: Map<DropReason, number>; faults: number; bans: number; messages: number };

export type CounterBook = {
  drop(reason: DropReason, peerId?: string): void;
  fault(peerId: string): void;
  ban(peerId: string): void;
  message(peerId: string): void;
  totals(): { readonly drops: NetworkCounters['drops']; readonly bans: number };
  of(peerId: string): Omit<PeerCounters, 'pauses'>;
};

const MAX_PEERS = 1_024;

export const createCounterBook = (): CounterBook => {
  const all = new Map<DropReason, number>();
  const peers = new Map<string, Mutable>();
  let bans = 0;
  const entry = (peerId: string): Mutable => {
    let found = peers.get(peerId);
    if (found === undefined) {
      if (peers.size >= MAX_PEERS) peers.delete(peers.keys().next().value!);
      found = { drops: new Map(), faults: 0, bans: 0, messages: 0 };
      peers.set(peerId, found);
    }
    return found;
  };
  const add = (to: Map<DropReason, number>, reason: DropReason): unknown =>
    to.set(reason, (to.get(reason) ?? 0) + 1);
  return {
    drop(reason, peerId) {
      add(all, reason);
      if (peerId !== undefined) add(entry(peerId).drops, reason);
    },
    fault: (peerId) => {
      entry(peerId).faults++;
    },
    ban(peerId) {
      bans++;
      entry(peerId).bans++;
    },
    message: (peerId) => {
      entry(peerId).messages++;
    },
    totals: () => ({ drops: Object.fromEntries(all), bans }),
    of(peerId) {
      const {
        drops,
        faults,
        bans: own,
        messages,
      } = peers.get(peerId) ?? {
        drops: new Map(),
        faults: 0,
        bans: 0,
        messages: 0,
      };
      return { drops: Object.fromEntries(drops), faults, bans: own, messages };
    },
  };
};
