/**
 * Every reason for which a transaction cannot be executed, as pure typed checks (RULES 2).
 *
 * The mempool's admission and the derivation of a block call the same functions, so that they never disagree:
 * `decodeTransaction` (what makes a payload invalid), then `checkRules` and `checkAccount` (what drops a
 * transaction). What passes all three never throws out of the EVM. Does not own the order of transactions in a
 * block, the gas left there, or the pool's own limits.
 */

import { RLP } from '@ethereumjs/rlp';
import type { TypedTransaction } from '@ethereumjs/tx';
import { getMinimumGasLimit } from '@ethereumjs/tx';
import { keccak256, keccak256Hex } from '#consensus/crypto/keccak.ts';
import { type Address, bytesToAddress, bytesToHex, type Hash } from '#consensus/primitives.ts';
import type { ChainSpec } from '#genesis/spec.ts';
import { type ChainCommon, createChainCommon } from '#node/execution/chainCommon.ts';
import { isImportCall } from '#node/execution/importTransaction.ts';
import { createTransaction, decodeQuickly } from '#node/execution/quickDecoding.ts';
import type { AdmissionCode } from '#node/mempool/mempool.ts';

/** As geth's pool; the payload's own bound is 2 MiB. */
export const MAX_TRANSACTION_BYTES = 128 * 1024;
/** EIP-7825. */
export const MAX_TRANSACTION_GAS = 1n << 24n;
/** EIP-3860. */
export const MAX_INIT_CODE_BYTES = 49_152;

/** The part of the specification that the checks depend on. */
export type TransactionRules = {
  readonly chainId: bigint;
  readonly baseFeePerGas: bigint;
  readonly blockGasLimit: bigint;
  readonly importGas: bigint;
  readonly common: ChainCommon;
};

export const createTransactionRules = (
  spec: Pick<ChainSpec, 'chainId' | 'feePolicy' | 'blockGasLimit' | 'importGas'>,
  common: ChainCommon = createChainCommon(spec.chainId),
): TransactionRules => ({
  chainId: spec.chainId,
  baseFeePerGas: spec.feePolicy.baseFeeWei,
  blockGasLimit: spec.blockGasLimit,
  importGas: spec.importGas,
  common,
});

/** A transaction whose signature recovered to `sender`; made only by `decodeTransaction`. */
export type DecodedTransaction = {
  readonly raw: Uint8Array;
  readonly hash: Hash;
  readonly sender: Address;
  /** The sender's, 64 bytes. */
  readonly publicKey: Uint8Array;
  /** EIP-2718 type: 0, 1, 2 or 4. */
  readonly type: number;
  readonly nonce: bigint;
  readonly gasLimit: bigint;
  /** The larger of the intrinsic gas and EIP-7623's floor. */
  readonly minimumGas: bigint;
  /** `gasPrice` of the types without a fee market. */
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
  readonly valueWei: bigint;
  /** Null for a creation. */
  readonly to: Address | null;
  readonly dataSizeBytes: number;
  /** Carries EIP-7702 authorisations. */
  readonly delegates: boolean;
  /** A call of the gateway's `importDeposits`, in the right form or not (RULES 10, 31). */
  readonly isImport: boolean;
  /** A call without data and access list, of type 2: what `plainTransfer.ts` may carry out. */
  readonly isPlain: boolean;
  readonly tx: TypedTransaction;
};

export type CheckFailure = {
  readonly ok: false;
  readonly code: AdmissionCode;
  readonly message: string;
  /** keccak of the bytes. */
  readonly hash: Hash;
};
export type DecodeResult = { readonly ok: true; readonly transaction: DecodedTransaction } | CheckFailure;
export type CheckResult = { readonly ok: true } | CheckFailure;

const OK: CheckResult = { ok: true };

/** By the hash of a whole transaction: what its signature recovered to, 64 bytes; null when nobody recovered it. */
export type PublicKeyOf = (hash: Hash) => Uint8Array | null;

const UNKNOWN: PublicKeyOf = () => null;

/**
 * What makes a payload that contains these bytes invalid, independent of any state.
 * @param publicKeyOf saves the recovery, and must be right
 */
export const decodeTransaction = (
  raw: Uint8Array,
  rules: TransactionRules,
  publicKeyOf: PublicKeyOf = UNKNOWN,
): DecodeResult => {
  const hash = keccak256Hex(raw);
  const fail = (code: AdmissionCode, message: string): CheckFailure => ({ ok: false, code, message, hash });
  if (raw.length === 0) return fail('UNDECODABLE', 'empty transaction');
  if (raw.length > MAX_TRANSACTION_BYTES)
    return fail(
      'TOO_LARGE',
      `oversized data: transaction size ${raw.length}, limit ${MAX_TRANSACTION_BYTES}`,
    );
  if (raw[0] === 0x03)
    return fail('BLOB_REFUSED', 'transaction type not supported: this chain carries no blobs');
  const known = publicKeyOf(hash);
  const quick = decodeQuickly(raw, hash, rules, known);
  if (quick !== null) return { ok: true, transaction: quick };
  let tx: TypedTransaction;
  try {
    tx = createTransaction(raw, rules, known);
  } catch (error) {
    return explainUndecodable(raw, rules, fail, error);
  }
  if (!hasPlainLists(tx)) return fail('UNDECODABLE', 'malformed access or authorization list');
  if (!isCanonical(tx, raw)) return fail('UNDECODABLE', 'rlp: non-canonical transaction encoding');
  if (tx.type === 0 && !isProtected(tx.v ?? 0n, rules.chainId))
    return fail('WRONG_CHAIN_ID', `only replay-protected (EIP-155) transactions of chain ${rules.chainId}`);
  let publicKey: Uint8Array;
  try {
    publicKey = tx.getSenderPublicKey();
  } catch {
    return fail('BAD_SIGNATURE', 'invalid sender: the signature recovers no address');
  }
  return { ok: true, transaction: describeTransaction(tx, raw, hash, publicKey) };
};

/** Of a transaction that the library accepted. */
export const describeTransaction = (
  tx: TypedTransaction,
  raw: Uint8Array,
  hash: Hash,
  publicKey: Uint8Array,
): DecodedTransaction => {
  const maxFeePerGas = 'maxFeePerGas' in tx ? tx.maxFeePerGas : tx.gasPrice;
  const to = tx.to === undefined ? null : bytesToAddress(tx.to.bytes);
  return {
    raw,
    hash,
    sender: bytesToAddress(keccak256(publicKey).subarray(12)),
    publicKey,
    type: tx.type,
    nonce: tx.nonce,
    gasLimit: tx.gasLimit,
    minimumGas: getMinimumGasLimit(tx),
    maxFeePerGas,
    maxPriorityFeePerGas: 'maxPriorityFeePerGas' in tx ? tx.maxPriorityFeePerGas : maxFeePerGas,
    valueWei: tx.value,
    to,
    dataSizeBytes: tx.data.length,
    delegates: tx.type === 4,
    isImport: isImportCall(to, tx.data),
    isPlain: false,
    tx,
  };
};

/** Constant facts of transaction and specification: drops it wherever it stands. `isRelayer` is asked of the parent state's relayer set. */
export const checkRules = (
  transaction: DecodedTransaction,
  rules: TransactionRules,
  isRelayer: (address: Address) => boolean,
): CheckResult => {
  const { hash, gasLimit } = transaction;
  const fail = (code: AdmissionCode, message: string): CheckFailure => ({ ok: false, code, message, hash });
  if (transaction.isImport) return checkImport(transaction, rules, isRelayer, fail);
  if (gasLimit > rules.blockGasLimit)
    return fail('GAS_LIMIT', `exceeds block gas limit: gas ${gasLimit}, limit ${rules.blockGasLimit}`);
  if (transaction.to === null && transaction.dataSizeBytes > MAX_INIT_CODE_BYTES)
    return fail(
      'TOO_LARGE',
      `max initcode size exceeded: code size ${transaction.dataSizeBytes} limit ${MAX_INIT_CODE_BYTES}`,
    );
  if (gasLimit < transaction.minimumGas)
    return fail(
      'INTRINSIC_GAS',
      `intrinsic gas too low: gas ${gasLimit}, minimum needed ${transaction.minimumGas}`,
    );
  if (transaction.maxFeePerGas < rules.baseFeePerGas)
    return fail(
      'UNDERPRICED',
      `max fee per gas less than block base fee: maxFeePerGas ${transaction.maxFeePerGas}, baseFee ${rules.baseFeePerGas}`,
    );
  return OK;
};

type Fail = (code: AdmissionCode, message: string) => CheckFailure;

/** RULES 31: type 2, no fee, no value, from a relayer, within the gas reserved for it. */
const checkImport = (
  transaction: DecodedTransaction,
  rules: TransactionRules,
  isRelayer: (address: Address) => boolean,
  fail: Fail,
): CheckResult => {
  if (transaction.type !== 2 || transaction.maxFeePerGas !== 0n || transaction.valueWei !== 0n)
    return fail('NOT_PERMITTED', 'an import of deposits is a type-2 transaction with fee caps 0 and value 0');
  if (!isRelayer(transaction.sender))
    return fail('NOT_PERMITTED', `only a relayer imports deposits, and ${transaction.sender} is none`);
  if (transaction.gasLimit > rules.importGas)
    return fail('GAS_LIMIT', `exceeds import gas: gas ${transaction.gasLimit}, limit ${rules.importGas}`);
  if (transaction.gasLimit < transaction.minimumGas)
    return fail(
      'INTRINSIC_GAS',
      `intrinsic gas too low: gas ${transaction.gasLimit}, minimum needed ${transaction.minimumGas}`,
    );
  return OK;
};

/** The sender's state before the transaction; `code` decides EIP-3607. */
export type SenderState = {
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly code: 'none' | 'delegation' | 'contract';
};

export const senderCodeKind = (code: Uint8Array): SenderState['code'] =>
  code.length === 0
    ? 'none'
    : code.length === 23 && code[0] === 0xef && code[1] === 0x01 && code[2] === 0x00
      ? 'delegation'
      : 'contract';

/** The most that the transaction can cost its sender. */
export const maxCostWei = ({ gasLimit, maxFeePerGas, valueWei }: DecodedTransaction): bigint =>
  gasLimit * maxFeePerGas + valueWei;

/** Execution needs the exact nonce; a pool that keeps a later one for later treats NONCE_TOO_HIGH as "not yet". */
export const checkAccount = (transaction: DecodedTransaction, sender: SenderState): CheckResult => {
  const { hash, nonce } = transaction;
  const fail = (code: AdmissionCode, message: string): CheckFailure => ({ ok: false, code, message, hash });
  if (sender.code === 'contract')
    return fail('SENDER_IS_CONTRACT', `sender not an eoa: address ${transaction.sender}`);
  if (nonce < sender.nonce)
    return fail('NONCE_TOO_LOW', `nonce too low: next nonce ${sender.nonce}, tx nonce ${nonce}`);
  if (nonce > sender.nonce)
    return fail('NONCE_TOO_HIGH', `nonce too high: next nonce ${sender.nonce}, tx nonce ${nonce}`);
  const cost = maxCostWei(transaction);
  if (sender.balance < cost)
    return fail(
      'INSUFFICIENT_FUNDS',
      `insufficient funds for gas * price + value: balance ${sender.balance}, tx cost ${cost}`,
    );
  return OK;
};

/** What the sender pays for a unit of gas at this base fee. */
export const effectiveGasPrice = (transaction: DecodedTransaction, baseFeePerGas: bigint): bigint => {
  const { maxFeePerGas, maxPriorityFeePerGas } = transaction;
  if (baseFeePerGas + maxPriorityFeePerGas > maxFeePerGas) return maxFeePerGas;
  return baseFeePerGas + maxPriorityFeePerGas;
};

const isProtected = (v: bigint, chainId: bigint): boolean =>
  v === 2n * chainId + 35n || v === 2n * chainId + 36n;

const isBytes = (value: unknown, sizeBytes: number): boolean =>
  value instanceof Uint8Array && value.length === sizeBytes;

/** The library compares lengths only, and a list of 20 elements is as long as an address. */
const hasPlainLists = (tx: TypedTransaction): boolean => {
  if (!('accessList' in tx)) return true;
  if (!Array.isArray(tx.accessList)) return false;
  const plainAccess = tx.accessList.every(
    (item) =>
      Array.isArray(item) &&
      isBytes(item[0], 20) &&
      Array.isArray(item[1]) &&
      item[1].every((key) => isBytes(key, 32)),
  );
  if (!plainAccess || !('authorizationList' in tx)) return plainAccess;
  return (
    Array.isArray(tx.authorizationList) &&
    tx.authorizationList.every(
      (item) => Array.isArray(item) && item.every((field) => (field as unknown) instanceof Uint8Array),
    )
  );
};

const isCanonical = (tx: TypedTransaction, raw: Uint8Array): boolean =>
  Buffer.compare(tx.serialize(), raw) === 0;

const MAX_UINT64 = (1n << 64n) - 1n;
const toBigInt = (bytes: Uint8Array): bigint => (bytes.length === 0 ? 0n : BigInt(bytesToHex(bytes)));

/** The library gives prose; this reads the fields that have codes of their own. */
const explainUndecodable = (
  raw: Uint8Array,
  rules: TransactionRules,
  fail: Fail,
  error: unknown,
): CheckFailure => {
  const reason = error instanceof Error ? error.message.slice(0, 200) : 'not a transaction';
  const undecodable = fail('UNDECODABLE', `undecodable transaction: ${reason}`);
  const typed = raw[0]! <= 0x7f;
  if (typed && raw[0] !== 1 && raw[0] !== 2 && raw[0] !== 4)
    return fail('UNDECODABLE', `transaction type not supported: ${raw[0]}`);
  let fields: unknown;
  try {
    fields = RLP.decode(typed ? raw.subarray(1) : raw);
  } catch {
    return undecodable;
  }
  if (!Array.isArray(fields)) return undecodable;
  const field = (index: number): bigint | null =>
    fields[index] instanceof Uint8Array && fields[index].length <= 32 ? toBigInt(fields[index]) : null;
  const chainId = typed ? field(0) : legacyChainId(field(6));
  if (chainId !== null && chainId !== rules.chainId)
    return fail('WRONG_CHAIN_ID', `invalid chain id for signer: have ${chainId} want ${rules.chainId}`);
  const gasLimit = field(raw[0] === 1 ? 3 : typed ? 4 : 2);
  if (gasLimit !== null && gasLimit > MAX_TRANSACTION_GAS && gasLimit <= MAX_UINT64)
    return fail('GAS_LIMIT', `transaction gas limit too high: ${gasLimit}, cap ${MAX_TRANSACTION_GAS}`);
  if (reason.startsWith('Invalid Signature'))
    return fail('BAD_SIGNATURE', 'invalid transaction v, r, s values');
  return undecodable;
};

const legacyChainId = (v: bigint | null): bigint | null => (v === null || v < 35n ? null : (v - 35n) / 2n);
