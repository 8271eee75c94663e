import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import { buildPayload } from '#node/consensus/payloadBuilder.ts';
import { FakeMempool } from '#test/sim/cluster/cluster.ts';
import { DEPOSITS_HASH, FakeChain, genesisDatabase } from '#test/sim/cluster/fakeChain.ts';
import { FakeL1 } from '#test/sim/cluster/fakeL1.ts';
import { hashOf, KEYS } from '#test/sim/cluster/samples.ts';
import { VirtualClock } from '#test/sim/cluster/virtualClock.ts';

const START_MS = 1_800_000_000_400;
const SET = createValidatorSet(KEYS.map(({ address }) => ({ address, power: 1n })));
const PLAIN = Uint8Array.of(1, 2);
const IMPORT = Uint8Array.of(3, 4);
const OPTIONS = { feeRecipient: KEYS[0]!.address, blockGasLimit: 30_000_000n, importLagMs: 1_000 };

const setUp = ({ imports = true, genesisSeconds = 1_800_000_000n } = {}) => {
  const clock = new VirtualClock(START_MS);
  const mempool = new FakeMempool();
  mempool.submit(PLAIN);
  mempool.importTransaction = IMPORT;
  const l1View = new FakeL1();
  l1View.set({ deposit: [1n, DEPOSITS_HASH] });
  l1View.heldMs = 1_000;
  const chain = new FakeChain(
    genesisDatabase(SET, genesisSeconds),
    SET,
    clock,
    imports ? { importsAt: 1n } : {},
  );
  const build = async (round = 0, allowImport = true) => {
    const built = buildPayload({ head: chain.head(), round, allowImport }, OPTIONS, {
      mempool,
      l1View,
      clock,
      derive: (payload) => chain.derive(payload),
    });
    await clock.advance(10);
    return built;
  };
  return { mempool, l1View, build };
};

test('no import goes in after round 0, while one backs off, or without a ready L1 view', async () => {
  const { build, l1View, mempool } = setUp();
  expect((await build(1)).payload.transactions).toEqual([PLAIN]);
  expect((await build(0, false)).payload.transactions).toEqual([PLAIN]);
  l1View.set({ status: { state: 'connecting', reason: 'down' } });
  expect((await build()).payload.transactions).toEqual([PLAIN]);
  expect(mempool.picks.every(({ allowImport }) => !allowImport)).toBe(true);
});

test('an import that our view holds too briefly, not at all, or differently stays out', async () => {
  const { build, l1View } = setUp();
  l1View.heldMs = 999;
  expect(await build()).toMatchObject({
    withImport: false,
    payload: { transactions: [PLAIN] },
    importLeftOut: { futile: false, hash: keccak256Hex(IMPORT) },
  });
  l1View.heldMs = 1_000;
  l1View.set({ deposit: [1n, hashOf(9)] });
  expect(await build()).toMatchObject({ withImport: false, importLeftOut: { futile: true } });
});

test('an import that changes nothing stays out and is reported as futile', async () => {
  const { build } = setUp({ imports: false });
  expect(await build()).toMatchObject({ withImport: false, importLeftOut: { futile: true } });
});

test('an import that our view has held for the lag goes in first, in round 0', async () => {
  const { build } = setUp();
  expect(await build()).toMatchObject({
    withImport: true,
    payload: { transactions: [IMPORT, PLAIN] },
    importLeftOut: null,
  });
});

test('the gas asked for halves with each round; the timestamp is whole seconds and not before the parent', async () => {
  const { build, mempool } = setUp();
  expect((await build(3)).payload.timestamp).toBe(1_800_000_000n);
  expect(mempool.picks.at(-1)!.maxGas).toBe(3_750_000n);
  const ahead = setUp({ genesisSeconds: 1_800_000_009n });
  expect((await ahead.build(1)).payload.timestamp).toBe(1_800_000_009n);
});
