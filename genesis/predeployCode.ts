/** Runtime code of every predeploy: ours from the checked-in artifacts, the standard ones from systemCode.ts. */
import { readFileSync } from 'node:fs';
import { type Address, hexToBytes } from '#consensus/primitives.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import { BEACON_ROOTS_CODE, DETERMINISTIC_DEPLOYER_CODE, HISTORY_STORAGE_CODE } from '#genesis/systemCode.ts';

export type PredeployCode = { readonly address: Address; readonly code: Uint8Array };

/** Artifacts are made and verified by the contract build; their runtime code has no immutables. */
const readRuntimeCode = (path: string): Uint8Array => {
  const artifact = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
    readonly deployedBytecode: string;
  };
  return hexToBytes(artifact.deployedBytecode);
};

let loaded: readonly PredeployCode[] | undefined;

export const loadPredeployCode = (): readonly PredeployCode[] => {
  loaded ??= [
    { address: PREDEPLOYS.validatorSet, code: readRuntimeCode('./contracts/artifacts/ValidatorSet.json') },
    {
      address: PREDEPLOYS.pegGateway,
      code: readRuntimeCode('../bridge/contracts/artifacts/PegGateway.json'),
    },
    { address: PREDEPLOYS.deterministicDeployer, code: DETERMINISTIC_DEPLOYER_CODE },
    { address: PREDEPLOYS.historyStorage, code: HISTORY_STORAGE_CODE },
    { address: PREDEPLOYS.beaconRoots, code: BEACON_ROOTS_CODE },
  ];
  return loaded;
};
