/**
 * What a block changes without a transaction: block start (EIP-2935, EIP-4788), treasury, epoch boundary.
 *
 * Writes go straight into the overlay, outside gas and the journal of any transaction. No EIP-7002, 7251 or 6110
 * processing ever (RULES 6).
 */
import { Account, Address, setLengthLeft } from '@ethereumjs/util';
import { type SlotReader, wordToUint } from '#bridge/encoding/storageWords.ts';
import { bytesToHash, type Hash, hexToBytes, toBigEndian } from '#consensus/primitives.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import { readValidatorSet, VALIDATOR_SET_SLOTS, validatorListEntries } from '#genesis/validatorSetSlots.ts';
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

/** The effect of the two system calls, as their contracts' code has it; without the code, none. */
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
};

/** Base fees are kept, not burned (RULES 7). */
export const creditTreasury = async (state: OverlayState, amountWei: bigint): Promise<void> => {
  if (amountWei === 0n) return;
  const account = (await state.getAccount(TREASURY)) ?? new Account();
  account.balance += amountWei;
  await state.putAccount(TREASURY, account);
};

/**
 * RULES 20: at an epoch's last block `pending` becomes `active`; a pending set that is unreadable changes nothing.
 * @returns the set that votes from the next height on; `current` when nothing readable replaces it
 */
export const applyEpochBoundary = async (
  state: OverlayState,
  current: ValidatorSet,
): Promise<ValidatorSet> => {
  const read = slotReaderOf(state, VALIDATOR_SET);
  const pending = await readValidatorSet(read, 'pending');
  if (pending === null) return (await readValidatorSet(read, 'active')) ?? current;
  const previousLength = wordToUint(await read(bytesToHash(word(VALIDATOR_SET_SLOTS.active))));
  const entries = validatorListEntries('active', pending.validators, clampLength(previousLength));
  for (const [slot, value] of entries)
    await state.putStorage(VALIDATOR_SET, hexToBytes(slot), hexToBytes(value));
  return pending;
};

/** A malformed length must not become a loop. */
const clampLength = (length: bigint): number => (length > 256n ? 256 : Number(length));
