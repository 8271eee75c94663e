/**
 * prestateTracer: the accounts and slots that a transaction touches, as they were before it; with `diffMode`, what of
 * them it changed. Which opcodes touch what, and what is left out, follow geth's (eth/tracers/native/prestate.go).
 */
import type { InterpreterStep } from '@ethereumjs/evm';
import { Address as EvmAddress, generateAddress, generateAddress2, setLengthRight } from '@ethereumjs/util';
import { bytesToHex, hexToBytes, toBigEndian } from '#consensus/primitives.ts';
import type { OverlayState } from '#node/execution/overlayState.ts';
import { MAX_JOB_BYTES, tooLarge } from '#node/execution/tracing/jobs.ts';
import type { Tracer } from '#node/execution/tracing/tracer.ts';
import { MAX_INIT_CODE_BYTES } from '#node/execution/transactionChecks.ts';
import { quantityToBytes } from '#node/storage/rlpValues.ts';

export type Prestate = {
  balance: bigint;
  nonce: bigint;
  code: Uint8Array;
  /** By slot, 32 bytes in hex both. */
  readonly storage: Map<string, string>;
  readonly exists: boolean;
};
export type StateDiff = {
  readonly pre: ReadonlyMap<string, Prestate>;
  readonly post: ReadonlyMap<string, Prestate>;
};

const ZERO_WORD = `0x${'00'.repeat(32)}`;
const ACCOUNT_BYTES = 256;
const SLOT_BYTES = 160;
/** BALANCE, EXTCODESIZE, EXTCODECOPY, EXTCODEHASH, SELFDESTRUCT: the address is on top. */
const ADDRESS_ON_TOP = new Set([0x31, 0x3b, 0x3c, 0x3f, 0xff]);
/** CALL, CALLCODE, DELEGATECALL, STATICCALL: below the gas. */
const ADDRESS_SECOND = new Set([0xf1, 0xf2, 0xf4, 0xfa]);
const CREATE = 0xf0;
const CREATE2 = 0xf5;
const SLOAD = 0x54;
const SSTORE = 0x55;

const word = (value: bigint): string => bytesToHex(toBigEndian(value, 32));
const topOf = (stack: readonly bigint[], depth: number): bigint => stack[stack.length - 1 - depth] ?? 0n;
const toAddress = (value: bigint): EvmAddress => new EvmAddress(toBigEndian(value & ((1n << 160n) - 1n), 20));

const readAccount = async (state: OverlayState, address: EvmAddress): Promise<Prestate> => {
  const account = await state.getAccount(address);
  return {
    balance: account?.balance ?? 0n,
    nonce: account?.nonce ?? 0n,
    code: await state.getCode(address),
    storage: new Map(),
    exists: account !== undefined,
  };
};

const readSlot = async (state: OverlayState, address: EvmAddress, slot: string): Promise<string> => {
  const value = await state.getStorage(address, hexToBytes(slot as `0x${string}`));
  return `0x${bytesToHex(value).slice(2).padStart(64, '0')}`;
};

const isSameCode = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Watches a transaction, and afterwards knows what it touched and what it changed. */
export class TouchedState {
  readonly pre = new Map<string, Prestate>();
  #state: OverlayState | null = null;
  #bytes = 0;
  readonly #created = new Set<string>();

  async begin(
    addresses: readonly EvmAddress[],
    created: EvmAddress | null,
    state: OverlayState,
  ): Promise<void> {
    this.#state = state;
    for (const address of addresses) await this.#touch(address);
    if (created !== null) {
      this.#created.add(created.toString());
      await this.#touch(created);
    }
  }

  step(step: InterpreterStep): void | Promise<void> {
    const { opcode, stack, address } = step;
    const { code } = opcode;
    if (code === SLOAD || code === SSTORE) {
      const slot = word(topOf(stack, 0));
      if (this.pre.get(address.toString())?.storage.has(slot) === true) return;
      return this.#touchSlot(address, slot);
    }
    if (ADDRESS_ON_TOP.has(code)) return this.#touchNew(toAddress(topOf(stack, 0)));
    if (ADDRESS_SECOND.has(code)) return this.#touchNew(toAddress(topOf(stack, 1)));
    if (code === CREATE || code === CREATE2) return this.#touchCreated(step);
  }

  async #touchCreated({ opcode, stack, address, memory }: InterpreterStep): Promise<void> {
    if (this.#state === null) return;
    const nonce = (await this.#state.getAccount(address))?.nonce ?? 0n;
    const [offset, length] = [Number(topOf(stack, 1)), Number(topOf(stack, 2))];
    const created = new EvmAddress(
      opcode.code === CREATE
        ? generateAddress(address.bytes, quantityToBytes(nonce))
        : generateAddress2(
            address.bytes,
            toBigEndian(topOf(stack, 3), 32),
            setLengthRight(memory.slice(offset, offset + length), Math.min(length, MAX_INIT_CODE_BYTES)),
          ),
    );
    this.#created.add(created.toString());
    await this.#touch(created);
  }

  #touchNew(address: EvmAddress): void | Promise<void> {
    if (!this.pre.has(address.toString())) return this.#touch(address);
  }

  async #touch(address: EvmAddress): Promise<void> {
    if (this.#state === null || this.pre.has(address.toString())) return;
    const account = await readAccount(this.#state, address);
    this.#charge(ACCOUNT_BYTES + 2 * account.code.length);
    this.pre.set(address.toString(), account);
  }

  async #touchSlot(address: EvmAddress, slot: string): Promise<void> {
    await this.#touch(address);
    if (this.#state === null) return;
    this.#charge(SLOT_BYTES);
    this.pre.get(address.toString())?.storage.set(slot, await readSlot(this.#state, address, slot));
  }

  #charge(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > MAX_JOB_BYTES) throw tooLarge();
  }

  /** What was there before; of what was created nothing. */
  before(): ReadonlyMap<string, Prestate> {
    const kept = [...this.pre].filter(
      ([address, { balance, nonce, code }]) =>
        !(this.#created.has(address) && balance === 0n && nonce === 0n && code.length === 0),
    );
    return new Map(kept);
  }

  /** The same accounts and slots afterwards. */
  async after(state: OverlayState): Promise<StateDiff> {
    const post = new Map<string, Prestate>();
    for (const [key, { storage }] of this.pre) {
      const address = new EvmAddress(hexToBytes(key as `0x${string}`));
      const account = await readAccount(state, address);
      for (const slot of storage.keys()) account.storage.set(slot, await readSlot(state, address, slot));
      post.set(key, account);
    }
    return { pre: this.pre, post };
  }

  isCreated(address: string): boolean {
    return this.#created.has(address);
  }
}

export const listenToState = (touched: TouchedState): Pick<Tracer, 'begin' | 'step'> => ({
  begin: ({ from, to, created, coinbase, authorities }, state) =>
    touched.begin([from, ...(to === null ? [] : [to]), coinbase, ...authorities], created, state),
  step: (step) => touched.step(step),
});

type Config = { readonly withCode: boolean; readonly withStorage: boolean };

const show = (account: Prestate, { withCode, withStorage }: Config): Record<string, unknown> => ({
  balance: `0x${account.balance.toString(16)}`,
  ...(withCode && account.code.length > 0 ? { code: bytesToHex(account.code) } : {}),
  ...(account.nonce > 0n ? { nonce: Number(account.nonce) } : {}),
  ...(withStorage && account.storage.size > 0 ? { storage: Object.fromEntries(account.storage) } : {}),
});

/** The changed fields of an account; null when it is as it was. */
const changesOf = (pre: Prestate, post: Prestate, config: Config) => {
  const before = new Map<string, string>();
  const after = new Map<string, string>();
  if (config.withStorage)
    for (const [slot, value] of pre.storage) {
      const now = post.storage.get(slot) ?? ZERO_WORD;
      if (value === now) continue;
      if (value !== ZERO_WORD) before.set(slot, value);
      if (now !== ZERO_WORD) after.set(slot, now);
    }
  const isChanged = [...pre.storage].some(([slot, value]) => value !== (post.storage.get(slot) ?? ZERO_WORD));
  const changed = {
    ...(pre.balance === post.balance ? {} : { balance: `0x${post.balance.toString(16)}` }),
    ...(pre.nonce === post.nonce ? {} : { nonce: Number(post.nonce) }),
    ...(isSameCode(pre.code, post.code) || !config.withCode ? {} : { code: bytesToHex(post.code) }),
    ...(after.size > 0 ? { storage: Object.fromEntries(after) } : {}),
  };
  if (Object.keys(changed).length === 0 && !(config.withStorage && isChanged)) return null;
  return { pre: { ...pre, storage: before }, post: changed };
};

export const createPrestateTracer = (config: Readonly<Record<string, unknown>>): Tracer => {
  const touched = new TouchedState();
  const shown: Config = {
    withCode: config.disableCode !== true,
    withStorage: config.disableStorage !== true,
  };
  const showAll = (accounts: ReadonlyMap<string, Prestate>) =>
    Object.fromEntries([...accounts].map(([address, account]) => [address, show(account, shown)]));
  return {
    ...listenToState(touched),
    end: async (_outcome, state) => {
      if (config.diffMode !== true) return showAll(touched.before());
      const diff = await touched.after(state);
      const pre = new Map<string, Prestate>();
      const post: Record<string, unknown> = {};
      for (const [address, before] of diff.pre) {
        const changes = changesOf(before, diff.post.get(address)!, shown);
        if (changes === null) continue;
        if (!touched.isCreated(address) || before.exists) pre.set(address, changes.pre);
        post[address] = changes.post;
      }
      return { pre: showAll(pre), post };
    },
  };
};
