/**
 * What is deployed on the L1: a pure function of the genesis (RULES 34).
 *
 * Owns the init codes, their order and their values. The same inputs give the same bytes on any machine, so every
 * node makes the manifest itself and trusts no file. Does not deploy or verify.
 */
import { type Abi, concatHex, encodeAbiParameters, encodeFunctionData } from 'viem';
import { type L1Addresses, l1AddressesOf } from '#bridge/addresses.ts';
import {
  pegCouncilAbi,
  pegCouncilBytecode,
  pegEscapeAbi,
  pegEscapeBytecode,
  pegFactoryAbi,
  pegFactoryBytecode,
  pegTimelockAbi,
  pegTimelockBytecode,
  pegVaultAbi,
  pegVaultBytecode,
  pegVerifierAbi,
  pegVerifierBytecode,
  wrappedEtherBytecode,
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
  /** Of block 0, whole seconds. */
  readonly timestamp: bigint;
  /** Height 0. */
  readonly checkpoint: Checkpoint;
  readonly validators: ValidatorSet;
  readonly relayers: RelayerSet;
  readonly backedWei: bigint;
  /** The council's keys, strictly ascending. */
  readonly governors: readonly Address[];
  /** Who may pause and veto from the beginning; governance appoints others. */
  readonly sentries: readonly Address[];
  readonly etherLimit: EtherLimit;
};

/** @property capWei may leave at once, and within a day; above it claims are queued. @property mostWei bounds governance */
export type EtherLimit = { readonly capWei: bigint; readonly mostWei: bigint };

const ETHER_WEI = 10n ** 18n;

/** What every network begins with. */
export const ETHER_LIMIT: EtherLimit = { capWei: 1_000n * ETHER_WEI, mostWei: 100_000n * ETHER_WEI };

export type PegContractName = 'vault' | 'verifier' | 'council' | 'timelock' | 'escape' | 'weth';

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
    {
      verifier: addresses.verifier,
      council: addresses.council,
      timelock: addresses.timelock,
      escape: addresses.escape,
      weth: addresses.weth,
      sidechainId: inputs.sidechainId,
      backed: inputs.backedWei,
      etherCap: inputs.etherLimit.capWei,
      mostEtherCap: inputs.etherLimit.mostWei,
      sentries: inputs.sentries,
    },
  ]);
  const verifier = withArguments(pegVerifierAbi, pegVerifierBytecode.creation, [
    {
      vault: addresses.vault,
      timelock: addresses.timelock,
      sidechainId: inputs.sidechainId,
      genesisHash: inputs.genesisHash,
      genesisTimestamp: inputs.timestamp,
      epochLength: inputs.epochLength,
      genesisCheckpoint: inputs.checkpoint,
      validators: bytesToHex(packValidators(inputs.validators.validators)),
      relayers: bytesToHex(packRelayerSet(inputs.relayers)),
    },
  ]);
  const council = withArguments(pegCouncilAbi, pegCouncilBytecode.creation, [
    addresses.timelock,
    addresses.vault,
    inputs.genesisHash,
    concatHex(inputs.governors),
  ]);
  const timelock = withArguments(pegTimelockAbi, pegTimelockBytecode.creation, [addresses.council]);
  const exit = withArguments(pegEscapeAbi, pegEscapeBytecode.creation, [
    addresses.vault,
    addresses.verifier,
    inputs.sidechainId,
  ]);
  const create = (name: PegContractName, initCode: Hex): PegCreation => ({
    name,
    address: addresses[name],
    initCode,
    valueWei: name === 'vault' ? inputs.backedWei : 0n,
  });
  return {
    l1ChainId: inputs.l1ChainId,
    deployer: inputs.deployer,
    addresses,
    factoryInitCode: pegFactoryBytecode.creation,
    creations: [
      create('vault', vault),
      create('verifier', verifier),
      create('council', council),
      create('timelock', timelock),
      create('escape', exit),
      create('weth', wrappedEtherBytecode.creation),
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
