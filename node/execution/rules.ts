/**
 * The specification as execution needs it, and the values of a header that follow from it (RULES 6, 31).
 *
 * A header's gasLimit is blockGasLimit + importGas: ordinary transactions share the first, the import at the front
 * has the second to itself, so gasUsed ≤ gasLimit holds for every block.
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { concatBytes, type Hash, hexToBytes, toBigEndian } from '#consensus/primitives.ts';
import type { ChainSpec } from '#genesis/spec.ts';
import type { ChainCommon } from '#node/execution/chainCommon.ts';
import { createTransactionRules, type TransactionRules } from '#node/execution/transactionChecks.ts';

export type ExecutionRules = {
  readonly transactions: TransactionRules;
  readonly common: ChainCommon;
  readonly epochLength: bigint;
  readonly headerGasLimit: bigint;
  readonly maxTransactions: number;
};

/** The newest rules that this release executes; UpgradePlan says from which height a chain uses which. */
export const SUPPORTED_RULES_VERSION = 1n;

/** A payload may carry at most this many bytes of transactions (RULES 2). */
export const MAX_PAYLOAD_BYTES = 2 * 1024 * 1024;
const CHEAPEST_TRANSACTION_GAS = 21_000n;

export const createExecutionRules = (spec: ChainSpec, common: ChainCommon): ExecutionRules => ({
  transactions: createTransactionRules(spec, common),
  common,
  epochLength: spec.epochLength,
  headerGasLimit: spec.blockGasLimit + spec.importGas,
  maxTransactions: Number(spec.blockGasLimit / CHEAPEST_TRANSACTION_GAS),
});

/** RULES 50: the last block of its epoch. */
export const isEpochBoundary = (rules: ExecutionRules, height: bigint): boolean =>
  height % rules.epochLength === 0n;

/** Predictable, and documented so: keccak(parentHash ‖ uint64 height). */
export const mixHashOf = (parentHash: Hash, height: bigint): Hash =>
  keccak256Hex(concatBytes(hexToBytes(parentHash), toBigEndian(height, 8)));
