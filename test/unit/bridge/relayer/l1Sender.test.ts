import { createL1Sender } from '#bridge/relayer/l1Sender.ts';
import { createRelayerLog } from '#bridge/relayer/records.ts';
import { createSignerAccount } from '#bridge/relayer/signerAccount.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { namedKey } from '#test/contracts/fixtures/keys.ts';
import { ETHER, L1_CHAIN_ID } from '#test/contracts/fixtures/peg.ts';
import { createManualClock } from '#test/unit/bridge/fixtures/clock.ts';
import { createRecordingLogger } from '#test/unit/bridge/fixtures/logger.ts';
import { createFakeJournal, type FakeJournal } from '#test/unit/bridge/fixtures/relayerParts.ts';

const GWEI = 1_000_000_000n;
const CAP = 20n * GWEI;
const BUMP_AFTER_MS = 1_000;
const target = namedKey('somebody').address;
const call = { to: target, data: '0x', gas: 30_000n } as const;
let anvil: Anvil;
let chain: TestChain;
let keyCount = 0;

beforeAll(async () => {
  anvil = await startAnvil(L1_CHAIN_ID);
  chain = connectChain(anvil.url, L1_CHAIN_ID);
  await chain.client.setAutomine(false);
});
afterAll(() => anvil.stop());

const createSender = async (
  key = namedKey(`sender ${keyCount++}`),
  journal: FakeJournal = createFakeJournal(),
) => {
  await chain.fund(key.address, ETHER);
  const clock = createManualClock();
  const logger = createRecordingLogger();
  const log = createRelayerLog(journal);
  const sender = createL1Sender(
    { maxFeePerGasWei: CAP, priorityFeeWei: GWEI, bumpAfterMs: BUMP_AFTER_MS },
    {
      client: chain.client as never,
      chainId: BigInt(L1_CHAIN_ID),
      account: createSignerAccount(key.signer),
      log,
      clock,
      logger,
    },
  );
  return { sender, log, clock, logger, journal, key };
};
const mine = async (baseFeePerGas: bigint, blocks = 1) => {
  for (let count = 0; count < blocks; count++) {
    await chain.client.setNextBlockBaseFeePerGas({ baseFeePerGas });
    await chain.client.mine({ blocks: 1 });
  }
};
const nonceOf = (address: `0x${string}`) => chain.client.getTransactionCount({ address, blockTag: 'latest' });

test('above the cap it waits without a gap and lands when the price falls', async () => {
  const { sender, log, clock, key } = await createSender();
  await mine(50n * GWEI);
  await sender.refresh();
  await sender.send(1n, call);
  for (let turn = 0; turn < 3; turn++) {
    clock.advance(BUMP_AFTER_MS);
    await mine(50n * GWEI);
    expect(await sender.refresh()).toEqual({ nonce: 0, height: 1n });
    await sender.nudge();
  }
  expect(log.memory.l1.get(0)).toHaveLength(1); // at the cap there is nothing to raise
  await mine(5n * GWEI);
  clock.advance(BUMP_AFTER_MS);
  await sender.refresh();
  await sender.nudge();
  await mine(5n * GWEI);
  expect(await nonceOf(key.address)).toBe(1);
  await mine(5n * GWEI, 3);
  expect(await sender.refresh()).toBeNull();
  expect(log.memory.l1.size).toBe(0);
});

test('a stuck one is repriced under the same nonce, each attempt recorded before it leaves', async () => {
  const { sender, log, clock, journal } = await createSender();
  await mine(GWEI);
  await sender.refresh();
  await sender.send(1n, call);
  clock.advance(BUMP_AFTER_MS);
  await sender.refresh();
  await sender.nudge();
  expect(log.memory.l1.get(0)).toHaveLength(2);
  expect(journal.written.filter(({ t }) => t === 'l1Attempt')).toHaveLength(2);
  await mine(GWEI);
  expect(await sender.refresh()).toBeNull();
});

test('a newer checkpoint takes the place of an unmined one', async () => {
  const { sender, key } = await createSender();
  await mine(GWEI);
  await sender.refresh();
  await sender.send(1n, call);
  await sender.refresh();
  await sender.send(2n, call);
  expect(await sender.refresh()).toEqual({ nonce: 0, height: 2n });
  await mine(GWEI, 2);
  expect(await nonceOf(key.address)).toBe(1);
});

test('what lost its purpose and sticks becomes a no-op; what no node knows is forgotten', async () => {
  const { sender, log, clock, key, journal } = await createSender();
  await mine(GWEI);
  await sender.refresh();
  await sender.send(1n, call);
  await sender.refresh();
  await sender.withdraw();
  expect(log.memory.l1.get(0)).toHaveLength(1); // it is given its time first
  clock.advance(BUMP_AFTER_MS);
  await sender.withdraw();
  expect(log.memory.l1.get(0)!.at(-1)!.height).toBeNull();
  const before = await chain.client.getBalance({ address: target });
  await mine(GWEI);
  expect(await nonceOf(key.address)).toBe(1);
  expect(await chain.client.getBalance({ address: target })).toBe(before);

  await sender.refresh();
  await sender.send(2n, call);
  await chain.client.dropTransaction({ hash: log.memory.l1.get(1)!.at(-1)!.hash });
  const restarted = await createSender(key, createFakeJournal(journal.written));
  expect(await restarted.sender.refresh()).toEqual({ nonce: 1, height: 2n });
  await restarted.sender.withdraw();
  expect(await restarted.sender.refresh()).toBeNull();
  await mine(GWEI);
  expect(await nonceOf(key.address)).toBe(1);
});

test('after a restart the same bytes are broadcast again', async () => {
  const first = await createSender();
  await mine(GWEI);
  await first.sender.refresh();
  await first.sender.send(1n, call);
  const { hash } = first.log.memory.l1.get(0)!.at(-1)!;
  await chain.client.dropTransaction({ hash });
  const { sender, log } = await createSender(first.key, createFakeJournal(first.journal.written));
  expect(await sender.refresh()).toEqual({ nonce: 0, height: 1n });
  await sender.nudge();
  await mine(GWEI);
  expect((await chain.client.getTransactionReceipt({ hash })).status).toBe('success');
  expect(log.memory.l1.get(0)).toHaveLength(1);
});

test('a record that cannot be made durable keeps the transaction at home', async () => {
  const { sender, key } = await createSender(undefined, createFakeJournal([], { at: 0, when: 'before' }));
  await mine(GWEI);
  await sender.refresh();
  await expect(sender.send(1n, call)).rejects.toThrow(/crash/);
  expect(await chain.client.getTransactionCount({ address: key.address, blockTag: 'pending' })).toBe(0);
});
