/**
 * Whether the L1 shows, at finality, exactly the contracts that follow from the genesis (RULES 33).
 *
 * No node commits height 1 and no relayer signs before this says yes. Code, immutables included, is compared at the
 * finalised block; for a node that starts at height 0 storage is compared too, by its root at the end of the
 * deployment's block, and the backed sum must be locked. An endpoint without that block's state is asked for the
 * finalised one instead: before the first checkpoint nothing but deposits can have moved storage, and deposits are
 * replayed. Where a checkpoint has moved it, its call is run on the replayed contracts: signatures that those take are
 * the proof that validators and relayers verified this deployment at its birth. What the deployed contracts say of
 * themselves proves nothing, because their storage is what is in doubt. Both sets of signers that the verifier began
 * with are compared, the relayers until governance has replaced them. A difference is a result, not an exception; a failing endpoint throws what viem throws.
 */
import { getAddress, type PublicClient } from 'viem';
import { pegFactoryAbi, pegVaultAbi, pegVerifierAbi } from '#bridge/contracts/artifacts/contracts.ts';
import type { PegManifest } from '#bridge/deployment/manifest.ts';
import {
  acceptsFirstCheckpoint,
  type ReplayedContract,
  type ReplayedDeposit,
  replayDeployment,
} from '#bridge/deployment/replay.ts';
import { GENESIS_RELAYER_EPOCH } from '#bridge/encoding/relayerSet.ts';
import {
  type Address,
  type Hash,
  type Hex,
  parseAddress,
  parseHash,
  ZERO_ADDRESS,
} from '#consensus/primitives.ts';

export type DeploymentFault =
  | 'WRONG_CHAIN'
  /** Not there yet, or not final yet: ask again later. */
  | 'NOT_FINAL'
  | 'CODE_DIFFERS'
  | 'STORAGE_DIFFERS'
  | 'BACKING_MISSING'
  /** The endpoint does not tell the state of the deployment's block, and the finalised one has moved on. */
  | 'HISTORY_UNAVAILABLE';

export type DeploymentVerdict =
  | { readonly ok: true; readonly finalizedBlock: bigint; readonly deploymentBlock: bigint | null }
  | { readonly ok: false; readonly code: DeploymentFault; readonly message: string };

export type VerifyDeploymentOptions = {
  readonly publicClient: PublicClient;
  readonly manifest: PegManifest;
  /** `fresh`: at height 0, storage is compared. `joining`: the chain runs already; code and signers (RULES 33). */
  readonly mode: 'fresh' | 'joining';
  /** Where to look for the deployment from; a hint that saves a long log query. */
  readonly fromBlock?: bigint;
  /** Instead of the L1's `finalized`: a block that the caller knows to be final. */
  readonly atBlock?: bigint;
};

const fault = (code: DeploymentFault, message: string): DeploymentVerdict => ({ ok: false, code, message });

export const verifyDeployment = async (options: VerifyDeploymentOptions): Promise<DeploymentVerdict> => {
  const { publicClient: client, manifest } = options;
  const chainId = BigInt(await client.getChainId());
  if (chainId !== manifest.l1ChainId)
    return fault(
      'WRONG_CHAIN',
      `expected L1 chain id ${manifest.l1ChainId}, found ${chainId}: point l1.urls at the right chain`,
    );
  const blockNumber = options.atBlock ?? (await finalizedNumber(client));
  if (blockNumber === null)
    return fault('NOT_FINAL', 'expected a finalized L1 block, found none yet: wait for the L1 to finalise');

  const expected = await replayOnce(manifest);
  for (const contract of expected) {
    const difference = await compareCode(client, contract, blockNumber);
    if (difference !== null) return difference;
  }
  const signers = await compareSigners(client, manifest, blockNumber);
  if (signers !== null) return signers;
  if (options.mode === 'joining') return { ok: true, finalizedBlock: blockNumber, deploymentBlock: null };

  const deploymentBlock = await findDeployment(client, manifest, options.fromBlock ?? 0n, blockNumber);
  if (deploymentBlock === null)
    return fault(
      'NOT_FINAL',
      `expected the factory's Deployed event up to L1 block ${blockNumber}, found none: run bridge deploy, or wait for finality`,
    );
  return (
    (await compareStorage(client, manifest, deploymentBlock, blockNumber)) ??
    (await compareBacking(client, manifest, blockNumber)) ?? {
      ok: true,
      finalizedBlock: blockNumber,
      deploymentBlock,
    }
  );
};

const replays = new WeakMap<PegManifest, Promise<readonly ReplayedContract[]>>();
/** A caller that waits for finality asks again and again; the replay stays the same. */
const replayOnce = (manifest: PegManifest): Promise<readonly ReplayedContract[]> => {
  const known = replays.get(manifest);
  if (known !== undefined) return known;
  const replay = replayDeployment(manifest);
  replays.set(manifest, replay);
  return replay;
};

const finalizedNumber = async (client: PublicClient): Promise<bigint | null> =>
  (await client.getBlock({ blockTag: 'finalized' })).number;

const compareCode = async (
  client: PublicClient,
  { name, address, code }: ReplayedContract,
  blockNumber: bigint,
): Promise<DeploymentVerdict | null> => {
  const found = (await client.getCode({ address, blockNumber })) ?? '0x';
  if (found.toLowerCase() === code) return null;
  if (found === '0x')
    return fault(
      'NOT_FINAL',
      `expected the ${name} at ${address}, found no code at L1 block ${blockNumber}: run bridge deploy, or wait for finality`,
    );
  return fault(
    'CODE_DIFFERS',
    `expected the ${name} at ${address} to have the code that follows from the genesis, found other code at L1 block ${blockNumber}: another specification was deployed with this deployer; use its genesis, or a new deployer`,
  );
};

/** Code alone does not say whose signatures it takes. Relayers are the genesis' ones until governance replaces them. */
const compareSigners = async (
  client: PublicClient,
  { addresses, validatorsHash, relayersHash }: PegManifest,
  blockNumber: bigint,
): Promise<DeploymentVerdict | null> => {
  const contract = { address: addresses.verifier, abi: pegVerifierAbi, blockNumber } as const;
  const [validators, relayers, epoch] = await Promise.all([
    client.readContract({ ...contract, functionName: 'validatorsHashOf', args: [1n] }),
    client.readContract({ ...contract, functionName: 'relayersHash' }),
    client.readContract({ ...contract, functionName: 'relayerEpoch' }),
  ]);
  const areExpected = relayers === relayersHash || epoch > GENESIS_RELAYER_EPOCH;
  if (validators === validatorsHash && areExpected) return null;
  return fault(
    'STORAGE_DIFFERS',
    `expected the verifier at ${addresses.verifier} to hold validators ${validatorsHash} and relayers ${relayersHash}, found ${validators} and ${relayers}: another specification was deployed with this deployer`,
  );
};

const findDeployment = async (
  client: PublicClient,
  { addresses }: PegManifest,
  fromBlock: bigint,
  toBlock: bigint,
): Promise<bigint | null> => {
  const logs = await client.getContractEvents({
    address: getAddress(addresses.factory),
    abi: pegFactoryAbi,
    eventName: 'Deployed',
    fromBlock,
    toBlock,
    strict: true,
  });
  return logs[0]?.blockNumber ?? null;
};

const compareStorage = async (
  client: PublicClient,
  manifest: PegManifest,
  deploymentBlock: bigint,
  finalizedBlock: bigint,
): Promise<DeploymentVerdict | null> => {
  const at = await compareStorageAt(client, manifest, deploymentBlock, deploymentBlock);
  if (at?.ok !== false || at.code !== 'HISTORY_UNAVAILABLE') return at;
  if ((await compareStorageAt(client, manifest, deploymentBlock, finalizedBlock)) === null) return null;
  return (await isAnchored(client, manifest, deploymentBlock, finalizedBlock)) ? null : at;
};

/** The first checkpoints may have come through another contract, whose call data says nothing here. */
const MAX_FIRST_CHECKPOINTS = 8;

const isAnchored = async (
  client: PublicClient,
  manifest: PegManifest,
  fromBlock: bigint,
  toBlock: bigint,
): Promise<boolean> => {
  const { vault, verifier } = manifest.addresses;
  const accepted = await client.getContractEvents({
    address: getAddress(verifier),
    abi: pegVerifierAbi,
    eventName: 'CheckpointAccepted',
    fromBlock,
    toBlock,
    strict: true,
  });
  for (const { transactionHash, blockNumber } of accepted.slice(0, MAX_FIRST_CHECKPOINTS)) {
    const { to, input } = await client.getTransaction({ hash: transactionHash });
    if (to === null || parseAddress(to) !== verifier) continue;
    const deposits = await depositsIn(client, vault, fromBlock, blockNumber);
    if (await acceptsFirstCheckpoint(manifest, deposits, input as Hex)) return true;
  }
  return false;
};

/** Deposits since the creation are replayed too: a stranger's deposit must not stop a chain's birth. */
const compareStorageAt = async (
  client: PublicClient,
  manifest: PegManifest,
  deploymentBlock: bigint,
  blockNumber: bigint,
): Promise<DeploymentVerdict | null> => {
  const deposits = await depositsIn(client, manifest.addresses.vault, deploymentBlock, blockNumber);
  const contracts =
    deposits.length === 0 ? await replayOnce(manifest) : await replayDeployment(manifest, deposits);
  for (const { name, address, storageRoot } of contracts) {
    let found: Hash;
    try {
      const proof = await client.getProof({ address, storageKeys: [], blockNumber });
      found = parseHash(proof.storageHash);
    } catch (error) {
      return fault(
        'HISTORY_UNAVAILABLE',
        `expected the storage root of the ${name} at L1 block ${blockNumber}, found: ${error instanceof Error ? error.message.split('\n')[0] : error}. Use an L1 endpoint that serves eth_getProof for that block`,
      );
    }
    if (found !== storageRoot)
      return fault(
        'STORAGE_DIFFERS',
        `expected storage root ${storageRoot} of the ${name} at ${address} after L1 block ${blockNumber}, found ${found}: its init code was not the one that follows from the genesis`,
      );
  }
  return null;
};

const depositsIn = async (
  client: PublicClient,
  vault: Address,
  fromBlock: bigint,
  toBlock: bigint,
): Promise<readonly ReplayedDeposit[]> => {
  const logs = await client.getContractEvents({
    address: getAddress(vault),
    abi: pegVaultAbi,
    eventName: 'Deposited',
    fromBlock,
    toBlock,
    strict: true,
  });
  return logs.map(({ args }) => ({
    sender: parseAddress(args.sender),
    recipient: parseAddress(args.recipient),
    amount: args.amount,
  }));
};

/** At height 0 nothing was released yet, so what is locked covers the backing. */
const compareBacking = async (
  client: PublicClient,
  { addresses, backedWei }: PegManifest,
  blockNumber: bigint,
): Promise<DeploymentVerdict | null> => {
  const [locked, balance] = await Promise.all([
    client.readContract({
      address: addresses.vault,
      abi: pegVaultAbi,
      functionName: 'locked',
      args: [ZERO_ADDRESS],
      blockNumber,
    }),
    client.getBalance({ address: addresses.vault, blockNumber }),
  ]);
  if (locked >= backedWei && balance >= locked) return null;
  return fault(
    'BACKING_MISSING',
    `expected the vault to have locked and to hold at least ${backedWei} wei, found ${locked} locked and ${balance} held at L1 block ${blockNumber}`,
  );
};
