/**
 * EIP-712 hashes of what members sign in a key ceremony, before there is a genesis (RULES 45).
 *
 * The domain is salted by the hash of the opening, so that nothing signed for one ceremony counts in another; its types
 * are of their own, so that nothing signed here is ever a vote or an attestation. Does not judge what is signed
 * (genesis/ceremony/).
 */
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { consensusSeparator, typedDataDigest } from '#consensus/digests.ts';
import { concatBytes, type Hash, hexToBytes } from '#consensus/primitives.ts';

export type CeremonyDomain = { readonly chainId: bigint; readonly openHash: Hash };

export type CeremonyRole = 'consensus' | 'relayer' | 'node' | 'deployer';

/** Whoever holds `key` takes this seat for this organisation, with this node at these endpoints. */
export type KeyPossession = {
  readonly organisation: string;
  readonly role: CeremonyRole;
  readonly seat: string;
  /** An address, or the PeerId of a node key. */
  readonly key: string;
  /** Empty for a deployer. */
  readonly peerId: string;
  readonly p2p: string;
  /** Empty but for relayers. */
  readonly exchange: string;
};

export type CeremonyStatement =
  | ({ readonly type: 'possession' } & KeyPossession)
  /** By the governance key: these are all our keys. `bodyHash` is of the enrolment without this signature. */
  | { readonly type: 'enrolment'; readonly organisation: string; readonly bodyHash: Hash }
  /** By the governance key: I rebuilt this genesis, and it is the one. */
  | {
      readonly type: 'approval';
      readonly organisation: string;
      readonly draftHash: Hash;
      readonly genesisHash: Hash;
      readonly at: string;
    };

const utf8 = new TextEncoder();
const text = (value: string): Uint8Array => keccak256(utf8.encode(value));

const POSSESSION = text(
  'KeyPossession(string organisation,string role,string seat,string key,string peerId,string p2p,string exchange)',
);
const ENROLMENT = text('Enrolment(string organisation,bytes32 bodyHash)');
const APPROVAL = text('Approval(string organisation,bytes32 draftHash,bytes32 genesisHash,string at)');

const hashStructInput = (statement: CeremonyStatement): Uint8Array => {
  switch (statement.type) {
    case 'possession': {
      const { organisation, role, seat, key, peerId, p2p, exchange } = statement;
      return concatBytes(POSSESSION, ...[organisation, role, seat, key, peerId, p2p, exchange].map(text));
    }
    case 'enrolment':
      return concatBytes(ENROLMENT, text(statement.organisation), hexToBytes(statement.bodyHash));
    case 'approval':
      return concatBytes(
        APPROVAL,
        text(statement.organisation),
        hexToBytes(statement.draftHash),
        hexToBytes(statement.genesisHash),
        text(statement.at),
      );
  }
};

export const ceremonyDigest = ({ chainId, openHash }: CeremonyDomain, statement: CeremonyStatement): Hash =>
  typedDataDigest(consensusSeparator({ chainId, genesisHash: openHash }), hashStructInput(statement));
