/**
 * A validator set: who votes at a height, with which power, and what makes a quorum.
 *
 * Invariants: addresses strictly ascending (RULES 26, 48), every power > 0, total power ≤ 1,000 × validators
 * (RULES 5). Does not own the proposer's order (proposer.ts) or where the set is stored (genesis/, node/).
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import {
  type Address,
  compareHex,
  concatBytes,
  type Hash,
  hexToBytes,
  toBigEndian,
} from '#consensus/primitives.ts';

export type Validator = { readonly address: Address; readonly power: bigint };

export type ValidatorSet = {
  /** Strictly ascending by address. */
  readonly validators: readonly Validator[];
  readonly totalPower: bigint;
  /** keccak of the packed (address ‖ uint64 power) list. */
  readonly hash: Hash;
};

export type ValidatorSetErrorCode = 'EMPTY_SET' | 'NOT_ASCENDING' | 'BAD_POWER' | 'TOO_MUCH_POWER';

export class ValidatorSetError extends Error {
  override readonly name = 'ValidatorSetError';
  readonly code: ValidatorSetErrorCode;
  constructor(code: ValidatorSetErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export const MAX_MEAN_POWER = 1_000n;

/** The packed list whose keccak is the set's hash: 28 bytes a validator, as PegVerifier takes it. */
export const packValidators = (validators: readonly Validator[]): Uint8Array =>
  concatBytes(
    ...validators.map(({ address, power }) => concatBytes(hexToBytes(address), toBigEndian(power, 8))),
  );

/** @throws ValidatorSetError EMPTY_SET, NOT_ASCENDING, BAD_POWER, TOO_MUCH_POWER */
export const createValidatorSet = (validators: readonly Validator[]): ValidatorSet => {
  if (validators.length === 0)
    throw new ValidatorSetError('EMPTY_SET', 'expected at least one validator, found none');
  validators.forEach(({ address, power }, index) => {
    const previous = validators[index - 1];
    if (previous !== undefined && compareHex(previous.address, address) >= 0)
      throw new ValidatorSetError(
        'NOT_ASCENDING',
        `expected strictly ascending addresses, found ${address} after ${previous.address}: sort them and remove duplicates`,
      );
    if (power <= 0n)
      throw new ValidatorSetError('BAD_POWER', `expected a power above 0, found ${power} for ${address}`);
  });
  const totalPower = validators.reduce((sum, { power }) => sum + power, 0n);
  if (totalPower > MAX_MEAN_POWER * BigInt(validators.length))
    throw new ValidatorSetError(
      'TOO_MUCH_POWER',
      `expected a total power of at most ${MAX_MEAN_POWER} × ${validators.length} validators, found ${totalPower}: scale the powers down`,
    );
  return { validators: [...validators], totalPower, hash: keccak256Hex(packValidators(validators)) };
};

export const powerOf = (set: ValidatorSet, address: Address): bigint =>
  set.validators.find((validator) => validator.address === address)?.power ?? 0n;

export const isMember = (set: ValidatorSet, address: Address): boolean => powerOf(set, address) > 0n;

/** More than 2/3: at least one honest validator is in every two quorums. */
export const isQuorum = (set: ValidatorSet, power: bigint): boolean => 3n * power > 2n * set.totalPower;

/** More than 1/3 (f + 1): at least one honest validator is among them. */
export const isHonestMinority = (set: ValidatorSet, power: bigint): boolean => 3n * power > set.totalPower;
