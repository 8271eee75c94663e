/**
 * Who may be connected: the specification's PeerIds, and whoever proves a consensus key that the chain names.
 *
 * Owns the question "who is this?". The list of the specification is static; the chain's is asked every time, so that
 * a set change needs neither a restart nor a new file, and permissioning never keeps a validator of the chain out.
 * Invariants: a PeerId that is on no list is a peer only with a proven key of an acceptable validator; at most
 * `MAX_PEER_IDS_PER_KEY` unlisted PeerIds are remembered for one key, so that a bad validator has no army.
 */
import type { Address } from '#consensus/primitives.ts';
import type { AllowedPeer } from '#node/network/peerTable.ts';

/** The chain's own permission: validators by address with their power; 0 for one that votes later or no longer. */
export type ChainMembers = () => ReadonlyMap<Address, bigint>;

export const MAX_PEER_IDS_PER_KEY = 2;

export type AllowList = {
  /** What is known of this PeerId; null for a stranger. */
  get(peerId: string): AllowedPeer | null;
  /** True if a stranger has anything to prove here. */
  takesStrangers(): boolean;
  /** May this key's holder be a validator here, over a PeerId that the specification gives to `listed`? */
  isAcceptable(address: Address, listed: Address | null): boolean;
  /** A stranger proved this key. @returns null when the key has its PeerIds already */
  learn(peerId: string, address: Address): AllowedPeer | null;
  /** Forgets PeerIds whose keys are not acceptable any more. */
  forgetFormer(): void;
  /** How many PeerIds there may be. */
  capacity(): number;
  /** Power of the current set that this key has, and all of it. */
  power(address: Address | null): { readonly own: bigint; readonly total: bigint };
};

export const createAllowList = (
  entries: readonly AllowedPeer[],
  localPeerId: string,
  members: ChainMembers | null,
): AllowList => {
  const listed = new Map(entries.map((entry) => [entry.peerId, entry]));
  listed.delete(localPeerId);
  const names = new Map(
    entries.flatMap(({ validator, name }) => (validator === null ? [] : [[validator, name]])),
  );
  const learned = new Map<string, AllowedPeer>();
  const listedPower = new Map(
    entries.flatMap(({ validator }) => (validator === null ? [] : [[validator, 1n] as const])),
  );
  const current = (): ReadonlyMap<Address, bigint> => members?.() ?? listedPower;

  return {
    get: (peerId) => listed.get(peerId) ?? learned.get(peerId) ?? null,
    takesStrangers: () => members !== null,
    isAcceptable: (address, listedFor) => (members === null ? address === listedFor : members().has(address)),
    learn(peerId, address) {
      const known = learned.get(peerId);
      if (known?.validator === address) return known;
      const others = [...learned.values()].filter(({ validator }) => validator === address);
      if (others.length >= MAX_PEER_IDS_PER_KEY) return null;
      const entry = { peerId, name: names.get(address) ?? `validator ${address}`, validator: address };
      learned.set(peerId, entry);
      return entry;
    },
    forgetFormer() {
      if (members === null) return;
      const acceptable = members();
      for (const [peerId, { validator }] of learned) if (!acceptable.has(validator!)) learned.delete(peerId);
    },
    capacity: () => listed.size + MAX_PEER_IDS_PER_KEY * current().size,
    power(address) {
      const powers = current();
      let total = 0n;
      for (const power of powers.values()) total += power;
      return { own: (address === null ? undefined : powers.get(address)) ?? 0n, total };
    },
  };
};
