/**
 * The chain specification: the inputs that everyone must agree on before block 0 (RULES 49).
 *
 * Owns the shape and the rules of a specification. Its hash is in specHash.ts, the genesis that follows from it in
 * genesis.ts. Endpoints are not part of it: they move without a new chain, so they are node configuration.
 */
import type { L1Addresses } from '#bridge/addresses.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import type { Checkpoint } from '#consensus/types.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';

export type SpecValidator = {
  readonly name: string;
  readonly address: Address;
  readonly power: bigint;
  readonly peerId: string;
};
export type SpecRelayer = { readonly name: string; readonly address: Address; readonly peerId: string };

/** An organisation: one vote in Governance. */
export type SpecGovernor = { readonly name: string; readonly address: Address };

export type FeePolicy = { readonly mode: 'fixed'; readonly baseFeeWei: bigint };

export type ChainSpec = {
  readonly version: 1;
  readonly name: string;
  readonly chainId: bigint;
  readonly l1ChainId: bigint;
  /** Genesis timestamp, whole seconds. */
  readonly timestamp: bigint;
  readonly epochLength: bigint;
  readonly blockGasLimit: bigint;
  /** Gas reserved for the deposit import beside the other transactions' gas (RULES 31). */
  readonly importGas: bigint;
  readonly feePolicy: FeePolicy;
  /** Strictly ascending by address. */
  readonly validators: readonly SpecValidator[];
  readonly relayerThreshold: number;
  /** Strictly ascending by address. */
  readonly relayers: readonly SpecRelayer[];
  /** Who decides, by two thirds, on validators and upgrades. Strictly ascending by address. */
  readonly governors: readonly SpecGovernor[];
  /** Backed balances: the vault's constructor takes exactly their sum. Strictly ascending by address. */
  readonly balances: readonly { readonly address: Address; readonly amountWei: bigint }[];
  /** L1 account used for nothing else: factory = CREATE(deployer, 0). */
  readonly deployer: Address;
};

/** One account of block 0. Storage keys and values are 32-byte hex. */
export type GenesisAccount = {
  readonly address: Address;
  readonly nonce: bigint;
  readonly balanceWei: bigint;
  readonly code: Uint8Array;
  readonly storage: readonly (readonly [slot: Hash, value: Hash])[];
};

/** Everything that follows from a specification; the same on any machine. */
export type Genesis = {
  readonly spec: ChainSpec;
  readonly specHash: Hash;
  readonly l1: L1Addresses;
  readonly accounts: readonly GenesisAccount[];
  readonly stateRoot: Hash;
  /** RLP of the standard header of block 0. */
  readonly header: Uint8Array;
  readonly genesisHash: Hash;
  readonly validators: ValidatorSet;
  /** The checkpoint of height 0 and its valueId, the parentBeaconBlockRoot of block 1. */
  readonly checkpoint: Checkpoint;
  readonly valueId: Hash;
  readonly backedWei: bigint;
};
