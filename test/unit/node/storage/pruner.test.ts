import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Account, Address } from '@ethereumjs/util';
import { type Hash, toBigEndian } from '#consensus/primitives.ts';
import { OverlayState } from '#node/execution/overlayState.ts';
import { createTrieReader, EMPTY_STATE, readSlot, type StateReader } from '#node/execution/stateReader.ts';
import { computeStateUpdate, stateOperations } from '#node/execution/stateTrie.ts';
import { createStoredNodes, NO_NODES } from '#node/execution/trieNodes.ts';
import { EMPTY_TRIE } from '#node/execution/trieUpdate.ts';
import { type ChainStore, createChainStore } from '#node/storage/chainStore.ts';
import { type BatchOperation, type Database, openDatabase } from '#node/storage/database.ts';
import { createPruner, type Pruner } from '#node/storage/pruner.ts';
import { HEAD_KEY, heightToBytes, NEEDED_FROM_KEY } from '#node/storage/schema.ts';
import { streamOf } from '#test/sim/streams.ts';
import { storedNodes, walkState } from '#test/unit/node/storage/walkState.ts';

const SEED = Number(process.env.PRUNE_SEED ?? 1);
const ROUNDS = Number(process.env.PRUNE_ROUNDS ?? 3);
const HEIGHTS = Number(process.env.PRUNE_HEIGHTS ?? 40);
const REPLAY = `PRUNE_SEED=${SEED} PRUNE_ROUNDS=${ROUNDS} PRUNE_HEIGHTS=${HEIGHTS}`;

/** Few accounts, slots and values, so that what went comes again, byte for byte. */
const ACCOUNTS = 24;
const SLOTS = 12;
type Model = Map<number, { balance: bigint; slots: Map<number, number> }>;

const addressOf = (index: number): Uint8Array => new Uint8Array(20).fill(index + 1);
const slotOf = (index: number): Uint8Array => toBigEndian(BigInt(index), 32);
const copyOf = (model: Model): Model =>
  new Map([...model].map(([index, { balance, slots }]) => [index, { balance, slots: new Map(slots) }]));

const changeModel = (model: Model, random: () => number): void => {
  const below = (count: number): number => Math.floor(random() * count);
  for (let i = below(6); i >= 0; i--) {
    const index = below(ACCOUNTS);
    const account = model.get(index) ?? { balance: 0n, slots: new Map<number, number>() };
    account.balance = BigInt(1 + below(3));
    for (let j = below(8); j > 0; j--) {
      const value = below(3);
      if (value === 0) account.slots.delete(below(SLOTS));
      else account.slots.set(below(SLOTS), value);
    }
    if (account.slots.size === 0 && random() < 0.3) model.delete(index);
    else model.set(index, account);
  }
};

/** From one model to the next, as a block would. */
const overlayOf = async (reader: StateReader, before: Model, after: Model): Promise<OverlayState> => {
  const state = new OverlayState(reader);
  for (const index of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(index), after.get(index)];
    const address = new Address(addressOf(index));
    if (now === undefined) {
      await state.deleteAccount(address);
      continue;
    }
    if (old === undefined) await state.putAccount(address, new Account(0n, now.balance));
    else if (old.balance !== now.balance) await state.modifyAccountFields(address, { balance: now.balance });
    for (const slot of new Set([...(old?.slots.keys() ?? []), ...now.slots.keys()]))
      if (old?.slots.get(slot) !== now.slots.get(slot))
        await state.putStorage(address, slotOf(slot), Uint8Array.of(now.slots.get(slot) ?? 0));
  }
  return state;
};

const fullRoot = async (model: Model): Promise<Hash> => {
  const state = await overlayOf(EMPTY_STATE, new Map(), model);
  return computeStateUpdate(state.changes(), NO_NODES, EMPTY_TRIE.hash).stateRoot;
};

class Crash extends Error {}

/** A database that ends before its nth batch, as a process would that is killed there. */
const failingAt = (database: Database, batches: number): Database => {
  let left = batches;
  return new Proxy(database, {
    get: (target, name) => {
      if (name === 'batch')
        return async (operations: BatchOperation[], options: object = {}) => {
          if (left-- === 0) throw new Crash();
          await target.batch(operations, options);
        };
      const member = Reflect.get(target, name, target) as unknown;
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
};

/** A chain of states alone, over a real database. */
class History {
  readonly models: Model[] = [];
  readonly roots: Hash[] = [];
  readonly #random: () => number;
  readonly database: Database;
  readonly store: ChainStore;

  constructor(database: Database, random: () => number) {
    this.database = database;
    this.store = createChainStore(database);
    this.#random = random;
  }

  get head(): bigint {
    return BigInt(this.models.length - 1);
  }

  /** One batch, as the executor writes it. */
  async grow(): Promise<void> {
    const before = this.models.at(-1) ?? new Map();
    const after = copyOf(before);
    changeModel(after, this.#random);
    const height = this.head + 1n;
    const code: StateReader['code'] = () => new Uint8Array(0);
    const nodes =
      height === 0n
        ? NO_NODES
        : { ...createStoredNodes(this.store), height: this.head, rootId: this.store.stateRoot(this.head) };
    const root = height === 0n ? EMPTY_TRIE.hash : Buffer.from(this.roots.at(-1)!.slice(2), 'hex');
    const reader = height === 0n ? EMPTY_STATE : createTrieReader(this.store, nodes, this.head, code);
    const overlay = await overlayOf(reader, before, after);
    const update = computeStateUpdate(overlay.changes(), nodes, root);
    await this.database.batch([
      ...stateOperations(update),
      { type: 'put', key: HEAD_KEY, value: heightToBytes(height) },
    ]);
    expect(update.stateRoot).toBe(await fullRoot(after));
    this.models.push(after);
    this.roots.push(update.stateRoot);
  }

  /** Every kept state is whole, and says what the model says; every other one says that it is gone. */
  async check(): Promise<Set<number>> {
    const oldest = this.store.oldestState();
    const reached = new Set<number>();
    const nodes = createStoredNodes(this.store);
    const code: StateReader['code'] = () => new Uint8Array(0);
    for (let height = 0n; height <= this.head; height++) {
      if (height < oldest) {
        expect(() => createTrieReader(this.store, nodes, height, code)).toThrow(
          expect.objectContaining({ code: 'STATE_PRUNED' }),
        );
        continue;
      }
      for (const id of walkState(this.store, height, this.roots[Number(height)]!)) reached.add(id);
      const reader = createTrieReader(this.store, nodes, height, code);
      const model = this.models[Number(height)]!;
      for (let index = 0; index < ACCOUNTS; index++) {
        const expected = model.get(index);
        expect(reader.account(addressOf(index))?.balance).toBe(expected?.balance);
        for (let slot = 0; slot < SLOTS; slot++)
          expect([...readSlot(reader, addressOf(index), slotOf(slot))]).toEqual(
            [expected?.slots.get(slot)].filter((value) => value !== undefined),
          );
      }
    }
    return reached;
  }

  /** Nothing but what a kept state reaches is stored. */
  async checkNoLeak(): Promise<void> {
    const reached = await this.check();
    expect([...(await storedNodes(this.database))].sort()).toEqual([...reached].sort());
  }
}

const WINDOW = { stateBlocks: 5n, historyBlocks: 5n };
const needFrom = (database: Database, height: bigint): Promise<void> =>
  database.put(NEEDED_FROM_KEY, heightToBytes(height));
const finish = async (pruner: Pruner): Promise<void> => {
  while ((await pruner.step()).more);
};

let folder: string;
let database: Database;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'causeway-pruner-'));
  database = await openDatabase(folder);
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true, force: true });
});

test('nothing is deleted before the view of the L1 said what it needs', async () => {
  const history = new History(database, streamOf(SEED, 'unknown'));
  for (let i = 0; i < 20; i++) await history.grow();
  const pruner = createPruner(database, WINDOW);
  expect(await pruner.step()).toEqual({ keys: 0, more: false });
  await history.check();
  expect(history.store.oldestState()).toBe(0n);
});

test('a state that the L1 may need stays, however far behind the window it is', async () => {
  const history = new History(database, streamOf(SEED, 'needed'));
  for (let i = 0; i < 20; i++) await history.grow();
  await needFrom(database, 7n);
  await finish(createPruner(database, WINDOW));
  expect(history.store.oldestState()).toBe(7n);
  await history.checkNoLeak();
  await needFrom(database, 18n);
  await finish(createPruner(database, WINDOW));
  expect(history.store.oldestState()).toBe(14n);
  await history.checkNoLeak();
});

test(`kept states are whole, the others are gone without a trace, whatever came again (${REPLAY})`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const random = streamOf(SEED, `history ${round}`);
    await database.clear();
    const history = new History(database, random);
    const pruner = createPruner(database, WINDOW, history.store, 3);
    for (let i = 0; i < HEIGHTS; i++) {
      await history.grow();
      await needFrom(database, history.head);
      if (random() < 0.7) await pruner.afterCommit();
      if (i % 8 === 0) await history.check();
    }
    await finish(pruner);
    expect(history.store.oldestState()).toBe(history.head - WINDOW.stateBlocks);
    await history.checkNoLeak();
  }
});

test(`killed before any of its batches, a pruner leaves kept states whole and its work to the next (${REPLAY})`, async () => {
  const history = new History(database, streamOf(SEED, 'crash'));
  for (let i = 0; i < 14; i++) await history.grow();
  await needFrom(database, 100n);
  for (let crashes = 0; ; crashes++) {
    expect(crashes).toBeLessThan(200);
    const pruner = createPruner(failingAt(database, crashes), WINDOW, history.store, 4);
    try {
      await finish(pruner);
      break;
    } catch (error) {
      expect(error).toBeInstanceOf(Crash);
    }
    await history.check();
    if (crashes % 4 === 3 && crashes < 20) await history.grow();
  }
  await history.checkNoLeak();
});

test('one commit pays for at most two heights, so a backlog shrinks and a commit is never late', async () => {
  const history = new History(database, streamOf(SEED, 'backlog'));
  for (let i = 0; i < 30; i++) await history.grow();
  await needFrom(database, 100n);
  const pruner = createPruner(database, WINDOW);
  expect(pruner.backlog().states).toBe(24n);
  await pruner.afterCommit();
  expect(pruner.backlog().states).toBe(22n);
  expect(history.store.oldestState()).toBe(2n);
  await history.check();
});

test('a read that is under way when its state goes gets an error, not another state', async () => {
  const history = new History(database, streamOf(SEED, 'reading'));
  for (let i = 0; i < 20; i++) await history.grow();
  const code: StateReader['code'] = () => new Uint8Array(0);
  const readers = [0n, 3n, 8n].map((height) =>
    createTrieReader(history.store, createStoredNodes(history.store), height, code),
  );
  await needFrom(database, 100n);
  await finish(createPruner(database, WINDOW));
  let gone = 0;
  for (const [at, reader] of readers.entries())
    for (let index = 0; index < ACCOUNTS; index++) {
      const expected = history.models[[0, 3, 8][at]!]!.get(index)?.balance;
      try {
        expect(reader.account(addressOf(index))?.balance).toBe(expected);
      } catch (error) {
        expect(error).toMatchObject({ code: 'STATE_PRUNED', fatal: false });
        gone++;
      }
    }
  expect(gone).toBeGreaterThan(0);
});
