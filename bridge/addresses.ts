/** Where the peg's contracts are: the gateway at a fixed sidechain address, the rest at the factory's nonces (RULES 34, 51). */
import { keccak256 } from '#consensus/crypto/keccak.ts';
import {
  type Address,
  bytesToAddress,
  concatBytes,
  hexToBytes,
  parseAddress,
} from '#consensus/primitives.ts';

export const PEG_GATEWAY: Address = parseAddress('0x0000000000000000000000000000000000001001');
/** The code that every listed token's clone on the sidechain runs. */
export const WRAPPED_TOKEN: Address = parseAddress('0x0000000000000000000000000000000000001007');

/** L1 addresses: factory = CREATE(deployer, 0), the others CREATE(factory, 1…6). */
export type L1Addresses = {
  readonly factory: Address;
  readonly vault: Address;
  readonly verifier: Address;
  readonly council: Address;
  readonly timelock: Address;
  readonly escape: Address;
  readonly weth: Address;
};

/** CREATE for a nonce below 128: keccak(rlp([creator, nonce])). */
const createdAddress = (creator: Address, nonce: number): Address =>
  bytesToAddress(
    keccak256(
      concatBytes(Uint8Array.of(0xd6, 0x94), hexToBytes(creator), Uint8Array.of(nonce === 0 ? 0x80 : nonce)),
    ).subarray(12),
  );

/** Known before anything is deployed, so that genesis and contracts can name each other. */
export const l1AddressesOf = (deployer: Address): L1Addresses => {
  const factory = createdAddress(deployer, 0);
  return {
    factory,
    vault: createdAddress(factory, 1),
    verifier: createdAddress(factory, 2),
    council: createdAddress(factory, 3),
    timelock: createdAddress(factory, 4),
    escape: createdAddress(factory, 5),
    weth: createdAddress(factory, 6),
  };
};
