/**
 * What counts as an import of deposits: a top-level call of the gateway's `importDeposits` (RULES 10, 31).
 *
 * The gateway refuses every other way in (`msg.sender == tx.origin`, no code at the sender), so what this sees is all.
 */
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { type Address, bytesToHex, type Hex } from '#consensus/primitives.ts';

export const IMPORT_DEPOSITS_SIGNATURE =
  'importDeposits(uint64,(uint8,address,address,address,uint256,uint256,bytes32)[],(bytes,uint256,bytes,bytes[]))';

const SELECTOR = keccak256(new TextEncoder().encode(IMPORT_DEPOSITS_SIGNATURE)).subarray(0, 4);
export const IMPORT_DEPOSITS_SELECTOR: Hex = bytesToHex(SELECTOR);

export const isImportCall = (to: Address | null, data: Uint8Array): boolean =>
  to === PEG_GATEWAY && data.length >= 4 && SELECTOR.every((byte, index) => data[index] === byte);
