/**
 * The deployment run again in a local EVM, to know what the L1 must show (RULES 33).
 *
 * Owns running the manifest's two transactions, and deposits that came in the same block. Code is compared with
 * immutables and all, storage by its root: not a slot more or less. Does not talk to the L1.
 */
import { createCustomCommon, Hardfork, Mainnet } from '@ethereumjs/common';
import { createEVM, type EVM } from '@ethereumjs/evm';
import { MerkleStateManager } from '@ethereumjs/statemanager';
import { Account, createAddressFromString, type Address as EvmAddress } from '@ethereumjs/util';
import { encodeFunctionData } from 'viem';
import { pegVaultAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { DeploymentError } from '#bridge/deployment/errors.ts';
import { encodeDeployAll, type PegManifest } from '#bridge/deployment/manifest.ts';
import {
  type Address,
  bytesToHash,
  bytesToHex,
  type Hash,
  type Hex,
  hexToBytes,
} from '#consensus/primitives.ts';

export type ReplayedContract = {
  readonly name: string;
  readonly address: Address;
  readonly code: Hex;
  readonly storageRoot: Hash;
};

/** A deposit that landed in the deployment's own block: it moves the vault's storage, and anyone can make one. */
export type ReplayedDeposit = {
  readonly sender: Address;
  readonly recipient: Address;
  readonly amount: bigint;
};

const RICH = 1n << 160n;
const GAS = 16_777_216n;

type Replay = { readonly evm: EVM; readonly stateManager: MerkleStateManager };

const replay = async (manifest: PegManifest, deposits: readonly ReplayedDeposit[]): Promise<Replay> => {
  const common = createCustomCommon({ chainId: Number(manifest.l1ChainId) }, Mainnet, {
    hardfork: Hardfork.Osaka,
  });
  const stateManager = new MerkleStateManager({ common });
  const evm = await createEVM({ common, stateManager });
  const deployer = createAddressFromString(manifest.deployer);
  const factory = createAddressFromString(manifest.addresses.factory);

  // The top-level call itself takes the nonce: the creation is the deployer's first.
  await stateManager.putAccount(deployer, new Account(0n, RICH));
  const created = await run(evm, 'the factory', deployer, undefined, manifest.factoryInitCode, 0n);
  if (created?.toString() !== manifest.addresses.factory)
    throw new DeploymentError(
      'REPLAY_FAILED',
      `expected the factory at ${manifest.addresses.factory}, found it at ${created}: the manifest contradicts itself`,
    );
  await run(evm, 'deployAll', deployer, factory, encodeDeployAll(manifest), manifest.backedWei);
  const vault = createAddressFromString(manifest.addresses.vault);
  for (const { sender, recipient, amount } of deposits) {
    const from = createAddressFromString(sender);
    await stateManager.putAccount(from, new Account(0n, RICH));
    const data = encodeFunctionData({ abi: pegVaultAbi, functionName: 'deposit', args: [recipient] });
    await run(evm, 'a deposit', from, vault, data, amount);
  }
  return { evm, stateManager };
};

/** @throws DeploymentError REPLAY_FAILED */
export const replayDeployment = async (
  manifest: PegManifest,
  deposits: readonly ReplayedDeposit[] = [],
): Promise<readonly ReplayedContract[]> => {
  const { stateManager } = await replay(manifest, deposits);
  await stateManager.flush();
  const contracts = [
    { name: 'factory', address: manifest.addresses.factory },
    ...manifest.creations.map(({ name, address }) => ({ name, address })),
  ];
  return Promise.all(
    contracts.map(async ({ name, address }) => {
      const at = createAddressFromString(address);
      const account = await stateManager.getAccount(at);
      const code = await stateManager.getCode(at);
      if (account === undefined || code.length === 0)
        throw new DeploymentError('REPLAY_FAILED', `expected ${name} at ${address}, found no code there`);
      return { name, address, code: bytesToHex(code), storageRoot: bytesToHash(account.storageRoot) };
    }),
  );
};

/**
 * Whether the verifier, as it was born, takes this call: then the genesis' own validators and relayers have signed,
 * which none of them does before it has verified the deployment itself.
 * @throws DeploymentError REPLAY_FAILED
 */
export const acceptsFirstCheckpoint = async (
  manifest: PegManifest,
  deposits: readonly ReplayedDeposit[],
  data: Hex,
): Promise<boolean> => {
  const { evm } = await replay(manifest, deposits);
  const caller = createAddressFromString(manifest.deployer);
  const { execResult } = await evm.runCall({
    caller,
    origin: caller,
    to: createAddressFromString(manifest.addresses.verifier),
    data: hexToBytes(data),
    gasLimit: GAS,
  });
  return execResult.exceptionError === undefined;
};

const run = async (
  evm: EVM,
  what: string,
  caller: EvmAddress,
  to: EvmAddress | undefined,
  data: Hex,
  value: bigint,
): Promise<EvmAddress | undefined> => {
  const { execResult, createdAddress } = await evm.runCall({
    caller,
    origin: caller,
    ...(to === undefined ? {} : { to }),
    data: hexToBytes(data),
    value,
    gasLimit: GAS,
  });
  if (execResult.exceptionError !== undefined)
    throw new DeploymentError(
      'REPLAY_FAILED',
      `expected ${what} to succeed in the local replay, found ${execResult.exceptionError.error} ${bytesToHex(execResult.returnValue)}: the specification breaks a rule of the contracts`,
    );
  return createdAddress;
};
