/**
 * The state that a block or call works on: changes in memory over a reader, with journalled checkpoints.
 *
 * Implements the state manager that the EVM asks for. Owns what changed; does not compute roots (stateTrie.ts) and
 * never writes to disk. Every change pushes its undo, so a checkpoint costs nothing and a revert costs what it undoes.
 */
import type { AccountFields, StateManagerInterface } from '@ethereumjs/common';
import { Account, type Address } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import type { Address as HexAddress } from '#consensus/primitives.ts';
import { hasNoCode, type StateReader, toKey } from '#node/execution/stateReader.ts';
import type { StateAccount } from '#node/storage/codec.ts';
import { trimLeft } from '#node/storage/rlpValues.ts';

export type StorageChange = {
  /** The account was created or destroyed: nothing below shows through. */
  cleared: boolean;
  /** Slot (64 hex digits) to value without leading zeros. */
  slots: Map<string, Uint8Array>;
};

/** Everything that differs from the reader below, by address (40 hex digits). */
export type StateChanges = {
  /** Null: no such account any more. */
  readonly accounts: ReadonlyMap<string, StateAccount | null>;
  readonly storage: ReadonlyMap<string, StorageChange>;
  /** By code hash (64 hex digits); may hold code whose creation was reverted. */
  readonly code: ReadonlyMap<string, Uint8Array>;
};

const NONE = new Uint8Array(0);

const recordToAccount = (record: StateAccount): Account =>
  new Account(record.nonce, record.balance, record.storageRoot, record.codeHash);

export class OverlayState implements StateManagerInterface {
  #reader: StateReader;
  #accounts = new Map<string, StateAccount | null>();
  #storage = new Map<string, StorageChange>();
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
    this.#storage = new Map();
    this.#code = new Map();
    this.#undo = [];
    this.#checkpoints = [];
    this.#original = new Map();
  }

  changes(): StateChanges {
    return { accounts: this.#accounts, storage: this.#storage, code: this.#code };
  }

  // ── accounts ──

  /** @param address 20 bytes */
  async record(address: Uint8Array): Promise<StateAccount | null> {
    const changed = this.#accounts.get(toKey(address));
    return changed === undefined ? await this.#reader.account(address) : changed;
  }

  async getAccount(address: Address): Promise<Account | undefined> {
    const record = await this.record(address.bytes);
    return record === null ? undefined : recordToAccount(record);
  }

  async putAccount(address: Address, account?: Account): Promise<void> {
    this.#setAccount(
      toKey(address.bytes),
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

  /** @param record null: no such account */
  setRecord(address: HexAddress, record: StateAccount | null): void {
    this.#setAccount(address.slice(2), record);
  }

  #setAccount(address: string, record: StateAccount | null): void {
    const before = this.#accounts.get(address);
    this.#accounts.set(address, record);
    this.#remember(() => {
      if (before === undefined) this.#accounts.delete(address);
      else this.#accounts.set(address, before);
    });
  }

  async deleteAccount(address: Address): Promise<void> {
    this.#setAccount(toKey(address.bytes), null);
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
    const record = await this.record(address.bytes);
    if (record === null || hasNoCode(record)) return NONE;
    return this.#code.get(toKey(record.codeHash)) ?? (await this.#reader.code(record.codeHash));
  }

  async getCodeSize(address: Address): Promise<number> {
    return (await this.getCode(address)).length;
  }

  // ── storage ──

  async getStorage(address: Address, slot: Uint8Array): Promise<Uint8Array> {
    const change = this.#storage.get(toKey(address.bytes));
    const changed = change?.slots.get(toKey(slot));
    if (changed !== undefined) return changed;
    return change?.cleared ? NONE : await this.#reader.slot(address.bytes, slot);
  }

  async putStorage(address: Address, slot: Uint8Array, value: Uint8Array): Promise<void> {
    const owner = toKey(address.bytes);
    const key = toKey(slot);
    const original = owner + key;
    if (!this.#original.has(original)) this.#original.set(original, await this.getStorage(address, slot));
    let change = this.#storage.get(owner);
    if (change === undefined) {
      change = { cleared: false, slots: new Map() };
      this.#storage.set(owner, change);
    }
    const { slots } = change;
    const before = slots.get(key);
    slots.set(key, trimLeft(value).slice());
    this.#remember(() => {
      if (before === undefined) slots.delete(key);
      else slots.set(key, before);
    });
  }

  async clearStorage(address: Address): Promise<void> {
    const owner = toKey(address.bytes);
    const before = this.#storage.get(owner);
    if (before === undefined && (await this.#reader.account(address.bytes)) === null) return;
    this.#storage.set(owner, { cleared: true, slots: new Map() });
    this.#remember(() => {
      if (before === undefined) this.#storage.delete(owner);
      else this.#storage.set(owner, before);
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
