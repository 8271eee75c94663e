/**
 * What a transaction claims to pay, before its signature costs anything.
 *
 * Owns where the fields stand in each type (EIP-155, 2930, 1559, 7702). Nothing here is proven: it is enough to refuse.
 */
import { bytesToAddress, bytesToHex } from '#consensus/primitives.ts';
import { decodeRlp, type RlpItem } from '#node/consensus/rlp.ts';
import { isImportCall } from '#node/execution/importTransaction.ts';

export type Glance = {
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
  /** Deposit imports pay nothing and have slots of their own. */
  readonly isImport: boolean;
};

type Places = { readonly priority: number; readonly fee: number; readonly to: number; readonly data: number };
const PLACES: Readonly<Record<number, Places>> = {
  0: { priority: 1, fee: 1, to: 3, data: 5 },
  1: { priority: 2, fee: 2, to: 4, data: 6 },
  2: { priority: 2, fee: 3, to: 5, data: 7 },
  4: { priority: 2, fee: 3, to: 5, data: 7 },
};
const MAX_FEE_BYTES = 32;

const fieldsOf = (raw: Uint8Array, type: number): readonly RlpItem[] | null => {
  try {
    const item = decodeRlp(type === 0 ? raw : raw.subarray(1));
    return item instanceof Uint8Array ? null : item;
  } catch {
    return null;
  }
};

const toQuantity = (item: RlpItem | undefined): bigint | null => {
  if (!(item instanceof Uint8Array) || item.length > MAX_FEE_BYTES) return null;
  return item.length === 0 ? 0n : BigInt(bytesToHex(item));
};

/** Null when it is none of the types that are admitted: whoever decodes it whole says why. */
export const glanceAt = (raw: Uint8Array): Glance | null => {
  const type = raw.length > 0 && raw[0]! <= 0x7f ? raw[0]! : 0;
  const places = PLACES[type];
  const fields = places === undefined ? null : fieldsOf(raw, type);
  if (places === undefined || fields === null) return null;
  const maxFeePerGas = toQuantity(fields[places.fee]);
  const maxPriorityFeePerGas = toQuantity(fields[places.priority]);
  const [to, data] = [fields[places.to], fields[places.data]];
  if (maxFeePerGas === null || maxPriorityFeePerGas === null) return null;
  if (!(to instanceof Uint8Array) || !(data instanceof Uint8Array)) return null;
  const isImport = isImportCall(to.length === 20 ? bytesToAddress(to) : null, data);
  return { maxFeePerGas, maxPriorityFeePerGas, isImport };
};
