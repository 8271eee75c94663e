/**
 * What a payload claims of a block before anything of it is executed: summed gas limits, and whether it imports.
 *
 * Pure, and recovers no signature: it reads three fields of each transaction. The rules of a round for fresh payloads
 * are here too (RULES 4, 10); judge.ts applies them to what execution found, which is the same for whatever decodes.
 */
import { bytesToAddress, bytesToHex } from '#consensus/primitives.ts';
import type { Payload } from '#consensus/types.ts';
import { decodeRlp, type RlpItem } from '#node/consensus/rlp.ts';
import { isImportCall } from '#node/execution/importTransaction.ts';

export type PayloadWeight = {
  /** Sum of the transactions' gas limits, the import's own reserved gas left out. */
  readonly gasLimitSum: bigint;
  readonly carriesImport: boolean;
};

const MAX_HALVINGS = 10;

/** What a fresh payload of this round may carry in summed gas limits; an import has its own reserve (RULES 4, 31). */
export const roundGasLimit = (blockGasLimit: bigint, round: number): bigint =>
  blockGasLimit >> BigInt(Math.min(round, MAX_HALVINGS));

/** Why a fresh payload of this weight is not for this round; null when it is. */
export const findRoundFault = (
  { gasLimitSum, carriesImport }: PayloadWeight,
  round: number,
  blockGasLimit: bigint,
): string | null => {
  if (carriesImport && round > 0) return 'expected no deposit import in a fresh payload after round 0';
  const limit = roundGasLimit(blockGasLimit, round);
  return gasLimitSum > limit
    ? `expected at most ${limit} gas in round ${round}, found limits of ${gasLimitSum}`
    : null;
};

/** Null if a transaction is undecodable: the payload is then invalid, which costs no execution to find (RULES 2). */
export const weighPayload = ({ transactions }: Payload): PayloadWeight | null => {
  let gasLimitSum = 0n;
  let carriesImport = false;
  for (const raw of transactions) {
    const claim = readClaim(raw);
    if (claim === null) return null;
    if (claim.isImport) carriesImport = true;
    else gasLimitSum += claim.gasLimit;
  }
  return { gasLimitSum, carriesImport };
};

/** Where a type's gas limit stands in its fields; recipient and data follow as in every type (EIP-2718, 2930, 1559, 7702). */
const GAS_LIMIT_AT: Readonly<Record<number, number>> = { 0: 2, 1: 3, 2: 4, 4: 4 };
const MAX_GAS_BYTES = 8;

const readClaim = (raw: Uint8Array): { readonly gasLimit: bigint; readonly isImport: boolean } | null => {
  const type = raw.length > 0 && raw[0]! <= 0x7f ? raw[0]! : 0;
  const at = GAS_LIMIT_AT[type];
  const fields = at === undefined ? null : decodeFields(type === 0 ? raw : raw.subarray(1));
  if (at === undefined || fields === null) return null;
  const [gasLimit, to, , data] = fields.slice(at, at + 4);
  if (!(gasLimit instanceof Uint8Array) || gasLimit.length > MAX_GAS_BYTES) return null;
  if (!(to instanceof Uint8Array) || !(data instanceof Uint8Array)) return null;
  if (to.length !== 0 && to.length !== 20) return null;
  return {
    gasLimit: gasLimit.length === 0 ? 0n : BigInt(bytesToHex(gasLimit)),
    isImport: isImportCall(to.length === 0 ? null : bytesToAddress(to), data),
  };
};

const decodeFields = (bytes: Uint8Array): readonly RlpItem[] | null => {
  try {
    const item = decodeRlp(bytes);
    return item instanceof Uint8Array ? null : item;
  } catch {
    return null;
  }
};
