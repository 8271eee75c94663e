/** EIP-7702 delegations of a call that nobody signed as a transaction: checked and applied as in one. */
import { Account, type Address as EvmAddress, eoaCode7702RecoverAuthority } from '@ethereumjs/util';
import { type Address, concatBytes, hexToBytes } from '#consensus/primitives.ts';
import type { Machine } from '#node/execution/machine.ts';
import { quantityToBytes } from '#node/storage/rlpValues.ts';

export type Authorization = {
  readonly chainId: bigint;
  readonly address: Address;
  readonly nonce: bigint;
  readonly yParity: bigint;
  readonly r: bigint;
  readonly s: bigint;
};

/** Charged for each tuple; half of it comes back when the account exists. */
export const AUTHORIZATION_GAS = 25_000n;
const EXISTING_ACCOUNT_REFUND = 12_500n;
const DELEGATION_PREFIX = Uint8Array.of(0xef, 0x01, 0x00);
const MAX_NONCE = (1n << 64n) - 1n;
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;

export const authorityOf = (tuple: Authorization): EvmAddress | null => {
  if (tuple.s > HALF_ORDER || tuple.yParity > 1n || tuple.nonce >= MAX_NONCE) return null;
  try {
    return eoaCode7702RecoverAuthority([
      quantityToBytes(tuple.chainId),
      hexToBytes(tuple.address),
      quantityToBytes(tuple.nonce),
      quantityToBytes(tuple.yParity),
      quantityToBytes(tuple.r),
      quantityToBytes(tuple.s),
    ]);
  } catch {
    return null;
  }
};

/** Those that do not hold are skipped. @returns the refund that they earn */
export const applyAuthorizations = async (
  { state, vm, common }: Machine,
  tuples: readonly Authorization[],
): Promise<bigint> => {
  let refund = 0n;
  for (const tuple of tuples) {
    if (tuple.chainId !== 0n && tuple.chainId !== common.chainId()) continue;
    const authority = authorityOf(tuple);
    if (authority === null) continue;
    vm.evm.journal.addAlwaysWarmAddress(authority.toString());
    const account = await state.getAccount(authority);
    const code = await state.getCode(authority);
    const isFree = code.length === 0 || Buffer.compare(code.subarray(0, 3), DELEGATION_PREFIX) === 0;
    if (!isFree || (account?.nonce ?? 0n) !== tuple.nonce) continue;
    if (account !== undefined) refund += EXISTING_ACCOUNT_REFUND;
    const next = account ?? new Account();
    next.nonce += 1n;
    await state.putAccount(authority, next);
    const clears = BigInt(tuple.address) === 0n;
    await state.putCode(
      authority,
      clears ? new Uint8Array(0) : concatBytes(DELEGATION_PREFIX, hexToBytes(tuple.address)),
    );
  }
  return refund;
};
