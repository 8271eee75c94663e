/**
 * What the load consists of: which contract is called with what, and what it may cost.
 *
 * Owns the calls. Does not own who sends them or when. Every transaction touches an account, holder or slot that nobody
 * touched before, but for the compute-heavy one: that is the dear case for the state.
 */
import { encodeFunctionData, parseAbi } from 'viem';
import { type Address, bytesToHex, hexToBytes } from '#consensus/primitives.ts';
import { benchAddress } from './signing.ts';

export const WORKLOADS = ['transfer', 'erc20', 'storage', 'compute', 'mix'] as const;
export type Workload = (typeof WORKLOADS)[number];

export type BenchContracts = { readonly token: Address; readonly work: Address };

export const TOKEN_ABI = parseAbi([
  'function seed(address[] holders)',
  'function transfer(address to, uint256 value) returns (bool)',
]);
const WORK_ABI = parseAbi(['function write(uint256 count)', 'function compute(uint256 rounds)']);

export const NEW_SLOTS = 20n;
export const HASHES = 1_000n;

type Call = {
  readonly to: Uint8Array;
  readonly valueWei: bigint;
  readonly data: Uint8Array;
  readonly gasLimit: bigint;
};

const NO_DATA = new Uint8Array(0);
/** Of a hundred: most are transfers, as on public chains. */
const MIX: readonly (readonly [Exclude<Workload, 'mix'>, number])[] = [
  ['transfer', 60],
  ['erc20', 30],
  ['storage', 5],
  ['compute', 5],
];

/** The workload of one transaction in a mix; its order is fixed, and spread evenly. */
export const mixed = (index: number): Exclude<Workload, 'mix'> => {
  let place = (index * 37) % 100;
  for (const [workload, share] of MIX) {
    if (place < share) return workload;
    place -= share;
  }
  return 'transfer';
};

/** @param seed another one for each phase, so that recipients are fresh */
export const createCalls = (
  workload: Workload,
  contracts: BenchContracts,
  seed: string,
): ((index: number) => Call) => {
  const token = hexToBytes(contracts.token);
  const work = hexToBytes(contracts.work);
  const write = hexToBytes(encodeFunctionData({ abi: WORK_ABI, functionName: 'write', args: [NEW_SLOTS] }));
  const compute = hexToBytes(encodeFunctionData({ abi: WORK_ABI, functionName: 'compute', args: [HASHES] }));
  const fresh = (index: number): Uint8Array => benchAddress(seed, index);
  const calls: Record<Exclude<Workload, 'mix'>, (index: number) => Call> = {
    transfer: (index) => ({ to: fresh(index), valueWei: 1n, data: NO_DATA, gasLimit: 21_000n }),
    erc20: (index) => ({
      to: token,
      valueWei: 0n,
      data: hexToBytes(
        encodeFunctionData({
          abi: TOKEN_ABI,
          functionName: 'transfer',
          args: [bytesToHex(fresh(index)), 1n],
        }),
      ),
      gasLimit: 60_000n,
    }),
    storage: () => ({ to: work, valueWei: 0n, data: write, gasLimit: 540_000n }),
    compute: () => ({ to: work, valueWei: 0n, data: compute, gasLimit: 420_000n }),
  };
  return (index) => calls[workload === 'mix' ? mixed(index) : workload](index);
};
