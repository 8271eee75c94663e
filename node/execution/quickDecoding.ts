/**
 * Type-2 calls without access list, which are nearly all transactions, decoded straight from their bytes.
 *
 * The library's object costs more than recovering the signature, and a plain transfer never needs it; here it is made
 * when somebody asks for it. Null means "not such a call, or not surely valid": then the library decides and finds the
 * words. So this never accepts what the library refuses (test/unit/node/execution/quickDecoding.test.ts compares).
 */
import { createTxFromRLP, type TypedTransaction } from '@ethereumjs/tx';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToAddress, bytesToHex, concatBytes, type Hash } from '#consensus/primitives.ts';
import { decodeRlp, encodeRlp, type RlpItem } from '#node/consensus/rlp.ts';
import { isImportCall } from '#node/execution/importTransaction.ts';
import { recoverPublicKey } from '#node/execution/nativeCrypto.ts';
import type { DecodedTransaction, TransactionRules } from '#node/execution/transactionChecks.ts';

const TYPE_2 = Uint8Array.of(2);
const FIELDS = 12;
/** Of EIP-2, so that a signature has one form. */
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;
const CALL_GAS = 21_000n;

/** @param publicKey 64 bytes when the signature of these very bytes was recovered before, else null */
export const decodeQuickly = (
  raw: Uint8Array,
  hash: Hash,
  rules: TransactionRules,
  publicKey: Uint8Array | null,
): DecodedTransaction | null => {
  if (raw[0] !== 0x02) return null;
  const fields = decodeFields(raw.subarray(1));
  if (fields === null) return null;
  const [chainId, nonce, priority, maxFee, gasLimit, to, value, data, , parity, r, s] = fields;
  const gas = toUint(gasLimit!, 3);
  const fee = toUint(maxFee!, 16);
  const tip = toUint(priority!, 16);
  const valueWei = toUint(value!, 16);
  const count = toUint(nonce!, 6);
  if (gas === null || fee === null || tip === null || valueWei === null || count === null) return null;
  if (toUint(chainId!, 8) !== rules.chainId || tip > fee) return null;
  if (to!.length !== 20 || !isSignature(parity!, r!, s!)) return null;
  const key = publicKey ?? recoverKey(fields);
  if (key === null) return null;
  const recipient = bytesToAddress(to!);
  let tx: TypedTransaction | null = null;
  return {
    raw,
    hash,
    sender: bytesToAddress(keccak256(key).subarray(12)),
    publicKey: key,
    type: 2,
    nonce: count,
    gasLimit: gas,
    minimumGas: minimumGasOf(data!),
    maxFeePerGas: fee,
    maxPriorityFeePerGas: tip,
    valueWei,
    to: recipient,
    dataSizeBytes: data!.length,
    delegates: false,
    isPlain: data!.length === 0,
    isImport: isImportCall(recipient, data!),
    get tx(): TypedTransaction {
      tx ??= createTransaction(raw, rules, key);
      return tx;
    },
  };
};

/** The library's object, with its sender known. @throws Error when it refuses the bytes */
export const createTransaction = (
  raw: Uint8Array,
  rules: Pick<TransactionRules, 'common'>,
  publicKey: Uint8Array | null,
): TypedTransaction => {
  const tx = createTxFromRLP(raw, { common: rules.common, allowUnlimitedInitCodeSize: true });
  if (publicKey !== null) tx.cache.senderPubKey = publicKey;
  return tx;
};

/** All twelve, the empty access list as no bytes; null when it is something else. */
const decodeFields = (bytes: Uint8Array): readonly Uint8Array[] | null => {
  let item: RlpItem;
  try {
    item = decodeRlp(bytes);
  } catch {
    return null;
  }
  if (item instanceof Uint8Array || item.length !== FIELDS) return null;
  const accessList = item[8]!;
  if (accessList instanceof Uint8Array || accessList.length !== 0) return null;
  const fields = item.map((field) => (field === accessList ? NONE : field));
  return fields.every((field) => field instanceof Uint8Array) ? fields : null;
};

const NONE = new Uint8Array(0);

/** Null when it is longer than that or has a leading zero. */
const toUint = (bytes: Uint8Array, maxBytes: number): bigint | null => {
  if (bytes.length > maxBytes || bytes[0] === 0) return null;
  if (bytes.length > 6) return BigInt(bytesToHex(bytes));
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return BigInt(value);
};

const isSignature = (parity: Uint8Array, r: Uint8Array, s: Uint8Array): boolean => {
  if (parity.length > 1 || (parity.length === 1 && parity[0] !== 1)) return false;
  if (r.length === 0 || r.length > 32 || r[0] === 0) return false;
  const low = toUint(s, 32);
  return low !== null && low > 0n && low <= HALF_ORDER;
};

const recoverKey = (fields: readonly Uint8Array[]): Uint8Array | null => {
  const unsigned: RlpItem[] = fields.slice(0, 8);
  const digest = keccak256(concatBytes(TYPE_2, encodeRlp([...unsigned, []])));
  try {
    return recoverPublicKey(digest, BigInt(fields[9]!.length), fields[10]!, fields[11]!);
  } catch {
    return null;
  }
};

/** EIP-7623: 10 gas for each token of the data, which is more than EIP-2028 asks. */
const minimumGasOf = (data: Uint8Array): bigint => {
  let zeros = 0;
  for (const byte of data) if (byte === 0) zeros++;
  const tokens = zeros + 4 * (data.length - zeros);
  return CALL_GAS + BigInt(10 * tokens);
};
