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
/** Intrinsic gas, and what must be left before the last credit. */
const FIXED_GAS = 200_000n;
/** Call data, recovery and comparison of one relayer's signature, with a margin. */
const RELAYER_GAS = 6_000n;
const LEAST_BASE_GAS = 400_000n;
const DEPOSIT_GAS = 100_000n;

const baseGas = (relayers: number): bigint => {
  const gas = FIXED_GAS + RELAYER_GAS * BigInt(relayers);
  return gas > LEAST_BASE_GAS ? gas : LEAST_BASE_GAS;
};

/** With less, no import of a chain with so many relayers could ever succeed. */
export const leastImportGas = (relayers: number): bigint => baseGas(relayers) + DEPOSIT_GAS;

export const importGasCap = (importGas: bigint): bigint =>
  importGas < MAX_TRANSACTION_GAS ? importGas : MAX_TRANSACTION_GAS;

/** At least 1 for every specification: `importGas` is at least `leastImportGas`. */
export const maxDepositsPerImport = (importGas: bigint, relayers: number): bigint => {
  const fits = (importGasCap(importGas) - baseGas(relayers)) / DEPOSIT_GAS;
  return fits < 1n ? 1n : fits > MAX_IMPORT_DEPOSITS ? MAX_IMPORT_DEPOSITS : fits;
};

/**
 * The count that one import can reach. A leaf with data makes a clone or installs relayers and costs more than a
 * credit, so it travels alone.
 * @param dataLeaf nonce of the first leaf with data that is not imported yet, or null
 */
export const importReach = (importedCount: bigint, batch: bigint, dataLeaf: bigint | null): bigint => {
  const reach = importedCount + batch;
  if (dataLeaf === null || dataLeaf >= reach) return reach;
  return dataLeaf === importedCount ? importedCount + 1n : dataLeaf;
};

export const importGasLimit = (deposits: bigint, importGas: bigint, relayers: number): bigint => {
  const wanted = baseGas(relayers) + DEPOSIT_GAS * deposits;
  const cap = importGasCap(importGas);
  return wanted < cap ? wanted : cap;
};
