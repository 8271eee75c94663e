/** A small genesis for servers under test; nothing in it is derived. */
import { parseAddress, ZERO_ADDRESS, ZERO_HASH } from '#consensus/primitives.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import type { Genesis } from '#genesis/spec.ts';

export const CHAIN_ID = 42_424n;
export const BASE_FEE_WEI = 1_000_000_000n;

const validators = [1, 2, 3, 4].map((index) => ({
  address: parseAddress(`0x${String(index).padStart(40, '0')}`),
  power: 1n,
}));

export const VALIDATORS = createValidatorSet(validators);

export const createFakeGenesis = (): Genesis => ({
  spec: {
    version: 1,
    name: 'rpc-test',
    chainId: CHAIN_ID,
    l1ChainId: 31_337n,
    timestamp: 1_700_000_000n,
    epochLength: 100n,
    blockGasLimit: 30_000_000n,
    importGas: 10_000_000n,
    feePolicy: { mode: 'fixed', baseFeeWei: BASE_FEE_WEI },
    validators: validators.map(({ address, power }, index) => ({
      name: `validator-${index + 1}`,
      address,
      power,
      peerId: `peer-${index + 1}`,
    })),
    relayerThreshold: 2,
    relayers: [],
    governors: [],
    balances: [],
    deployer: ZERO_ADDRESS,
  },
  specHash: ZERO_HASH,
  l1: {
    factory: ZERO_ADDRESS,
    vault: ZERO_ADDRESS,
    verifier: ZERO_ADDRESS,
    council: ZERO_ADDRESS,
    timelock: ZERO_ADDRESS,
    escape: ZERO_ADDRESS,
    weth: ZERO_ADDRESS,
  },
  accounts: [],
  stateRoot: ZERO_HASH,
  header: new Uint8Array(),
  genesisHash: ZERO_HASH,
  validators: VALIDATORS,
  checkpoint: {
    height: 0n,
    blockHash: ZERO_HASH,
    stateRoot: ZERO_HASH,
    outboxRoot: ZERO_HASH,
    outboxCount: 0n,
    importedCount: 0n,
    importedHash: ZERO_HASH,
    nextValidatorsHash: VALIDATORS.hash,
  },
  valueId: ZERO_HASH,
  backedWei: 0n,
});
