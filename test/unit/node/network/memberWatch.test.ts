import type { SlotReader } from '#bridge/encoding/storageWords.ts';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { type Address, bytesToAddress, type Hash, toBigEndian, ZERO_HASH } from '#consensus/primitives.ts';
import { createValidatorSet, type Validator, type ValidatorSet } from '#consensus/validatorSet.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import { type ValidatorList, validatorListEntries } from '#genesis/validatorSetSlots.ts';
import { type MemberWatchDependencies, watchMembers } from '#node/network/memberWatch.ts';
import { createCapturedLogger } from './networkFixture.ts';

const EPOCH = 10n;
const member = (i: number): Validator => ({ address: bytesToAddress(toBigEndian(BigInt(i), 20)), power: 5n });
const [a, b, c, d] = [1, 2, 3, 4].map(member) as [Validator, Validator, Validator, Validator];

/** The parts of a chain that the watch reads: heads, the predeploy's words, and the sets of the past. */
const createChain = (first: readonly Validator[]) => {
  const words = new Map<Hash, Hash>();
  const pastSets = new Map<bigint, ValidatorSet>();
  const listeners = new Set<() => void>();
  let height = 0n;
  let next = createValidatorSet(first);
  let unreadable = false;
  const asked: bigint[] = [];
  const setList = (list: ValidatorList, validators: readonly Validator[]): void => {
    for (const [slot, word] of validatorListEntries(list, validators, 8)) words.set(slot, word);
  };
  const read: SlotReader = async (slot) => words.get(slot) ?? ZERO_HASH;
  setList('active', first);
  setList('pending', first);
  const chain = {
    head: () => ({
      block: { height, hash: keccak256Hex(toBigEndian(height, 8)) },
      nextValidators: next,
    }),
    validatorsAt: async (at: bigint) => {
      asked.push(at);
      return pastSets.get(at) ?? null;
    },
    storageAt: async (address: Address, slot: Hash) => {
      if (unreadable) throw new Error('the disk is gone');
      return address === PREDEPLOYS.validatorSet ? read(slot) : ZERO_HASH;
    },
    onCommitted: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  } as unknown as MemberWatchDependencies['chain'];
  return {
    chain,
    setList,
    asked,
    listeners,
    fail: () => {
      unreadable = true;
    },
    commit(at: bigint, validators: readonly Validator[]) {
      for (let past = height + 1n; past <= at; past++) pastSets.set(past, next);
      height = at;
      next = createValidatorSet(validators);
      for (const listener of listeners) listener();
    },
  };
};

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const powers = (members: ReadonlyMap<Address, bigint>): Record<string, bigint> => Object.fromEntries(members);

test('when the state cannot be read the last view stands, and who votes next is known all the same', async () => {
  const { chain, commit, fail } = createChain([a, b]);
  const watch = watchMembers(EPOCH, { chain, logger: createCapturedLogger() });
  await watch.ready;
  fail();
  commit(1n, [a, b, c]);
  await settled();
  expect([...watch.members().keys()]).toEqual(expect.arrayContaining([a.address, b.address, c.address]));
});

test('who votes is known before anything was read', () => {
  const { chain } = createChain([a, b]);
  const watch = watchMembers(EPOCH, { chain, logger: createCapturedLogger() });
  expect(powers(watch.members())).toEqual({ [a.address]: 5n, [b.address]: 5n });
});

test('who is pending or was approved is a member without a vote', async () => {
  const { chain, setList } = createChain([a, b]);
  setList('pending', [a, b, c]);
  setList('approved', [d]);
  const watch = watchMembers(EPOCH, { chain, logger: createCapturedLogger() });
  await watch.ready;
  expect(powers(watch.members())).toEqual({
    [a.address]: 5n,
    [b.address]: 5n,
    [c.address]: 0n,
    [d.address]: 0n,
  });
});

test('a block makes a key a member as soon as it is committed', async () => {
  const { chain, setList, commit } = createChain([a, b]);
  const watch = watchMembers(EPOCH, { chain, logger: createCapturedLogger() });
  await watch.ready;
  expect(watch.members().has(c.address)).toBe(false);
  setList('approved', [d]);
  commit(1n, [a, b, c]);
  expect(watch.members().has(c.address)).toBe(true);
  await settled();
  expect(powers(watch.members())).toEqual({
    [a.address]: 5n,
    [b.address]: 5n,
    [c.address]: 5n,
    [d.address]: 0n,
  });
});

test('who left the set stays for one epoch, without a vote, and not longer', async () => {
  const { chain, setList, commit, asked } = createChain([a, b, c]);
  const watch = watchMembers(EPOCH, { chain, logger: createCapturedLogger() });
  await watch.ready;
  setList('active', [a, b]);
  setList('pending', [a, b]);
  commit(EPOCH, [a, b]);
  await settled();
  expect(watch.members().get(c.address)).toBe(0n);
  commit(2n * EPOCH, [a, b]);
  await settled();
  expect(asked.at(-1)).toBe(EPOCH);
  expect(watch.members().get(c.address)).toBe(0n);
  commit(2n * EPOCH + 1n, [a, b]);
  await settled();
  expect(powers(watch.members())).toEqual({ [a.address]: 5n, [b.address]: 5n });
});

test('a stopped watch listens to nothing', async () => {
  const { chain, listeners } = createChain([a, b]);
  const watch = watchMembers(EPOCH, { chain, logger: createCapturedLogger() });
  await watch.ready;
  watch.stop();
  expect(listeners.size).toBe(0);
});
