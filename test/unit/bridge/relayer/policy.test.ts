import { GATEWAY_SLOTS } from '#bridge/encoding/gatewaySlots.ts';
import { uintToWord } from '#bridge/encoding/storageWords.ts';
import { isAnchorHeight, judgeCheckpoint, type PolicyOptions } from '#bridge/relayer/policy.ts';
import type { OwnBlock } from '#bridge/relayer/ports.ts';
import { checkpointToValueId } from '#consensus/digests.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { Checkpoint } from '#consensus/types.ts';

const word = (byte: string): Hash => `0x${byte.repeat(32)}` as Hash;
const ETHER = 10n ** 18n;
const BACKED = 100n * ETHER;
const PREFUND = 1n << 128n;
const IMPORTED = 3n;
const DEPOSITED = 5n * ETHER;
const BURNED = 2n * ETHER;
const HASH = word('a1');
const ROOT = word('b2');

const storage: Record<string, Hash> = {
  [uintToWord(GATEWAY_SLOTS.counters)]: uintToWord(IMPORTED | (1n << 64n) | (1n << 128n)),
  [uintToWord(GATEWAY_SLOTS.importedHash)]: HASH,
  [uintToWord(GATEWAY_SLOTS.outboxRoot)]: ROOT,
  [uintToWord(GATEWAY_SLOTS.mintedWei)]: uintToWord(BACKED + DEPOSITED),
  [uintToWord(GATEWAY_SLOTS.burnedWei)]: uintToWord(BURNED),
};
const HELD = PREFUND - DEPOSITED + BURNED;

const blockWith = (fields: Partial<Checkpoint> = {}, over: Partial<OwnBlock> = {}): OwnBlock => {
  const checkpoint: Checkpoint = {
    height: 10n,
    blockHash: word('01'),
    stateRoot: word('02'),
    outboxRoot: ROOT,
    outboxCount: 1n,
    importedCount: IMPORTED,
    importedHash: HASH,
    nextValidatorsHash: word('03'),
    ...fields,
  };
  return {
    height: checkpoint.height,
    hash: checkpoint.blockHash,
    parentHash: word('00'),
    stateRoot: checkpoint.stateRoot,
    timestamp: 1_000n,
    checkpoint,
    valueId: checkpointToValueId(checkpoint),
    certificate: null,
    ...over,
  };
};

const optionsWith = (changes: {
  slots?: Record<string, Hash>;
  balance?: bigint;
  folded?: Hash | null;
  depositedWei?: bigint;
  l1?: 'ready' | 'connecting';
}): PolicyOptions => ({
  backedWei: BACKED,
  gatewayPrefundWei: PREFUND,
  chain: {
    storageAt: async (_, slot) => ({ ...storage, ...changes.slots })[slot] ?? word('00'),
    account: async () => ({ nonce: 1n, balance: changes.balance ?? HELD }),
  },
  l1: {
    status: () => (changes.l1 === 'connecting' ? { state: 'connecting', reason: '' } : { state: 'ready' }),
    depositHashAt: () => (changes.folded === undefined ? HASH : changes.folded),
    depositedWeiAt: () => (changes.folded === null ? null : (changes.depositedWei ?? DEPOSITED)),
  },
});
const judge = (changes: Parameters<typeof optionsWith>[0] = {}, block = blockWith()) =>
  judgeCheckpoint(optionsWith(changes), block);

test('an own block whose imports and coin are all accounted for is signed', async () => {
  expect(await judge()).toEqual({ kind: 'sign' });
});

test('an L1 view that lags means wait, never refuse', async () => {
  expect((await judge({ folded: null })).kind).toBe('wait');
  expect((await judge({ l1: 'connecting' })).kind).toBe('wait');
});

const slotOf = (name: keyof typeof GATEWAY_SLOTS) => uintToWord(GATEWAY_SLOTS[name]);
test.each<[string, Parameters<typeof optionsWith>[0]]>([
  ['a deposit that is not on the own L1', { folded: word('ff') }],
  [
    'a wei minted beyond the deposits',
    { slots: { [slotOf('mintedWei')]: uintToWord(BACKED + DEPOSITED + 1n) } },
  ],
  ['a deposit not minted', { slots: { [slotOf('mintedWei')]: uintToWord(BACKED + DEPOSITED - 1n) } }],
  ['more burned than minted', { slots: { [slotOf('burnedWei')]: uintToWord(BACKED + DEPOSITED + 1n) } }],
  ['a wei outside the gateway without an import', { balance: HELD - 1n }],
  [
    'another imported count in the gateway',
    { slots: { [slotOf('counters')]: uintToWord(4n | (1n << 64n)) } },
  ],
  ['another outbox count in the gateway', { slots: { [slotOf('counters')]: uintToWord(IMPORTED) } }],
  ['another outbox root in the gateway', { slots: { [slotOf('outboxRoot')]: word('ee') } }],
  ['another imported hash in the gateway', { slots: { [slotOf('importedHash')]: word('ee') } }],
])('refuses %s', async (_, changes) => {
  expect((await judge(changes)).kind).toBe('refuse');
});

test.each<[string, Partial<OwnBlock>]>([
  ['block hash', { hash: word('99') }],
  ['state root', { stateRoot: word('99') }],
  ['height', { height: 11n }],
  ['valueId', { valueId: word('99') }],
])('refuses a checkpoint with another %s than the block executed here', async (_, over) => {
  expect((await judge({}, blockWith({}, over))).kind).toBe('refuse');
});

test('coin forced into the gateway and parked credits are no reason to refuse', async () => {
  expect((await judge({ balance: HELD + 7n })).kind).toBe('sign');
});

test('anchored are heights with new burns, each epoch’s last block, and the first block of a half day', () => {
  const parent = blockWith({ height: 9n });
  const at = (fields: Partial<Checkpoint>, timestamp = 1_000n) =>
    isAnchorHeight(blockWith(fields, { timestamp }), parent, 20n);
  expect(at({ height: 10n })).toBe(false);
  expect(at({ height: 10n, outboxCount: 2n })).toBe(true);
  expect(at({ height: 20n })).toBe(true);
  expect(at({ height: 10n }, 43_200n)).toBe(true);
});
