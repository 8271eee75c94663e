/**
 * genesis = f(spec): accounts, state root, header and checkpoint of block 0, the same on any machine (RULES 6, 49, 51).
 *
 * Owns what is in block 0. Does not own where contracts keep their words (bridge/encoding/gatewaySlots.ts,
 * validatorSetSlots.ts, governanceSlots.ts, upgradePlanSlot.ts) or how execution stores accounts. Addresses of later system contracts are reserved: no code,
 * no balance, so no account.
 */
import { l1AddressesOf } from '#bridge/addresses.ts';
import { gatewayGenesisStorage } from '#bridge/encoding/gatewaySlots.ts';
import { EMPTY_OUTBOX_ROOT } from '#bridge/encoding/outboxTree.ts';
import type { StorageEntry } from '#bridge/encoding/storageWords.ts';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { checkpointToValueId } from '#consensus/digests.ts';
import { type Address, compareHex, type Hash, ZERO_HASH } from '#consensus/primitives.ts';
import type { Checkpoint } from '#consensus/types.ts';
import { createValidatorSet, type ValidatorSet } from '#consensus/validatorSet.ts';
import { governanceGenesisStorage } from '#genesis/governanceSlots.ts';
import { encodeGenesisHeader } from '#genesis/header.ts';
import { PREDEPLOY_CODE, type PredeployCode } from '#genesis/predeployCode.ts';
import { GATEWAY_PREFUND_WEI, PREDEPLOYS } from '#genesis/predeploys.ts';
import type { ChainSpec, Genesis, GenesisAccount } from '#genesis/spec.ts';
import { specToHash } from '#genesis/specHash.ts';
import { computeStateRoot } from '#genesis/stateRoot.ts';
import { upgradePlanGenesisStorage } from '#genesis/upgradePlanSlot.ts';
import { validatorSetGenesisStorage } from '#genesis/validatorSetSlots.ts';

const genesisAccounts = (
  spec: ChainSpec,
  specHash: Hash,
  validators: ValidatorSet,
  backedWei: bigint,
  code: readonly PredeployCode[],
): GenesisAccount[] => {
  const l1 = l1AddressesOf(spec.deployer);
  const gatewayStorage = gatewayGenesisStorage({
    l1ChainId: spec.l1ChainId,
    vault: l1.vault,
    specHash,
    relayers: { threshold: spec.relayerThreshold, addresses: spec.relayers.map(({ address }) => address) },
    // L1 contracts that take no ether: what is withdrawn to one of them could never be paid (RULES 32).
    refusedRecipients: [
      ...Object.values(l1),
      PREDEPLOYS.deterministicDeployer,
      PREDEPLOYS.historyStorage,
      PREDEPLOYS.beaconRoots,
    ],
    backedWei,
  });
  const systemStorage = new Map<Address, readonly StorageEntry[]>([
    [PREDEPLOYS.validatorSet, validatorSetGenesisStorage(validators.validators, spec.epochLength)],
    [PREDEPLOYS.governance, governanceGenesisStorage(spec.governors.map(({ address }) => address))],
    [PREDEPLOYS.upgradePlan, upgradePlanGenesisStorage()],
  ]);
  const contracts = code.map(({ address, code }): GenesisAccount => {
    if (address === PREDEPLOYS.pegGateway)
      return { address, nonce: 1n, balanceWei: GATEWAY_PREFUND_WEI, code, storage: gatewayStorage };
    return { address, nonce: 1n, balanceWei: 0n, code, storage: systemStorage.get(address) ?? [] };
  });
  const owners = spec.balances.map(
    ({ address, amountWei }): GenesisAccount => ({
      address,
      nonce: 0n,
      balanceWei: amountWei,
      code: new Uint8Array(0),
      storage: [],
    }),
  );
  return [...contracts, ...owners].sort((a, b) => compareHex(a.address, b.address));
};

/** @param spec judged already (parseSpec or checkSpec). @param code for tests of this function only */
export const buildGenesis = async (
  spec: ChainSpec,
  code: readonly PredeployCode[] = PREDEPLOY_CODE,
): Promise<Genesis> => {
  const specHash = specToHash(spec, code);
  const validators = createValidatorSet(spec.validators.map(({ address, power }) => ({ address, power })));
  const backedWei = spec.balances.reduce((sum, { amountWei }) => sum + amountWei, 0n);
  const accounts = genesisAccounts(spec, specHash, validators, backedWei, code);
  const stateRoot = await computeStateRoot(accounts);
  const header = encodeGenesisHeader({ spec, stateRoot, nextValidatorsHash: validators.hash });
  const genesisHash = keccak256Hex(header);
  const checkpoint: Checkpoint = {
    height: 0n,
    blockHash: genesisHash,
    stateRoot,
    outboxRoot: EMPTY_OUTBOX_ROOT,
    outboxCount: 0n,
    importedCount: 0n,
    importedHash: ZERO_HASH,
    nextValidatorsHash: validators.hash,
  };
  return {
    spec,
    specHash,
    l1: l1AddressesOf(spec.deployer),
    accounts,
    stateRoot,
    header,
    genesisHash,
    validators,
    checkpoint,
    valueId: checkpointToValueId(checkpoint),
    backedWei,
  };
};
