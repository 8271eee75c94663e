/** Addresses of the system contracts, fixed for every Causeway chain (RULES 51). */
import { PEG_GATEWAY, WRAPPED_TOKEN } from '#bridge/addresses.ts';
import { type Address, parseAddress } from '#consensus/primitives.ts';

const reserved = (suffix: string): Address => parseAddress(`0x${suffix.padStart(40, '0')}`);

export const PREDEPLOYS = {
  validatorSet: reserved('1000'),
  pegGateway: PEG_GATEWAY,
  governance: reserved('1002'),
  permissions: reserved('1003'),
  feePolicy: reserved('1004'),
  upgradePlan: reserved('1005'),
  treasury: reserved('1006'),
  wrappedToken: WRAPPED_TOKEN,
  deterministicDeployer: parseAddress('0x4e59b44847b379578588920cA78FbF26c0B4956C'),
  /** EIP-2935 and EIP-4788, at their standard addresses. */
  historyStorage: parseAddress('0x0000F90827F1C53a10cb7A02335B175320002935'),
  beaconRoots: parseAddress('0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02'),
} as const;

/** The gateway pays imported deposits out of this pre-funded balance. */
export const GATEWAY_PREFUND_WEI = 1n << 128n;
