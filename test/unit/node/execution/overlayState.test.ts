import { Account, Address } from '@ethereumjs/util';
import fc from 'fast-check';
import { OverlayState } from '#node/execution/overlayState.ts';
import { EMPTY_STATE, type StateReader, toKey } from '#node/execution/stateReader.ts';

const at = (index: number): Address => new Address(new Uint8Array(20).fill(index));
const slot = (index: number): Uint8Array => new Uint8Array(32).fill(index);
const value = (index: number): Uint8Array => Uint8Array.of(index);

test('a revert undoes accounts, slots, code and clearing; a commit keeps them', async () => {
  const state = new OverlayState(EMPTY_STATE);
  await state.putAccount(at(1), new Account(1n, 10n));
  await state.putStorage(at(1), slot(1), value(5));
  await state.checkpoint();
  await state.putAccount(at(1), new Account(2n, 20n));
  await state.putCode(at(1), Uint8Array.of(1, 2));
  await state.clearStorage(at(1));
  await state.checkpoint();
  await state.putStorage(at(1), slot(2), value(6));
  await state.commit();
  expect(await state.getStorage(at(1), slot(1))).toHaveLength(0);
  expect(await state.getStorage(at(1), slot(2))).toEqual(value(6));
  await state.revert();
  expect(await state.getAccount(at(1))).toMatchObject({ nonce: 1n, balance: 10n });
  expect(await state.getCode(at(1))).toHaveLength(0);
  expect(await state.getStorage(at(1), slot(1))).toEqual(value(5));
  expect(await state.getStorage(at(1), slot(2))).toHaveLength(0);
});

test('a deleted account hides the storage below it, also when it is created again', async () => {
  const reader: StateReader = {
    ...EMPTY_STATE,
    account: () => ({
      nonce: 1n,
      balance: 1n,
      storageRoot: new Uint8Array(32),
      codeHash: new Account().codeHash,
    }),
    slot: () => value(9),
  };
  const state = new OverlayState(reader);
  expect(await state.getStorage(at(1), slot(1))).toEqual(value(9));
  await state.deleteAccount(at(1));
  await state.putAccount(at(1), new Account(0n, 5n));
  expect(await state.getStorage(at(1), slot(1))).toHaveLength(0);
});

test('the original value of a slot is that at the start of the transaction (EIP-2200)', async () => {
  const state = new OverlayState(EMPTY_STATE);
  await state.putStorage(at(1), slot(1), value(1));
  state.originalStorageCache.clear();
  await state.putStorage(at(1), slot(1), value(2));
  await state.putStorage(at(1), slot(1), value(3));
  expect(await state.originalStorageCache.get(at(1), slot(1))).toEqual(value(1));
  state.originalStorageCache.clear();
  expect(await state.originalStorageCache.get(at(1), slot(1))).toEqual(value(3));
});

test('what it hands out may be changed without changing the state', async () => {
  const state = new OverlayState(EMPTY_STATE);
  await state.putAccount(at(1), new Account(1n, 10n));
  const account = await state.getAccount(at(1));
  account!.balance = 99n;
  expect((await state.getAccount(at(1)))?.balance).toBe(10n);
});

test('agrees with copying everything at each checkpoint (random histories)', async () => {
  const step = fc.record({
    kind: fc.constantFrom('put', 'slot', 'delete', 'clear', 'checkpoint', 'commit', 'revert'),
    address: fc.integer({ min: 1, max: 3 }),
    slot: fc.integer({ min: 1, max: 3 }),
    value: fc.integer({ min: 0, max: 4 }),
  });
  type Model = { accounts: Map<number, bigint>; slots: Map<string, number> };
  const copy = (model: Model): Model => ({ accounts: new Map(model.accounts), slots: new Map(model.slots) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const state = new OverlayState(EMPTY_STATE);
      let model: Model = { accounts: new Map(), slots: new Map() };
      const stack: Model[] = [];
      const clear = (address: number): void => {
        for (const key of model.slots.keys()) if (key.startsWith(`${address}:`)) model.slots.delete(key);
      };
      for (const { kind, address, slot: key, value: number } of steps) {
        if (kind === 'put') {
          await state.putAccount(at(address), new Account(BigInt(number), 1n));
          model.accounts.set(address, BigInt(number));
        } else if (kind === 'slot') {
          await state.putStorage(at(address), slot(key), value(number));
          model.slots.set(`${address}:${key}`, number);
        } else if (kind === 'delete') {
          await state.deleteAccount(at(address));
          model.accounts.delete(address);
          clear(address);
        } else if (kind === 'clear') {
          await state.clearStorage(at(address));
          clear(address);
        } else if (kind === 'checkpoint') {
          await state.checkpoint();
          stack.push(copy(model));
        } else if (stack.length > 0) {
          const before = stack.pop()!;
          if (kind === 'revert') model = before;
          await (kind === 'commit' ? state.commit() : state.revert());
        }
      }
      for (let address = 1; address <= 3; address++) {
        expect((await state.getAccount(at(address)))?.nonce).toBe(model.accounts.get(address));
        for (let key = 1; key <= 3; key++) {
          const expected = model.slots.get(`${address}:${key}`) ?? 0;
          expect(toKey(await state.getStorage(at(address), slot(key)))).toBe(
            expected === 0 ? '' : `0${expected}`,
          );
        }
      }
    }),
    { numRuns: 200 },
  );
});
