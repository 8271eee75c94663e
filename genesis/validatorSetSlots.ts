/**
 * Where the ValidatorSet predeploy (0x…1000) keeps its state: the node reads and copies these words directly.
 *
 * Slots 0 to 3 are the dynamic arrays `active`, `pending`, `approved` and `jailed`; an element is one word,
 * address << 96 | uint64 power, strictly ascending by address (`jailed`: in the order of the reports, without power).
 * At an epoch's last block the node copies `pending`, without those who are jailed, to `active` before the state root
 * (RULES 20, 21; nextSet.ts says who). Slot 4 is the genesis hash, which the node writes at height 1; slot 5 holds
 * uint64 epochLength and uint64 leastValidators, from the low end. A list that breaks the rules is unreadable: a pure
 * function of the state, answered with `null` and not with an exception.
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

export const VALIDATOR_SET_SLOTS = {
  active: 0n,
  pending: 1n,
  approved: 2n,
  jailed: 3n,
  genesisHash: 4n,
  limits: 5n,
} as const;
/** A signature bitmap is one word. */
export const MAX_VALIDATORS = 256;
/** Governance never removes a validator below this; a chain that began smaller keeps at least its first size. */
const LEAST_VALIDATORS = 4;

export type ValidatorList = 'active' | 'pending' | 'approved' | 'jailed';

export const validatorToWord = ({ address, power }: Validator): Hash =>
  uintToWord((BigInt(address) << 96n) | power);

const wordToValidator = (word: Hash): Validator | null => {
  const value = wordToUint(word);
  if (((value >> 64n) & 0xffffffffn) !== 0n) return null;
  const address: Address = bytesToAddress(toBigEndian(value >> 96n, 20));
  return { address, power: value & 0xffffffffffffffffn };
};

/** The entries of a list in their order, unjudged; null when one is malformed or there are too many. */
const readList = async (read: SlotReader, list: ValidatorList): Promise<readonly Validator[] | null> => {
  const length = wordToUint(await read(uintToWord(VALIDATOR_SET_SLOTS[list])));
  if (length > BigInt(MAX_VALIDATORS)) return null;
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
  return validators;
};

/** Null when the words do not hold a valid set (RULES 20: the last readable one stays in force). */
export const readValidatorSet = async (
  read: SlotReader,
  list: 'active' | 'pending',
): Promise<ValidatorSet | null> => {
  const validators = await readList(read, list);
  if (validators === null) return null;
  try {
    return createValidatorSet(validators);
  } catch (error) {
    if (error instanceof ValidatorSetError) return null;
    throw error;
  }
};

/** Who signed twice and is still to be taken out, the oldest report first; nobody when the list is malformed. */
export const readJailed = async (read: SlotReader): Promise<readonly Address[]> =>
  ((await readList(read, 'jailed')) ?? []).map(({ address }) => address);

/**
 * Every key that votes, is about to, or has been let in by Governance and has yet to catch up: whom peers should talk
 * to. Bounded: at most three lists of 256.
 */
export const readKnownValidators = async (read: SlotReader): Promise<ReadonlySet<Address>> => {
  const lists = await Promise.all(
    (['active', 'pending', 'approved'] as const).map((list) => readList(read, list)),
  );
  return new Set(lists.flatMap((list) => list ?? []).map(({ address }) => address));
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

/** The predeploy's storage in block 0: active and pending hold the specification's validators. */
export const validatorSetGenesisStorage = (
  validators: readonly Validator[],
  epochLength: bigint,
): StorageEntry[] => [
  ...validatorListEntries('active', validators),
  ...validatorListEntries('pending', validators),
  [
    uintToWord(VALIDATOR_SET_SLOTS.limits),
    uintToWord((BigInt(Math.min(LEAST_VALIDATORS, validators.length)) << 64n) | epochLength),
  ],
];
