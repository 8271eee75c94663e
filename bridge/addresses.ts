/** Where the peg's contracts are: the gateway at a fixed sidechain address, the rest at the factory's nonces (RULES 34, 51). */
import { type Address, parseAddress } from '#consensus/primitives.ts';

export const PEG_GATEWAY: Address = parseAddress('0x0000000000000000000000000000000000001001');

/** L1 addresses: factory = CREATE(deployer, 0), the others CREATE(factory, 1…4). */
export type L1Addresses = {
  readonly factory: Address;
  readonly vault: Address;
  readonly verifier: Address;
  readonly council: Address;
  readonly timelock: Address;
};
