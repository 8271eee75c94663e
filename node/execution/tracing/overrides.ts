/**
 * What a call may pretend: other balances, nonces, code and storage, moved precompiles, other fields of the block.
 *
 * Order and refusals are those of geth's `StateOverride.Apply`. Changes go into the overlay and into the machine's
 * table of precompiles; `restore` puts the table back.
 */
import { Account, Address as EvmAddress, setLengthLeft } from '@ethereumjs/util';
import { type Address, type Hash, hexToBytes } from '#consensus/primitives.ts';
import type { Machine } from '#node/execution/machine.ts';
import type { Header } from '#node/storage/headerCodec.ts';

export type AccountOverride = {
  readonly nonce?: bigint;
  readonly balance?: bigint;
  readonly code?: Uint8Array;
  /** The whole storage. */
  readonly state?: readonly (readonly [Hash, Hash])[];
  /** Some slots. */
  readonly stateDiff?: readonly (readonly [Hash, Hash])[];
  readonly movePrecompileTo?: Address;
};
export type StateOverrides = readonly (readonly [Address, AccountOverride])[];

export type BlockOverrides = {
  readonly number?: bigint;
  readonly time?: bigint;
  readonly gasLimit?: bigint;
  readonly feeRecipient?: Address;
  readonly prevRandao?: Hash;
  readonly baseFeePerGas?: bigint;
};

/** A pretence that contradicts itself; the words are geth's. */
export class OverrideError extends Error {
  override readonly name = 'OverrideError';
}

type Precompiles = Machine['vm']['evm']['precompiles'];

export const snapshotPrecompiles = ({ vm }: Machine): { restore(): void } => {
  const { precompiles } = vm.evm;
  const before = [...precompiles];
  return {
    restore: () => {
      precompiles.clear();
      for (const [address, run] of before) precompiles.set(address, run);
    },
  };
};

/** @throws OverrideError */
export const applyStateOverrides = async (machine: Machine, overrides: StateOverrides): Promise<void> => {
  const { precompiles } = machine.vm.evm;
  const overridden = new Set(overrides.map(([address]) => address));
  const movedTo = new Set<Address>();
  for (const [address, override] of overrides) {
    if (movedTo.has(address))
      throw new OverrideError(`account ${address} has already been overridden by a precompile`);
    movePrecompile(precompiles, address, override, overridden, movedTo);
    await overrideAccount(machine, address, override);
  }
  machine.state.originalStorageCache.clear();
};

const movePrecompile = (
  precompiles: Precompiles,
  address: Address,
  { movePrecompileTo: to }: AccountOverride,
  overridden: ReadonlySet<Address>,
  movedTo: Set<Address>,
): void => {
  const precompile = precompiles.get(address.slice(2));
  if (to !== undefined) {
    if (precompile === undefined) throw new OverrideError(`account ${address} is not a precompile`);
    if (overridden.has(to)) throw new OverrideError(`account ${to} is already overridden`);
    precompiles.set(to.slice(2), precompile);
    movedTo.add(to);
  }
  if (precompile !== undefined) precompiles.delete(address.slice(2));
};

const overrideAccount = async (
  { state }: Machine,
  address: Address,
  { nonce, balance, code, state: whole, stateDiff }: AccountOverride,
): Promise<void> => {
  if (whole !== undefined && stateDiff !== undefined)
    throw new OverrideError(`account ${address} has both 'state' and 'stateDiff'`);
  const at = new EvmAddress(hexToBytes(address));
  if (nonce !== undefined || balance !== undefined) {
    const account = (await state.getAccount(at)) ?? new Account();
    account.nonce = nonce ?? account.nonce;
    account.balance = balance ?? account.balance;
    await state.putAccount(at, account);
  }
  if (code !== undefined) await state.putCode(at, code);
  if (whole !== undefined) await state.clearStorage(at);
  for (const [slot, value] of whole ?? stateDiff ?? [])
    await state.putStorage(at, hexToBytes(slot), setLengthLeft(hexToBytes(value), 32));
};

/** The fields that a block context shows, with what was said otherwise. */
export const withBlockOverrides = (header: Header, overrides: BlockOverrides = {}): Header => ({
  ...header,
  height: overrides.number ?? header.height,
  timestamp: overrides.time ?? header.timestamp,
  gasLimit: overrides.gasLimit ?? header.gasLimit,
  feeRecipient: overrides.feeRecipient ?? header.feeRecipient,
  mixHash: overrides.prevRandao ?? header.mixHash,
});
