/**
 * The files of Ethereum's GeneralStateTests: pre-state, transaction variants, and what each leaves per fork.
 *
 * Owns reading them and telling which files are such tests. Format:
 * https://ethereum-tests.readthedocs.io/en/latest/test_types/gstate_tests.html
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Address, Hash, Hex } from '#consensus/primitives.ts';

export type PreAccount = {
  readonly balance: Hex;
  readonly nonce: Hex;
  readonly code: Hex;
  readonly storage: Readonly<Record<Hex, Hex>>;
};

export type TestEnvironment = {
  readonly currentCoinbase: Address;
  readonly currentGasLimit: Hex;
  readonly currentNumber: Hex;
  readonly currentTimestamp: Hex;
  readonly currentBaseFee?: Hex;
  readonly currentRandom?: Hex;
  readonly currentExcessBlobGas?: Hex;
};

export type TestTransaction = {
  readonly data: readonly Hex[];
  readonly gasLimit: readonly Hex[];
  readonly value: readonly Hex[];
  readonly nonce: Hex;
  /** Empty for a creation. */
  readonly to: Hex | '';
  readonly secretKey: Hex;
  readonly gasPrice?: Hex;
  readonly maxFeePerGas?: Hex;
  readonly maxPriorityFeePerGas?: Hex;
  readonly maxFeePerBlobGas?: Hex;
  readonly blobVersionedHashes?: readonly Hex[];
  /** One for each entry of `data`; null: the variant is not of a type with access lists. */
  readonly accessLists?: readonly (readonly { address: Hex; storageKeys: readonly Hex[] }[] | null)[];
};

/** What one variant of the transaction leaves. */
export type PostCase = {
  /** State root. */
  readonly hash: Hash;
  /** keccak of the RLP of the logs. */
  readonly logs: Hash;
  readonly indexes: { readonly data: number; readonly gas: number; readonly value: number };
  readonly txbytes?: Hex;
  /** The transaction must be refused. */
  readonly expectException?: string;
};

export type StateTest = {
  readonly env: TestEnvironment;
  readonly pre: Readonly<Record<Address, PreAccount>>;
  readonly transaction: TestTransaction;
  readonly post: Readonly<Record<string, readonly PostCase[]>>;
  readonly config?: { readonly chainid?: Hex };
};

/** @returns every JSON file below the folder (or the file itself), sorted, the path shown relative to it */
export const listTestFiles = (folder: string): { readonly path: string; readonly shown: string }[] => {
  if (statSync(folder).isFile()) return [{ path: folder, shown: folder }];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.json'))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map((file) => ({ path: join(folder, file), shown: relative('.', join(folder, file)) }));
};

/** By name; null when the file is JSON of another kind. @throws SyntaxError when it is no JSON */
export const readTestFile = (path: string): ReadonlyMap<string, StateTest> | null => {
  const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return null;
  const tests = Object.entries(content).filter(([name]) => !name.startsWith('_'));
  return tests.length > 0 && tests.every(([, test]) => isStateTest(test))
    ? new Map(tests as [string, StateTest][])
    : null;
};

const isStateTest = (test: unknown): boolean =>
  typeof test === 'object' &&
  test !== null &&
  ['env', 'pre', 'transaction', 'post'].every((field) => field in test && isObject((test as never)[field]));

const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
