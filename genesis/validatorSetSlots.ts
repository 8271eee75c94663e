/**
 * Where the ValidatorSet predeploy (0x…1000) keeps its state: the node reads and copies these words directly.
 *
 * Slot 0 is the dynamic array `active`, slot 1 the dynamic array `pending`; an element is one word,
 * address << 96 | uint64 power, strictly ascending by address. At an epoch's last block the node copies `pending`
 * to `active` before the state root (RULES 20). A set that breaks the rules is unreadable: a pure function of the
 * state, answered with `null` and not with an exception.
 */
import {
  arrayElementSlot,
  type SlotReader,
  type StorageEntry,
  uintToWord,
  wordToUint,
} from '#bridge/encoding/storageWords.ts';
import { type Address, bytesToAddress, type Hash, toBigEndian } from '#consensus/primitives.ts';
import {
  createValidatorSet,
  type Validator,
  type ValidatorSet,
  ValidatorSetError,
} from '#consensus/validatorSet.ts';

export const VALIDATOR_SET_SLOTS = { active: 0n, pending: 1n } as const;
/** A signature bitmap is one word. */
export const MAX_VALIDATORS = 256;

export type ValidatorList = keyof typeof VALIDATOR_SET_SLOTS;

export const validatorToWord = ({ address, power }: Validator): Hash =>
  uintToWord((BigInt(address) << 96n) | power);

const wordToValidator = (word: Hash): Validator | null => {
  const value = wordToUint(word);
  if (((value >> 64n) & 0xffffffffn) !== 0n) return null;
  const address: Address = bytesToAddress(toBigEndian(value >> 96n, 20));
  return { address, power: value & 0xffffffffffffffffn };
};

/** Null when the words do not hold a valid set (RULES 20: the last readable one stays in force). */
export const readValidatorSet = async (
  read: SlotReader,
  list: ValidatorList,
): Promise<ValidatorSet | null> => {
  const length = wordToUint(await read(uintToWord(VALIDATOR_SET_SLOTS[list])));
  if (length === 0n || length > BigInt(MAX_VALIDATORS)) return null;
  const words = await Promise.all(
    Array.from({ length: Number(length) }, (_, index) =>
      read(arrayElementSlot(VALIDATOR_SET_SLOTS[list], BigInt(index))),
    ),
  );
  const validators: Validator[] = [];
  for (const word of words) {
    const validator = wordToValidator(word);
    if (validator === null) return null;
    validators.push(validator);
  }
  try {
    return createValidatorSet(validators);
  } catch (error) {
    if (error instanceof ValidatorSetError) return null;
    throw error;
  }
};

/** The words of one list, its length first. @param previousLength elements beyond the new length become zero words */
export const validatorListEntries = (
  list: ValidatorList,
  validators: readonly Validator[],
  previousLength = 0,
): StorageEntry[] => {
  const slot = VALIDATOR_SET_SLOTS[list];
  const entries: StorageEntry[] = [[uintToWord(slot), uintToWord(BigInt(validators.length))]];
  for (let index = 0; index < Math.max(validators.length, previousLength); index++) {
    const validator = validators[index];
    entries.push([
      arrayElementSlot(slot, BigInt(index)),
      validator === undefined ? uintToWord(0n) : validatorToWord(validator),
    ]);
  }
  return entries;
};

/** The predeploy's storage in block 0: both lists hold the specification's validators. */
export const validatorSetGenesisStorage = (validators: readonly Validator[]): StorageEntry[] => [
  ...validatorListEntries('active', validators),
  ...validatorListEntries('pending', validators),
];
