/**
 * What a block changes without a transaction: block start (EIP-2935, EIP-4788), the genesis hash, treasury, epoch boundary.
 *
 * Writes go straight into the overlay, outside gas and the journal of any transaction. No EIP-7002, 7251 or 6110
 * processing ever (RULES 6).
 */
import { Account, Address, setLengthLeft } from '@ethereumjs/util';
import { type SlotReader, wordToUint } from '#bridge/encoding/storageWords.ts';
import { bytesToHash, type Hash, hexToBytes, toBigEndian } from '#consensus/primitives.ts';
import type { Validator, ValidatorSet } from '#consensus/validatorSet.ts';
import { selectNextSet } from '#genesis/nextSet.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import {
  readJailed,
  readValidatorSet,
  VALIDATOR_SET_SLOTS,
  type ValidatorList,
  validatorListEntries,
} from '#genesis/validatorSetSlots.ts';
import type { OverlayState } from '#node/execution/overlayState.ts';
import { quantityToBytes } from '#node/storage/rlpValues.ts';

const toAddress = (hex: `0x${string}`): Address => new Address(hexToBytes(hex));
const HISTORY_STORAGE = toAddress(PREDEPLOYS.historyStorage);
const BEACON_ROOTS = toAddress(PREDEPLOYS.beaconRoots);
const TREASURY = toAddress(PREDEPLOYS.treasury);
const VALIDATOR_SET = toAddress(PREDEPLOYS.validatorSet);

/** EIP-2935's and EIP-4788's ring buffers. */
const HISTORY_SERVE_WINDOW = 8_191n;
const BEACON_ROOTS_LENGTH = 8_191n;

const word = (value: bigint): Uint8Array => toBigEndian(value, 32);

export const slotReaderOf =
  (state: OverlayState, address: Address): SlotReader =>
  async (slot) =>
    bytesToHash(setLengthLeft(await state.getStorage(address, hexToBytes(slot)), 32));

export type BlockStart = {
  readonly height: bigint;
  readonly timestamp: bigint;
  readonly parentHash: Hash;
  /** parentBeaconBlockRoot. */
  readonly parentValueId: Hash;
};

/**
 * The effect of the two system calls, as their contracts' code has it, and at height 1 the genesis hash for
 * ValidatorSet, which verifies what consensus keys signed; without the code, none.
 */
export const applyBlockStart = async (state: OverlayState, start: BlockStart): Promise<void> => {
  if ((await state.getCodeSize(BEACON_ROOTS)) > 0) {
    const at = start.timestamp % BEACON_ROOTS_LENGTH;
    await state.putStorage(BEACON_ROOTS, word(at), quantityToBytes(start.timestamp));
    await state.putStorage(BEACON_ROOTS, word(at + BEACON_ROOTS_LENGTH), hexToBytes(start.parentValueId));
  }
  if ((await state.getCodeSize(HISTORY_STORAGE)) > 0)
    await state.putStorage(
      HISTORY_STORAGE,
      word((start.height - 1n) % HISTORY_SERVE_WINDOW),
      hexToBytes(start.parentHash),
    );
  if (start.height === 1n && (await state.getCodeSize(VALIDATOR_SET)) > 0)
    await state.putStorage(
      VALIDATOR_SET,
      word(VALIDATOR_SET_SLOTS.genesisHash),
      hexToBytes(start.parentHash),
    );
};

/** Base fees are kept, not burned (RULES 7). */
export const creditTreasury = async (state: OverlayState, amountWei: bigint): Promise<void> => {
  if (amountWei === 0n) return;
  const account = (await state.getAccount(TREASURY)) ?? new Account();
  account.balance += amountWei;
  await state.putAccount(TREASURY, account);
};

/**
 * RULES 20, 21: at an epoch's last block `pending`, without those who signed twice, becomes `active`; a pending set that
 * is unreadable changes nothing.
 * @returns the set that votes from the next height on; `current` when nothing readable replaces it
 */
export const applyEpochBoundary = async (
  state: OverlayState,
  current: ValidatorSet,
): Promise<ValidatorSet> => {
  const read = slotReaderOf(state, VALIDATOR_SET);
  const pending = await readValidatorSet(read, 'pending');
  if (pending === null) return (await readValidatorSet(read, 'active')) ?? current;
  const jailed = await readJailed(read);
  const { next, stillJailed } = selectNextSet(current, pending, jailed);
  await writeList(state, 'active', next.validators);
  if (jailed.length > 0) {
    await writeList(state, 'pending', next.validators);
    await writeList(
      state,
      'jailed',
      stillJailed.map((address) => ({ address, power: 0n })),
    );
  }
  return next;
};

const writeList = async (
  state: OverlayState,
  list: ValidatorList,
  validators: readonly Validator[],
): Promise<void> => {
  const read = slotReaderOf(state, VALIDATOR_SET);
  const previousLength = clampLength(wordToUint(await read(bytesToHash(word(VALIDATOR_SET_SLOTS[list])))));
  for (const [slot, value] of validatorListEntries(list, validators, previousLength))
    await state.putStorage(VALIDATOR_SET, hexToBytes(slot), hexToBytes(value));
};

/** A malformed length must not become a loop. */
const clampLength = (length: bigint): number => (length > 256n ? 256 : Number(length));
