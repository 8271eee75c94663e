/** Quantities as JSON-RPC writes them: hex without leading zeros, zero as 0x0. */
import { bytesToHex, type Hex } from '#consensus/primitives.ts';

export const toQuantity = (value: bigint | number): Hex => `0x${value.toString(16)}`;

/** A big-endian number, as RLP holds it. */
export const bytesToQuantity = (bytes: Uint8Array): Hex => {
  const digits = bytesToHex(bytes).slice(2).replace(/^0+/, '');
  return `0x${digits === '' ? '0' : digits}`;
};
