/**
 * Runtime code of the standard contracts that every Osaka chain has, at their standard addresses.
 *
 * EIP-2935 (past block hashes), EIP-4788 (parent beacon block roots, here the parents' valueIds) and the
 * deterministic deployer that Foundry, hardhat and Safe expect. Copied from the EIPs and from
 * github.com/Arachnid/deterministic-deployment-proxy; the test holds their hashes.
 */
import { hexToBytes } from '#consensus/primitives.ts';

export const HISTORY_STORAGE_CODE = hexToBytes(
  '0x3373fffffffffffffffffffffffffffffffffffffffe14604657602036146042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500',
);

export const BEACON_ROOTS_CODE = hexToBytes(
  '0x3373fffffffffffffffffffffffffffffffffffffffe14604d57602036146024575f5ffd5b5f35801560495762001fff810690815414603c575f5ffd5b62001fff01545f5260205ff35b5f5ffd5b62001fff42064281555f359062001fff015500',
);

export const DETERMINISTIC_DEPLOYER_CODE = hexToBytes(
  '0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3',
);
