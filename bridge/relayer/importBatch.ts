/**
 * How many deposits one import may carry, and the gas it asks for.
 *
 * Constants of the gateway's worst case: each credit needs 110,000 gas left before it begins and uses at most about
 * 95,000 (new account, 30,000 for the recipient, parking). Every relayer computes the same limit from the same
 * specification, so that all of them attest the same counts.
 */

/** RULES 32; the gateway's MAX_DEPOSITS. */
export const MAX_IMPORT_DEPOSITS = 300n;
/** EIP-7825. */
const MAX_TRANSACTION_GAS = 1n << 24n;
/** Intrinsic gas, signatures, and what must be left before the last credit. */
const BASE_GAS = 400_000n;
const DEPOSIT_GAS = 100_000n;

export const importGasCap = (importGas: bigint): bigint =>
  importGas < MAX_TRANSACTION_GAS ? importGas : MAX_TRANSACTION_GAS;

/** At least 1: the gas limit is then the cap, and what does not fit shows as a failed receipt. */
export const maxDepositsPerImport = (importGas: bigint): bigint => {
  const fits = (importGasCap(importGas) - BASE_GAS) / DEPOSIT_GAS;
  return fits < 1n ? 1n : fits > MAX_IMPORT_DEPOSITS ? MAX_IMPORT_DEPOSITS : fits;
};

export const importGasLimit = (deposits: bigint, importGas: bigint): bigint => {
  const wanted = BASE_GAS + DEPOSIT_GAS * deposits;
  const cap = importGasCap(importGas);
  return wanted < cap ? wanted : cap;
};
