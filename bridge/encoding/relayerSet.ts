/**
 * The relayer set: who attests, and how many of them it takes.
 *
 * Owns the packed form (RULES 48): uint8 threshold ‖ 20-byte addresses, whose keccak the contracts store.
 * Invariants (RULES 26), the same that PegVerifier's constructor checks: addresses strictly ascending and not
 * zero, threshold ≥ 2, 2 · threshold > members, threshold ≤ members.
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import {
  type Address,
  bytesToAddress,
  compareHex,
  concatBytes,
  type Hash,
  hexToBytes,
  ZERO_ADDRESS,
} from '#consensus/primitives.ts';

export type RelayerSet = {
  readonly threshold: number;
  /** Strictly ascending. */
  readonly addresses: readonly Address[];
};

/** The epoch in which the set of the specification attests, on both chains; a rotation adds one (RULES 30). */
export const GENESIS_RELAYER_EPOCH = 1n;
/** A threshold is one byte, a signature bitmap one word. */
export const MAX_RELAYERS = 255;

export type RelayerSetErrorCode = 'NOT_ASCENDING' | 'BAD_THRESHOLD' | 'TOO_MANY' | 'BAD_PACKING';

export class RelayerSetError extends Error {
  override readonly name = 'RelayerSetError';
  readonly code: RelayerSetErrorCode;
  constructor(code: RelayerSetErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** @throws RelayerSetError NOT_ASCENDING, BAD_THRESHOLD, TOO_MANY */
export const checkRelayerSet = ({ threshold, addresses }: RelayerSet): void => {
  if (addresses.length > MAX_RELAYERS)
    throw new RelayerSetError(
      'TOO_MANY',
      `expected at most ${MAX_RELAYERS} relayers, found ${addresses.length}: remove some`,
    );
  let previous = ZERO_ADDRESS;
  for (const address of addresses) {
    if (compareHex(previous, address) >= 0)
      throw new RelayerSetError(
        'NOT_ASCENDING',
        `expected strictly ascending relayer addresses above zero, found ${address} after ${previous}: sort them and remove duplicates`,
      );
    previous = address;
  }
  const count = addresses.length;
  if (!Number.isInteger(threshold) || threshold < 2 || threshold > count || 2 * threshold <= count)
    throw new RelayerSetError(
      'BAD_THRESHOLD',
      `expected a relayer threshold of at least 2 and more than half of ${count}, found ${threshold}`,
    );
};

/** uint8 threshold ‖ 20 bytes an address: the preimage that both contracts take. @throws RelayerSetError */
export const packRelayerSet = (set: RelayerSet): Uint8Array => {
  checkRelayerSet(set);
  return concatBytes(Uint8Array.of(set.threshold), ...set.addresses.map(hexToBytes));
};

/** @throws RelayerSetError */
export const unpackRelayerSet = (packed: Uint8Array): RelayerSet => {
  if (packed.length === 0 || (packed.length - 1) % 20 !== 0)
    throw new RelayerSetError(
      'BAD_PACKING',
      `expected one threshold byte and 20 bytes a relayer, found ${packed.length} bytes`,
    );
  const addresses: Address[] = [];
  for (let at = 1; at < packed.length; at += 20) addresses.push(bytesToAddress(packed.slice(at, at + 20)));
  const set = { threshold: packed[0]!, addresses };
  checkRelayerSet(set);
  return set;
};

/** @throws RelayerSetError */
export const relayerSetHash = (set: RelayerSet): Hash => keccak256Hex(packRelayerSet(set));
