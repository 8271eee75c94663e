/**
 * What is deployed on the L1: a pure function of the genesis (RULES 34).
 *
 * Owns the init codes, their order and their values. The same inputs give the same bytes on any machine, so every
 * node makes the manifest itself and trusts no file. Does not deploy or verify.
 */
import { type Abi, concatHex, encodeAbiParameters, encodeFunctionData } from 'viem';
import { type L1Addresses, l1AddressesOf } from '#bridge/addresses.ts';
import {
  pegFactoryAbi,
  pegFactoryBytecode,
  pegVaultAbi,
  pegVaultBytecode,
  pegVerifierAbi,
  pegVerifierBytecode,
} from '#bridge/contracts/artifacts/contracts.ts';
import { DeploymentError } from '#bridge/deployment/errors.ts';
import { packRelayerSet, type RelayerSet, relayerSetHash } from '#bridge/encoding/relayerSet.ts';
import { type Address, bytesToHex, type Hash, type Hex } from '#consensus/primitives.ts';
import type { Checkpoint } from '#consensus/types.ts';
import { packValidators, type ValidatorSet } from '#consensus/validatorSet.ts';

/** What the contracts are born with; all of it follows from the genesis. */
export type PegInputs = {
  readonly l1ChainId: bigint;
  readonly sidechainId: bigint;
  readonly deployer: Address;
  readonly epochLength: bigint;
  readonly genesisHash: Hash;
  /** Height 0. */
  readonly checkpoint: Checkpoint;
  readonly validators: ValidatorSet;
  readonly relayers: RelayerSet;
  readonly backedWei: bigint;
};

export type PegContractName = 'vault' | 'verifier';

export type PegCreation = {
  readonly name: PegContractName;
  /** CREATE(factory, place in the list + 1). */
  readonly address: Address;
  readonly initCode: Hex;
  readonly valueWei: bigint;
};

export type PegManifest = {
  readonly l1ChainId: bigint;
  readonly deployer: Address;
  readonly addresses: L1Addresses;
  readonly factoryInitCode: Hex;
  /** In the order of creation. */
  readonly creations: readonly PegCreation[];
  readonly backedWei: bigint;
  /** What the verifier holds for epoch 1 for good. */
  readonly validatorsHash: Hash;
  /** What the verifier holds for the relayers while none has been replaced. */
  readonly relayersHash: Hash;
};

/** Creation code followed by the constructor's encoded arguments, exactly as the compiler reads them. */
const withArguments = (abi: Abi, creation: Hex, args: readonly unknown[]): Hex => {
  const entry = abi.find((item) => item.type === 'constructor');
  return concatHex([creation, encodeAbiParameters(entry?.inputs ?? [], args)]);
};

/** @throws DeploymentError BAD_INPUT, RelayerSetError */
export const createManifest = (inputs: PegInputs): PegManifest => {
  const addresses = l1AddressesOf(inputs.deployer);
  if (inputs.checkpoint.nextValidatorsHash !== inputs.validators.hash)
    throw new DeploymentError(
      'BAD_INPUT',
      `expected the genesis checkpoint to name validator set ${inputs.validators.hash}, found ${inputs.checkpoint.nextValidatorsHash}: build both from one specification`,
    );
  const vault = withArguments(pegVaultAbi, pegVaultBytecode.creation, [
    addresses.verifier,
    inputs.sidechainId,
    inputs.backedWei,
  ]);
  const verifier = withArguments(pegVerifierAbi, pegVerifierBytecode.creation, [
    {
      vault: addresses.vault,
      sidechainId: inputs.sidechainId,
      genesisHash: inputs.genesisHash,
      epochLength: inputs.epochLength,
      genesisCheckpoint: inputs.checkpoint,
      validators: bytesToHex(packValidators(inputs.validators.validators)),
      relayers: bytesToHex(packRelayerSet(inputs.relayers)),
    },
  ]);
  return {
    l1ChainId: inputs.l1ChainId,
    deployer: inputs.deployer,
    addresses,
    factoryInitCode: pegFactoryBytecode.creation,
    creations: [
      { name: 'vault', address: addresses.vault, initCode: vault, valueWei: inputs.backedWei },
      { name: 'verifier', address: addresses.verifier, initCode: verifier, valueWei: 0n },
    ],
    backedWei: inputs.backedWei,
    validatorsHash: inputs.validators.hash,
    relayersHash: relayerSetHash(inputs.relayers),
  };
};

/** Call data of `deployAll`. */
export const encodeDeployAll = (manifest: PegManifest): Hex =>
  encodeFunctionData({
    abi: pegFactoryAbi,
    functionName: 'deployAll',
    args: [
      manifest.creations.map(({ initCode }) => initCode),
      manifest.creations.map(({ valueWei }) => valueWei),
    ],
  });
