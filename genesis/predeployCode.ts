/** Runtime code of every predeploy: ours from the checked-in artifacts, the standard ones from systemCode.ts. */
import { pegGatewayBytecode, wrappedTokenBytecode } from '#bridge/contracts/artifacts/contracts.ts';
import { type Address, hexToBytes } from '#consensus/primitives.ts';
import {
  governanceBytecode,
  upgradePlanBytecode,
  validatorSetBytecode,
} from '#genesis/contracts/artifacts/contracts.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import { BEACON_ROOTS_CODE, DETERMINISTIC_DEPLOYER_CODE, HISTORY_STORAGE_CODE } from '#genesis/systemCode.ts';

export type PredeployCode = { readonly address: Address; readonly code: Uint8Array };

/** Artifacts are made and verified by the contract build; predeploys have no immutables, so this code is final. */
export const PREDEPLOY_CODE: readonly PredeployCode[] = [
  { address: PREDEPLOYS.validatorSet, code: hexToBytes(validatorSetBytecode.runtime) },
  { address: PREDEPLOYS.pegGateway, code: hexToBytes(pegGatewayBytecode.runtime) },
  { address: PREDEPLOYS.governance, code: hexToBytes(governanceBytecode.runtime) },
  { address: PREDEPLOYS.upgradePlan, code: hexToBytes(upgradePlanBytecode.runtime) },
  { address: PREDEPLOYS.wrappedToken, code: hexToBytes(wrappedTokenBytecode.runtime) },
  { address: PREDEPLOYS.deterministicDeployer, code: DETERMINISTIC_DEPLOYER_CODE },
  { address: PREDEPLOYS.historyStorage, code: HISTORY_STORAGE_CODE },
  { address: PREDEPLOYS.beaconRoots, code: BEACON_ROOTS_CODE },
];
