import { type Address, parseAddress } from '#consensus/primitives.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import { Fence, LIVE_AFTER_MS } from '#node/consensus/fence.ts';
import { SESSION_SILENCE_MS, Sessions } from '#node/consensus/sessions.ts';
import { Cluster, Member } from '#test/sim/cluster/cluster.ts';
import { genesisDatabase } from '#test/sim/cluster/fakeChain.ts';
import { hashOf, KEYS } from '#test/sim/cluster/samples.ts';
import { signedTwice } from '#test/sim/cluster/signedTwice.ts';

const SET = createValidatorSet(KEYS.map(({ address }) => ({ address, power: 1n })));
const [self, a, b, c] = KEYS.map(({ address }) => address) as [never, never, never, never];
const [first, second] = [hashOf(0x51), hashOf(0x52)];

/** Asked at 0 and again when a live process must have been heard since; what it says the second time. */
const askedTwice = (fence: Fence, validator: never, heardAgoMs: number | null): void => {
  fence.note(validator, heardAgoMs === null ? null : 100, 0);
  fence.note(validator, heardAgoMs, 4_000);
};

test('one validator’s claim that our key is in use neither stops us nor lets us sign past it alone', () => {
  const fence = new Fence(self);
  askedTwice(fence, a, 100);
  expect(fence.verdict(SET)).toBe('wait');
  askedTwice(fence, b, null);
  expect(fence.verdict(SET)).toBe('wait');
  askedTwice(fence, c, null);
  expect(fence.verdict(SET)).toBe('clear');
});

test('more than a third of the power that hears another process after we asked refuses us, whatever others say', () => {
  const fence = new Fence(self);
  askedTwice(fence, a, 100);
  askedTwice(fence, c, null);
  askedTwice(fence, b, 100);
  expect(fence.verdict(SET)).toBe('taken');
});

test('what was heard only before we asked, or a moment after, is waited for and not held against us', () => {
  const fence = new Fence(self);
  for (const validator of [a, b, c]) {
    fence.note(validator, 900, 0);
    fence.note(validator, 1_000, 1_000 + LIVE_AFTER_MS);
  }
  expect(fence.verdict(SET)).toBe('wait');
  for (const validator of [a, b, c]) fence.note(validator, null, 6_000);
  expect(fence.verdict(SET)).toBe('clear');
});

test('who is asked afresh must hear the other process anew: what it heard before is not held against us', () => {
  const fence = new Fence(self);
  for (const validator of [a, b]) askedTwice(fence, validator, 100);
  expect(fence.verdict(SET)).toBe('taken');
  fence.reset();
  expect(fence.verdict(SET)).toBe('clear');
  for (const validator of [a, b]) fence.note(validator, 100, 5_000);
  expect(fence.verdict(SET)).toBe('wait');
});

test('nobody who hears another process means no wait at all; what claims to be ourselves does not count', () => {
  const fence = new Fence(self);
  expect(fence.verdict(SET)).toBe('clear');
  askedTwice(fence, self, 100);
  expect(fence.verdict(SET)).toBe('clear');
});

const at = (validator: Address, peerId = 'original') => ({ validator, peerId });

test('a second session is told of the first until that one falls silent or disconnects', () => {
  const sessions = new Sessions();
  expect(sessions.noteSigning(at(a), first, 0)).toBe(true);
  expect(sessions.ask(at(a), second, 400)).toBe(400);
  expect(sessions.ask(at(a), first, 500)).toBeNull();
  expect(sessions.ask(at(b), second, 500)).toBeNull();
  expect(sessions.ask(at(a), second, 500 + SESSION_SILENCE_MS - 1)).toBe(SESSION_SILENCE_MS - 1);
  expect(sessions.ask(at(a), second, 500 + SESSION_SILENCE_MS)).toBeNull();
  expect(sessions.ask(at(a), first, 500 + SESSION_SILENCE_MS)).toBe(0);
  sessions.forget(at(a));
  expect(sessions.ask(at(a), first, 500 + SESSION_SILENCE_MS)).toBeNull();
});

test('a second process that disconnects does not make the first forgotten', () => {
  const sessions = new Sessions();
  expect(sessions.noteSigning(at(a), first, 0)).toBe(true);
  expect(sessions.ask(at(a, 'copy'), second, 10)).toBe(10);
  sessions.forget(at(a, 'copy'));
  expect(sessions.ask(at(a, 'copy'), second, 20)).toBe(20);
  sessions.forget(at(a));
  expect(sessions.ask(at(a, 'copy'), second, 30)).toBeNull();
});

test('asking does not displace a session that signs, and signing displaces one that only asked', () => {
  const sessions = new Sessions();
  expect(sessions.ask(at(a), second, 0)).toBeNull();
  expect(sessions.noteSigning(at(a), first, 10)).toBe(true);
  expect(sessions.ask(at(a), second, 20)).toBe(10);
  expect(sessions.noteSigning(at(a), second, 30)).toBe(false);
  expect(sessions.ask(at(a), second, 40)).toBe(30);
});

test('more validators than any set has push out the stalest entry only', () => {
  const sessions = new Sessions();
  const addressOf = (index: number) => parseAddress(`0x${index.toString(16).padStart(40, '0')}`);
  for (let index = 0; index <= 1_024; index++) sessions.noteSigning(at(addressOf(index)), first, index);
  expect(sessions.ask(at(addressOf(1)), second, 1_100)).not.toBeNull();
  expect(sessions.ask(at(addressOf(0)), second, 1_100)).toBeNull();
});

/** A second process of the first member: its key, a copy of its folder and chain, other ports. */
const secondOf = (original: Member): Member => {
  const copy = new Member(`${original.name}-copy`, original.key, original.database, {});
  copy.database = { blocks: [...original.database.blocks] };
  copy.disk = original.disk.copy();
  return copy;
};

const sessionOf = (name: string) => hashOf(name.length * 7 + name.charCodeAt(1));

test('26 · a second process with the key and a copy of the folder stops with KEY_IN_USE and has signed nothing', async () => {
  const cluster = new Cluster({ seed: 61, session: sessionOf });
  await cluster.startAll();
  expect(await cluster.until(4n, 60_000)).toBe(true);
  const [original] = cluster.members as [Member];
  const copy = secondOf(original);
  await cluster.start(copy);
  await cluster.clock.advance(20_000, () => copy.halts.length > 0);
  expect(copy.halts).toMatchObject([{ code: 'KEY_IN_USE', message: expect.stringMatching(/stop that one/) }]);
  expect(copy.signed).toBe(0);
  cluster.hub.leave(copy.name);
  const before = original.signed;
  expect(await cluster.until(original.height() + 3n, 60_000)).toBe(true);
  expect(original.signed).toBeGreaterThan(before);
  expect(original.halts).toEqual([]);
  expect(signedTwice(cluster.hub)).toEqual([]);
  await copy.host?.stop();
  await cluster.stopAll();
});

test('26 · a second process with the key and an empty folder is refused as well', async () => {
  const cluster = new Cluster({ seed: 62, session: sessionOf });
  await cluster.startAll();
  expect(await cluster.until(3n, 60_000)).toBe(true);
  const [original] = cluster.members as [Member];
  const genesis = genesisDatabase(cluster.set, original.database.blocks[0]!.timestamp);
  const copy = new Member('v1-copy', original.key, genesis, {});
  await cluster.start(copy);
  await cluster.clock.advance(20_000, () => copy.halts.length > 0);
  expect(copy.halts).toMatchObject([{ code: 'KEY_IN_USE' }]);
  expect(copy.signed).toBe(0);
  await copy.host?.stop();
  await cluster.stopAll();
});

test('a restart after a power cut, with the old connection not yet closed, signs again after the silence', async () => {
  const runs = new Map<string, number>();
  const cluster = new Cluster({
    seed: 63,
    session: (name) => {
      runs.set(name, (runs.get(name) ?? 0) + 1);
      return hashOf(name.charCodeAt(1) + 16 * runs.get(name)!);
    },
  });
  await cluster.startAll();
  expect(await cluster.until(3n, 60_000)).toBe(true);
  const victim = cluster.members[1]!;
  cluster.crash(victim);
  await cluster.start(victim);
  const before = victim.signed;
  await cluster.clock.advance(SESSION_SILENCE_MS + 3_000, () => victim.signed > before);
  expect(victim.signed).toBeGreaterThan(before);
  expect(victim.halts).toEqual([]);
  expect(signedTwice(cluster.hub)).toEqual([]);
  await cluster.stopAll();
});
