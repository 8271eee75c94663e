/**
 * The attestations that this relayer knows: its own and, by exchange, those of others.
 *
 * Owns counting signers. Invariants: an entry exists only for a value that this node itself holds true; a signature
 * is kept only under the relayer whose key made it; entries are bounded and leave when their effect is final.
 * Does not own the decision to sign (depositAttester.ts, anchorAttester.ts).
 */
import type { RelayerSet } from '#bridge/encoding/relayerSet.ts';
import { type BitmapSignatures, packSignatures } from '#bridge/encoding/signatureBitmap.ts';
import { recoverAddress } from '#consensus/crypto/secp256k1.ts';
import {
  type AnchorAttestation,
  anchorAttestationDigest,
  type BridgeDomain,
  type DepositAttestation,
  depositAttestationDigest,
} from '#consensus/digests.ts';
import { type Address, compareHex, type Hash, type Signature } from '#consensus/primitives.ts';

export type AttestationDomains = {
  /** Sidechain id, gateway, specHash (RULES 27). */
  readonly gateway: BridgeDomain;
  /** L1 chain id, PegVerifier, genesisHash. */
  readonly verifier: BridgeDomain;
  readonly l1ChainId: bigint;
  readonly vault: Address;
};

/** One value under one key (a deposit count, a height), and who signed it. */
export type Attested = {
  readonly key: bigint;
  /** The deposit chain's hash, or the checkpoint's valueId. */
  readonly value: Hash;
  readonly relayerEpoch: bigint;
  readonly signatures: ReadonlyMap<Address, Signature>;
};

export interface AttestationPool {
  get(key: bigint): Attested | null;
  /** Ascending by key. */
  all(): readonly Attested[];
  isFull(): boolean;
  /** A value that this node holds true. A known entry of the same epoch stays. */
  open(key: bigint, value: Hash, relayerEpoch: bigint): void;
  /** As `open`, if one of the signatures is a relayer's for exactly this. */
  openIfSigned(key: bigint, value: Hash, relayerEpoch: bigint, signatures: readonly Signature[]): void;
  /** @returns the relayer who signed, or null: not a member, not for this value, or no such entry */
  add(key: bigint, signature: Signature): Address | null;
  isQuorate(attested: Attested): boolean;
  /** Bitmap and signatures of exactly `threshold` relayers, in index order. */
  collect(attested: Attested): BitmapSignatures;
  missing(attested: Attested): readonly Address[];
  /** Its effect is final: nothing at or below it is held again, whoever signs it. */
  forgetThrough(key: bigint): void;
  onChange(listener: () => void): () => void;
}

export const depositMessage = (
  domains: AttestationDomains,
  n: bigint,
  hash: Hash,
  relayerEpoch: bigint,
): DepositAttestation => ({ l1ChainId: domains.l1ChainId, vault: domains.vault, n, hash, relayerEpoch });

export const depositDigest =
  (domains: AttestationDomains) =>
  (n: bigint, hash: Hash, relayerEpoch: bigint): Hash =>
    depositAttestationDigest(domains.gateway, depositMessage(domains, n, hash, relayerEpoch));

export const anchorDigest =
  (domains: AttestationDomains) =>
  (_height: bigint, valueId: Hash, relayerEpoch: bigint): Hash =>
    anchorAttestationDigest(domains.verifier, { valueId, relayerEpoch } satisfies AnchorAttestation);

export const createAttestationPool = (
  relayers: RelayerSet,
  digestOf: (key: bigint, value: Hash, relayerEpoch: bigint) => Hash,
  maxEntries = 1_024,
): AttestationPool => {
  type Entry = Omit<Attested, 'signatures'> & { signatures: Map<Address, Signature>; digest: Hash };
  const entries = new Map<bigint, Entry>();
  const listeners = new Set<() => void>();
  const members = new Set(relayers.addresses);
  let forgotten = -1n;
  const changed = (): void => {
    for (const listener of [...listeners]) listener();
  };

  const open = (key: bigint, value: Hash, relayerEpoch: bigint): void => {
    if (key <= forgotten) return;
    const known = entries.get(key);
    if (known?.relayerEpoch === relayerEpoch) return;
    if (known === undefined && entries.size >= maxEntries) return;
    const digest = digestOf(key, value, relayerEpoch);
    entries.set(key, { key, value, relayerEpoch, signatures: new Map(), digest });
    changed();
  };
  const memberOf = (digest: Hash, signature: Signature): Address | null => {
    const signer = recoverAddress(digest, signature);
    return signer !== null && members.has(signer) ? signer : null;
  };

  return {
    get: (key) => entries.get(key) ?? null,
    all: () => [...entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
    isFull: () => entries.size >= maxEntries,
    open,
    openIfSigned: (key, value, relayerEpoch, signatures) => {
      const digest = digestOf(key, value, relayerEpoch);
      if (signatures.some((signature) => memberOf(digest, signature) !== null))
        open(key, value, relayerEpoch);
    },
    add: (key, signature) => {
      const entry = entries.get(key);
      if (entry === undefined) return null;
      for (const [relayer, known] of entry.signatures) if (known === signature) return relayer;
      const signer = memberOf(entry.digest, signature);
      if (signer === null) return null;
      if (!entry.signatures.has(signer)) {
        entry.signatures.set(signer, signature);
        changed();
      }
      return signer;
    },
    isQuorate: ({ signatures }) => signatures.size >= relayers.threshold,
    collect: ({ signatures }) => {
      const chosen = [...signatures].sort(([a], [b]) => compareHex(a, b)).slice(0, relayers.threshold);
      return packSignatures(relayers.addresses, new Map(chosen));
    },
    missing: ({ signatures }) => relayers.addresses.filter((address) => !signatures.has(address)),
    forgetThrough: (key) => {
      if (key > forgotten) forgotten = key;
      for (const known of [...entries.keys()]) if (known <= key) entries.delete(known);
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
};
