/**
 * The state that a block or call works on: changes in memory over a reader, with journalled checkpoints.
 *
 * Implements the state manager that the EVM asks for. Owns what was read and what changed; does not compute roots
 * (stateTrie.ts) and never writes to disk. Every change pushes its undo, so a checkpoint costs nothing and a revert
 * costs what it undoes. What lies below is read once, and remembered until `reset`.
 */
import type { AccountFields, StateManagerInterface } from '@ethereumjs/common';
import { Account, type Address } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { type Address as HexAddress, hexToBytes } from '#consensus/primitives.ts';
import { hasNoCode, type StateReader, toKey } from '#node/execution/stateReader.ts';
import type { StateAccount } from '#node/storage/codec.ts';
import { trimLeft } from '#node/storage/rlpValues.ts';

/** What is known of an account: how it was and how it is. */
export type TouchedAccount = {
  /** keccak of the address. */
  readonly hashedAddress: Uint8Array;
  /** Null: there was none. */
  readonly before: StateAccount | null;
  /** Null: there is none, or none any more. */
  now: StateAccount | null;
  isWritten: boolean;
  /** It was created or destroyed: none of the slots below shows through. */
  isCleared: boolean;
  /** Written slots (64 hex digits) to values without leading zeros. */
  slots: Map<string, Uint8Array>;
  /** Slots below, as they were read. */
  slotsBelow: Map<string, Uint8Array>;
};

export type StateChanges = {
  /** Some of them read only. */
  readonly accounts: Iterable<TouchedAccount>;
  /** By code hash (64 hex digits); may hold code whose creation was reverted. */
  readonly code: ReadonlyMap<string, Uint8Array>;
};

const NONE = new Uint8Array(0);
/** Of most accounts, which have none: never written to. */
const NO_SLOTS = new Map<string, Uint8Array>();

const recordToAccount = (record: StateAccount): Account =>
  new Account(record.nonce, record.balance, record.storageRoot, record.codeHash);

export class OverlayState implements StateManagerInterface {
  #reader: StateReader;
  #accounts = new Map<string, TouchedAccount>();
  #code = new Map<string, Uint8Array>();
  #undo: (() => void)[] = [];
  #checkpoints: number[] = [];
  /** Slot values at the start of the transaction, of the slots that it changed (EIP-2200). */
  #original = new Map<string, Uint8Array>();

  constructor(reader: StateReader) {
    this.#reader = reader;
  }

  /** Forgets every change and reads from `reader` from now on. */
  reset(reader: StateReader): void {
    this.#reader = reader;
    this.#accounts = new Map();
    this.#code = new Map();
    this.#undo = [];
    this.#checkpoints = [];
    this.#original = new Map();
  }

  changes(): StateChanges {
    return { accounts: this.#accounts.values(), code: this.#code };
  }

  // ── accounts ──

  #touch(address: Uint8Array): TouchedAccount {
    const key = `0x${toKey(address)}`;
    return this.#accounts.get(key) ?? this.#read(key, address);
  }

  #touchAt(address: HexAddress): TouchedAccount {
    return this.#accounts.get(address) ?? this.#read(address, hexToBytes(address));
  }

  #read(key: string, address: Uint8Array): TouchedAccount {
    const hashedAddress = keccak256(address);
    const before = this.#reader.account(address, hashedAddress);
    const touched: TouchedAccount = {
      hashedAddress,
      before,
      now: before,
      isWritten: false,
      isCleared: false,
      slots: NO_SLOTS,
      slotsBelow: NO_SLOTS,
    };
    this.#accounts.set(key, touched);
    return touched;
  }

  touchedAt(address: HexAddress): Readonly<TouchedAccount> {
    return this.#touchAt(address);
  }

  recordAt(address: HexAddress): StateAccount | null {
    return this.#touchAt(address).now;
  }

  /** @param record null: no such account */
  setRecord(address: HexAddress, record: StateAccount | null): void {
    this.#write(this.#touchAt(address), record);
  }

  /** @param address 20 bytes */
  record(address: Uint8Array): StateAccount | null {
    return this.#touch(address).now;
  }

  async getAccount(address: Address): Promise<Account | undefined> {
    const record = this.record(address.bytes);
    return record === null ? undefined : recordToAccount(record);
  }

  async putAccount(address: Address, account?: Account): Promise<void> {
    this.#write(
      this.#touch(address.bytes),
      account === undefined
        ? null
        : {
            nonce: account.nonce,
            balance: account.balance,
            storageRoot: account.storageRoot,
            codeHash: account.codeHash,
          },
    );
  }

  #write(touched: TouchedAccount, record: StateAccount | null): void {
    const { now, isWritten } = touched;
    touched.now = record;
    touched.isWritten = true;
    this.#remember(() => {
      touched.now = now;
      touched.isWritten = isWritten;
    });
  }

  async deleteAccount(address: Address): Promise<void> {
    this.#write(this.#touch(address.bytes), null);
    await this.clearStorage(address);
  }

  async modifyAccountFields(address: Address, fields: AccountFields): Promise<void> {
    const account = (await this.getAccount(address)) ?? new Account();
    if (fields.nonce !== undefined) account.nonce = fields.nonce ?? 0n;
    if (fields.balance !== undefined) account.balance = fields.balance ?? 0n;
    if (fields.storageRoot) account.storageRoot = fields.storageRoot;
    if (fields.codeHash) account.codeHash = fields.codeHash;
    await this.putAccount(address, account);
  }

  // ── code ──

  async putCode(address: Address, code: Uint8Array): Promise<void> {
    const codeHash = keccak256(code);
    if (code.length > 0) this.#code.set(toKey(codeHash), code);
    await this.modifyAccountFields(address, { codeHash });
  }

  async getCode(address: Address): Promise<Uint8Array> {
    const record = this.record(address.bytes);
    if (record === null || hasNoCode(record)) return NONE;
    return this.#code.get(toKey(record.codeHash)) ?? this.#reader.code(record.codeHash);
  }

  async getCodeSize(address: Address): Promise<number> {
    return (await this.getCode(address)).length;
  }

  // ── storage ──

  async getStorage(address: Address, slot: Uint8Array): Promise<Uint8Array> {
    return this.#slot(this.#touch(address.bytes), slot, toKey(slot));
  }

  #slot(touched: TouchedAccount, slot: Uint8Array, key: string): Uint8Array {
    const { before } = touched;
    const written = touched.slots.get(key);
    if (written !== undefined) return written;
    if (touched.isCleared || before === null) return NONE;
    const known = touched.slotsBelow.get(key);
    if (known !== undefined) return known;
    const read = this.#reader.slot(before, slot);
    if (touched.slotsBelow === NO_SLOTS) touched.slotsBelow = new Map();
    touched.slotsBelow.set(key, read);
    return read;
  }

  async putStorage(address: Address, slot: Uint8Array, value: Uint8Array): Promise<void> {
    const touched = this.#touch(address.bytes);
    const key = toKey(slot);
    const original = toKey(address.bytes) + key;
    if (!this.#original.has(original)) this.#original.set(original, this.#slot(touched, slot, key));
    if (touched.slots === NO_SLOTS) touched.slots = new Map();
    const { slots } = touched;
    const before = slots.get(key);
    slots.set(key, trimLeft(value).slice());
    this.#remember(() => {
      if (before === undefined) slots.delete(key);
      else slots.set(key, before);
    });
  }

  async clearStorage(address: Address): Promise<void> {
    const touched = this.#touch(address.bytes);
    const { isCleared, slots } = touched;
    touched.isCleared = true;
    touched.slots = NO_SLOTS;
    this.#remember(() => {
      touched.isCleared = isCleared;
      touched.slots = slots;
    });
  }

  originalStorageCache = {
    get: async (address: Address, slot: Uint8Array): Promise<Uint8Array> =>
      this.#original.get(toKey(address.bytes) + toKey(slot)) ?? (await this.getStorage(address, slot)),
    clear: (): void => {
      if (this.#original.size > 0) this.#original = new Map();
    },
  };

  // ── checkpoints ──

  /** Outside of checkpoints nothing can be reverted. */
  #remember(undo: () => void): void {
    if (this.#checkpoints.length > 0) this.#undo.push(undo);
  }

  async checkpoint(): Promise<void> {
    this.#checkpoints.push(this.#undo.length);
  }

  async commit(): Promise<void> {
    if (this.#checkpoints.pop() === undefined) throw new Error('expected a checkpoint to commit, found none');
    if (this.#checkpoints.length === 0) this.#undo = [];
  }

  async revert(): Promise<void> {
    const start = this.#checkpoints.pop();
    if (start === undefined) throw new Error('expected a checkpoint to revert to, found none');
    while (this.#undo.length > start) this.#undo.pop()!();
  }

  // ── what the EVM may ask for and we answer elsewhere ──

  async getStateRoot(): Promise<Uint8Array> {
    throw new Error('the overlay has no root: stateTrie.ts computes it once a block');
  }

  async setStateRoot(): Promise<void> {
    throw new Error('the overlay has no root to set');
  }

  async hasStateRoot(): Promise<boolean> {
    return false;
  }

  clearCaches(): void {}

  shallowCopy(): StateManagerInterface {
    return new OverlayState(this.#reader);
  }
}
