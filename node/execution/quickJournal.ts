/**
 * What a transaction has accessed and touched (EIP-2929, EIP-161), in the place of the library's journal.
 *
 * The library keeps a difference for each call that ever ended and copies their list at each revert: many calls, then
 * many reverts, cost the square of their number. Here each change pushes its undo; a checkpoint is a mark.
 */
import type { StateManagerInterface } from '@ethereumjs/common';
import { type Account, Address, hexToBytes, RIPEMD160_ADDRESS_STRING } from '@ethereumjs/util';

/** Hex without a prefix. */
const keyOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
const withoutPrefix = (text: string): string => (text.startsWith('0x') ? text.slice(2) : text);

type Slots = Map<string, Set<string>>;

const slotsAt = (access: Slots, address: string): Set<string> => {
  let slots = access.get(address);
  if (slots === undefined) {
    slots = new Set();
    access.set(address, slots);
  }
  return slots;
};

export class QuickJournal {
  /** Addresses and slots accessed, while somebody asks for the list. */
  accessList?: Slots | undefined;
  readonly #state: StateManagerInterface;
  #warm: Slots = new Map();
  /** Not undone by a revert: what the transaction itself names. */
  #alwaysWarm: Slots = new Map();
  #touched = new Set<string>();
  #undo: (() => void)[] = [];
  #marks: number[] = [];

  constructor(state: StateManagerInterface) {
    this.#state = state;
  }

  startReportingAccessList(): void {
    this.accessList = new Map();
  }

  startReportingPreimages(): never {
    throw new Error('the state is kept by address: there are no preimages to report');
  }

  // ── accounts ──

  touch(address: Address): void {
    const key = keyOf(address.bytes);
    if (this.#touched.has(key)) return;
    this.#touched.add(key);
    // Precompile 3 stays touched when its call is reverted, as it once did on the main network.
    if (key !== RIPEMD160_ADDRESS_STRING) this.#undo.push(() => this.#touched.delete(key));
  }

  async putAccount(address: Address, account: Account | undefined): Promise<void> {
    this.touch(address);
    return this.#state.putAccount(address, account);
  }

  async deleteAccount(address: Address): Promise<void> {
    this.touch(address);
    await this.#state.deleteAccount(address);
  }

  // ── checkpoints ──

  async checkpoint(): Promise<void> {
    this.#marks.push(this.#undo.length);
    await this.#state.checkpoint();
  }

  async commit(): Promise<void> {
    this.#marks.pop();
    await this.#state.commit();
  }

  async revert(): Promise<void> {
    const mark = this.#marks.pop() ?? 0;
    while (this.#undo.length > mark) this.#undo.pop()!();
    await this.#state.revert();
  }

  cleanJournal(): void {
    this.#warm = new Map();
    this.#alwaysWarm = new Map();
    this.#touched = new Set();
    this.#undo = [];
    this.#marks = [];
  }

  /** EIP-161: touched accounts that are empty are none. */
  async cleanup(): Promise<void> {
    for (const key of this.#touched) {
      const address = new Address(hexToBytes(`0x${key}`));
      const account = await this.#state.getAccount(address);
      if (account === undefined || account.isEmpty()) await this.#state.deleteAccount(address);
    }
    this.cleanJournal();
    this.accessList = undefined;
  }

  // ── access (EIP-2929) ──

  addAlwaysWarmAddress(address: string, isReported = false): void {
    const key = withoutPrefix(address);
    slotsAt(this.#alwaysWarm, key);
    if (isReported && this.accessList !== undefined) slotsAt(this.accessList, key);
  }

  addAlwaysWarmSlot(address: string, slot: string, isReported = false): void {
    const [key, slotKey] = [withoutPrefix(address), withoutPrefix(slot)];
    slotsAt(this.#alwaysWarm, key).add(slotKey);
    if (isReported && this.accessList !== undefined) slotsAt(this.accessList, key).add(slotKey);
  }

  isWarmedAddress(address: Uint8Array): boolean {
    const key = keyOf(address);
    return this.#warm.has(key) || this.#alwaysWarm.has(key);
  }

  addWarmedAddress(address: Uint8Array): void {
    this.#warmAddress(keyOf(address));
  }

  /** @returns whether it was warm before */
  accessAddress(address: Uint8Array): boolean {
    const key = keyOf(address);
    const isWarm = this.#warm.has(key) || this.#alwaysWarm.has(key);
    if (!isWarm) this.#warmAddress(key);
    return isWarm;
  }

  #warmAddress(key: string): Set<string> {
    if (this.accessList !== undefined) slotsAt(this.accessList, key);
    const before = this.#warm.get(key);
    if (before !== undefined) return before;
    const slots = new Set<string>();
    this.#warm.set(key, slots);
    this.#undo.push(() => this.#warm.delete(key));
    return slots;
  }

  isWarmedStorage(address: Uint8Array, slot: Uint8Array): boolean {
    const [key, slotKey] = [keyOf(address), keyOf(slot)];
    return (this.#warm.get(key)?.has(slotKey) ?? false) || (this.#alwaysWarm.get(key)?.has(slotKey) ?? false);
  }

  addWarmedStorage(address: Uint8Array, slot: Uint8Array): void {
    this.#warmSlot(keyOf(address), keyOf(slot));
  }

  /** @returns whether it was warm before */
  accessStorage(address: Uint8Array, slot: Uint8Array): boolean {
    const [key, slotKey] = [keyOf(address), keyOf(slot)];
    if (this.#warm.get(key)?.has(slotKey) || this.#alwaysWarm.get(key)?.has(slotKey)) return true;
    this.#warmSlot(key, slotKey);
    return false;
  }

  #warmSlot(key: string, slotKey: string): void {
    const slots = this.#warmAddress(key);
    if (this.accessList !== undefined) slotsAt(this.accessList, key).add(slotKey);
    if (slots.has(slotKey)) return;
    slots.add(slotKey);
    this.#undo.push(() => slots.delete(slotKey));
  }
}
