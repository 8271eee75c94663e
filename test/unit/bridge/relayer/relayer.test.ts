import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { pegGatewayAbi, pegVaultAbi, pegVerifierAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { verifyDeployment } from '#bridge/deployment/verifyDeployment.ts';
import { createL1Watcher, type L1Watcher } from '#bridge/l1/watcher.ts';
import type { RelayerEntry } from '#bridge/relayer/records.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { type NamedKey, namedKey } from '#test/contracts/fixtures/keys.ts';
import { createPeg, deployOn, ETHER, L1_CHAIN_ID, SIDECHAIN_ID } from '#test/contracts/fixtures/peg.ts';
import { createManualClock, type ManualClock } from '#test/unit/bridge/fixtures/clock.ts';
import { createRecordingLogger, type RecordingLogger } from '#test/unit/bridge/fixtures/logger.ts';
import {
  BUMP_AFTER_MS,
  type Crash,
  createFakeJournal,
  createRelayerParts,
  type FakeJournal,
  type RelayerParts,
  share,
  TURN_MS,
} from '#test/unit/bridge/fixtures/relayerParts.ts';
import { createFakeSidechain, type FakeSidechain } from '#test/unit/bridge/fixtures/sidechain.ts';

const EPOCH_LENGTH = 1_000_000n;
const peg = createPeg({ epochLength: EPOCH_LENGTH });
const user = namedKey('user');
let l1Anvil: Anvil;
let sidechainAnvil: Anvil;
let l1Chain: TestChain;
let sidechain: FakeSidechain;
let sidechainClient: TestChain['client'];
let l1: L1Watcher;
let clock: ManualClock;
let logger: RecordingLogger;

const vault = { address: peg.manifest.addresses.vault, abi: pegVaultAbi } as const;
const verifier = { address: peg.manifest.addresses.verifier, abi: pegVerifierAbi } as const;

const deposit = () =>
  l1Chain.send(user, { ...vault, functionName: 'deposit', args: [user.address], value: ETHER });
const finalise = async () => {
  await l1Chain.client.mine({ blocks: 3 });
  await l1.poll();
};
const importedCount = async (): Promise<bigint> => sidechain.head().checkpoint.importedCount;
const latestHeight = () => l1Chain.client.readContract({ ...verifier, functionName: 'latestHeight' });
const acceptedEvents = async (height: bigint) =>
  (
    await l1Chain.client.getContractEvents({ ...verifier, eventName: 'CheckpointAccepted', fromBlock: 0n })
  ).filter(({ args }) => args.height === height).length;
const importedEvents = async (nonce: bigint) =>
  (
    await sidechainClient.getContractEvents({
      address: PEG_GATEWAY,
      abi: pegGatewayAbi,
      eventName: 'Imported',
      fromBlock: 0n,
    })
  ).filter(({ args }) => args.nonce === nonce).length;

const relayer = (key: NamedKey, journal?: FakeJournal): RelayerParts =>
  createRelayerParts(peg, key, { chain: sidechain, l1, l1Chain, clock, logger }, journal);
/** Whose turn comes first under this key. */
const firstInTurn = (key: bigint): NamedKey => {
  const count = BigInt(peg.relayers.length);
  return peg.relayers[Number((count - (key % count)) % count)]!;
};
const attestDeposits = async (...parts: RelayerParts[]) => {
  for (const part of parts) await part.deposits.run();
  for (const from of parts) for (const to of parts) share(from.pools.deposits, to.pools.deposits);
};
const attestAnchors = async (...parts: RelayerParts[]) => {
  for (const part of parts) await part.anchors.run();
  for (const from of parts) for (const to of parts) share(from.pools.anchors, to.pools.anchors);
};
const burn = async () => {
  await sidechain.withdraw(user, user.address, ETHER / 100n);
  return sidechain.commit();
};

beforeAll(async () => {
  [l1Anvil, sidechainAnvil] = await Promise.all([startAnvil(L1_CHAIN_ID), startAnvil(SIDECHAIN_ID)]);
  l1Chain = connectChain(l1Anvil.url, L1_CHAIN_ID);
  const sidechainChain = connectChain(sidechainAnvil.url, SIDECHAIN_ID);
  sidechainClient = sidechainChain.client;
  await l1Chain.fund(user.address, 1_000n * ETHER);
  await sidechainChain.fund(user.address, 1_000n * ETHER);
  for (const { address } of peg.relayers) await l1Chain.fund(address, 10n * ETHER);
  await deployOn(l1Chain, peg);
  sidechain = await createFakeSidechain(sidechainChain, peg);
  await sidechain.commit();
});
beforeEach(async () => {
  clock = createManualClock();
  logger = createRecordingLogger();
  sidechain.refusal = null;
  sidechain.forgery = (checkpoint) => checkpoint;
  l1 = createL1Watcher({
    urls: [l1Anvil.url],
    chainId: BigInt(L1_CHAIN_ID),
    sidechainId: BigInt(SIDECHAIN_ID),
    addresses: peg.manifest.addresses,
    verify: ({ number }) =>
      verifyDeployment({
        publicClient: l1Chain.client,
        manifest: peg.manifest,
        mode: 'joining',
        atBlock: number,
      }),
    pollMs: 500,
    clock,
    logger,
  });
  await finalise();
});
afterAll(async () => {
  await Promise.all([l1Anvil.stop(), sidechainAnvil.stop()]);
});

describe('deposits', () => {
  test('attested by one of three relayers, nothing is submitted', async () => {
    await deposit();
    await finalise();
    const alone = relayer(firstInTurn(await importedCount()));
    const before = sidechain.submitted.length;
    await alone.deposits.run();
    expect(await alone.imports.run()).toBeNull();
    clock.advance(100 * TURN_MS);
    expect(await alone.imports.run()).toBeNull();
    expect(sidechain.submitted).toHaveLength(before);
  });

  test('attested by the threshold, one import brings them over, once', async () => {
    await deposit();
    await finalise();
    const first = await importedCount();
    const [a, b] = [firstInTurn(first), peg.relayers.find((key) => key !== firstInTurn(first))!].map((key) =>
      relayer(key),
    ) as [RelayerParts, RelayerParts];
    await attestDeposits(a, b);
    const before = sidechain.submitted.length;
    await a.imports.run();
    await b.imports.run(); // not its turn
    await a.imports.run(); // nothing new to say
    expect(sidechain.submitted).toHaveLength(before + 1);
    await sidechain.commit();
    expect(await importedCount()).toBe(l1.finalized()!.depositCount);
    clock.advance(100 * TURN_MS);
    for (const part of [a, b]) {
      await part.deposits.run();
      await part.imports.run();
    }
    expect(sidechain.submitted).toHaveLength(before + 1);
    expect(await importedEvents(first)).toBe(1);
    expect(a.log.memory.importIntent).toBeNull();
  });

  test('before L1 finality nothing is signed', async () => {
    await deposit();
    await l1.poll();
    const part = relayer(peg.relayers[0]!);
    await part.deposits.run();
    expect(part.pools.deposits.all()).toEqual([]);
  });

  test('the first in turn is down: another one submits in its turn', async () => {
    await deposit();
    await finalise();
    const first = await importedCount();
    const alive = peg.relayers.filter((key) => key !== firstInTurn(first)).map((key) => relayer(key));
    await attestDeposits(...alive);
    const before = sidechain.submitted.length;
    for (const part of alive) expect(await part.imports.run()).toBeGreaterThan(0);
    expect(sidechain.submitted).toHaveLength(before);
    clock.advance(2 * TURN_MS);
    for (const part of alive) await part.imports.run();
    await sidechain.commit();
    expect(await importedCount()).toBe(l1.finalized()!.depositCount);
    expect(await importedEvents(first)).toBe(1);
  });

  test('relayers that race cause one effect', async () => {
    await deposit();
    await finalise();
    const first = await importedCount();
    const parts = peg.relayers.map((key) => relayer(key));
    await attestDeposits(...parts);
    for (const part of parts) await part.imports.run();
    clock.advance(3 * TURN_MS);
    for (const part of parts) await part.imports.run();
    await sidechain.commit();
    await sidechain.commit();
    expect(await importedCount()).toBe(first + 1n);
    expect(await importedEvents(first)).toBe(1);
  });

  test('views that differ in age meet: an older count is signed when another relayer asks for it', async () => {
    await deposit();
    await finalise();
    const [behind, ahead] = [relayer(peg.relayers[0]!), relayer(peg.relayers[1]!)];
    await behind.deposits.run();
    const older = l1.finalized()!.depositCount;
    await deposit();
    await finalise();
    await ahead.deposits.run();
    expect(ahead.pools.deposits.get(older)).toBeNull();
    share(behind.pools.deposits, ahead.pools.deposits);
    await ahead.deposits.run();
    expect([...ahead.pools.deposits.get(older)!.signatures.keys()]).toContain(peg.relayers[1]!.address);
    const parts = [relayer(firstInTurn(await importedCount())), ahead, behind];
    await attestDeposits(...parts);
    await parts[0]!.imports.run();
    await sidechain.commit();
    expect(await importedCount()).toBe(l1.finalized()!.depositCount);
  });

  test('a forged count or hash from a peer never enters', async () => {
    const part = relayer(peg.relayers[0]!);
    await part.deposits.run();
    const entries = part.pools.deposits.all().length;
    expect(part.pools.deposits.add(999n, peg.relayers[1]!.sign(`0x${'11'.repeat(32)}` as never))).toBeNull();
    expect(part.pools.deposits.all()).toHaveLength(entries);
  });

  test('a transaction that the mempool refuses or loses is handed over again', async () => {
    await deposit();
    await finalise();
    const parts = peg.relayers.map((key) => relayer(key));
    await attestDeposits(...parts);
    const first = parts.find(({ key }) => key === firstInTurn(sidechain.head().checkpoint.importedCount))!;
    sidechain.refusal = { admitted: false, code: 'POOL_FULL', message: 'txpool is full' };
    await first.imports.run();
    const handedOver = sidechain.submitted.length;
    sidechain.refusal = null;
    await first.imports.run();
    expect(sidechain.submitted).toHaveLength(handedOver);
    clock.advance(3_000);
    await first.imports.run();
    expect(sidechain.submitted).toHaveLength(handedOver + 1);
    expect(sidechain.submitted.at(-1)).toEqual(sidechain.submitted.at(-2));
    await sidechain.commit();
    expect(await importedCount()).toBe(l1.finalized()!.depositCount);
  });

  const crashes: Crash[] = [0, 1, 2, 3].flatMap((at) => [
    { at, when: 'before' },
    { at, when: 'after' },
  ]);
  test.each(crashes)('a crash $when journal record $at ends in one import', async (crash) => {
    await deposit();
    await finalise();
    const first = await importedCount();
    const other = relayer(peg.relayers.find((key) => key !== firstInTurn(first))!);
    let journal = createFakeJournal([], crash);
    let part = relayer(firstInTurn(first), journal);
    const step = async () => {
      await other.deposits.run();
      await part.deposits.run();
      share(other.pools.deposits, part.pools.deposits);
      await part.imports.run();
      await sidechain.commit();
      await part.deposits.run();
    };
    let crashed = false;
    for (let round = 0; round < 6; round++) {
      clock.advance(4_000);
      try {
        await step();
      } catch {
        crashed = true;
        journal = createFakeJournal(journal.written);
        part = relayer(part.key, journal);
      }
    }
    expect(crashed).toBe(true);
    expect(await importedCount()).toBe(first + 1n);
    expect(await importedEvents(first)).toBe(1);
    const signed = journal.written.filter(({ t }) => t === 'depositSigned');
    expect(new Set(signed.map((entry) => JSON.stringify(entry))).size).toBe(signed.length);
  });

  test('a signature whose record is not durable does not leave', async () => {
    await deposit();
    await finalise();
    // What is imported is recorded first; the signature is the next record.
    const part = relayer(peg.relayers[0]!, createFakeJournal([], { at: 1, when: 'before' }));
    await expect(part.deposits.run()).rejects.toThrow(/depositSigned/);
    expect(part.pools.deposits.all()).toEqual([]);
  });

  test('two hashes for one count are refused: the relayer halts', async () => {
    await deposit();
    await finalise();
    const n = l1.finalized()!.depositCount;
    const journal = createFakeJournal([
      {
        t: 'depositSigned',
        n: String(n),
        hash: `0x${'77'.repeat(32)}` as never,
        relayerEpoch: '1',
        signature: `0x${'00'.repeat(65)}` as never,
      },
    ]);
    const part = relayer(peg.relayers[0]!, journal);
    await part.deposits.run();
    expect(part.halt.reason()).toMatch(/L1 or the journal was replaced/);
    expect(part.pools.deposits.all()).toEqual([]);
  });
});

describe('checkpoints', () => {
  const parts = (keys = peg.relayers) => keys.map((key) => relayer(key));
  const inTurn = async (all: RelayerParts[]): Promise<RelayerParts> => {
    const key = firstInTurn(await latestHeight());
    return all.find((part) => part.key === key)!;
  };
  /** What earlier tests anchored is in the journal already, so that a crash is counted from there. */
  const alreadyAnchored = (): RelayerEntry[] => {
    const { height, valueId } = l1.latestAccepted()!;
    return [{ t: 'anchored', height: String(height), valueId }];
  };
  const mine = () => l1Chain.client.mine({ blocks: 1 });

  test('a burn is attested by all and submitted once, in turn', async () => {
    const { height } = await burn();
    const all = parts();
    await attestAnchors(...all);
    const submitter = await inTurn(all);
    for (const part of all) await part.checkpoints.run();
    await mine();
    expect(await latestHeight()).toBe(height);
    for (const part of all) await part.checkpoints.run();
    await finalise();
    for (const part of all) {
      await part.anchors.run();
      await part.checkpoints.run();
      expect(part.log.memory.anchored?.height).toBe(height);
      expect(part.pools.anchors.all()).toEqual([]);
    }
    expect(submitter.log.memory.l1.size).toBe(0);
    expect(await acceptedEvents(height)).toBe(1);
  });

  test('attested by one of three, nothing is submitted', async () => {
    await burn();
    const before = await latestHeight();
    const alone = relayer(firstInTurn(before));
    await alone.anchors.run();
    clock.advance(100 * TURN_MS);
    await alone.checkpoints.run();
    await mine();
    expect(await latestHeight()).toBe(before);
    expect(alone.log.memory.l1.size).toBe(0);
  });

  test('the first in turn is down: another one submits in its turn', async () => {
    const { height } = await burn();
    const down = firstInTurn(await latestHeight());
    const alive = parts(peg.relayers.filter((key) => key !== down));
    await attestAnchors(...alive);
    for (const part of alive) expect(await part.checkpoints.run()).toBeGreaterThan(0);
    await mine();
    expect(await latestHeight()).toBeLessThan(height);
    clock.advance(2 * TURN_MS);
    for (const part of alive) await part.checkpoints.run();
    await mine();
    expect(await latestHeight()).toBe(height);
  });

  test('a height without burns is not attested', async () => {
    await finalise();
    const part = relayer(peg.relayers[0]!);
    await part.anchors.run();
    const { height } = await sidechain.commit();
    await part.anchors.run();
    expect(part.pools.anchors.get(height)).toBeNull();
  });

  test.each<Crash>(
    [0, 1, 2, 3].flatMap((at) => [
      { at, when: 'before' as const },
      { at, when: 'after' as const },
    ]),
  )('a crash $when journal record $at ends in one accepted checkpoint', async (crash) => {
    await finalise();
    const { height } = await burn();
    const submitterKey = firstInTurn(await latestHeight());
    const other = relayer(peg.relayers.find((key) => key !== submitterKey)!);
    await other.anchors.run();
    let journal = createFakeJournal(alreadyAnchored(), crash);
    let part = relayer(submitterKey, journal);
    let crashed = false;
    for (let round = 0; round < 8; round++) {
      clock.advance(4_000);
      try {
        await part.anchors.run();
        share(other.pools.anchors, part.pools.anchors);
        await part.checkpoints.run();
        await finalise();
      } catch {
        crashed = true;
        journal = createFakeJournal(journal.written);
        part = relayer(submitterKey, journal);
      }
    }
    expect(crashed).toBe(true);
    expect(await latestHeight()).toBe(height);
    expect(await acceptedEvents(height)).toBe(1);
    expect(part.log.memory.anchored?.height).toBe(height);
    expect(part.log.memory.l1.size).toBe(0);
    const attempts = journal.written.filter(({ t }) => t === 'l1Attempt');
    expect(attempts).toHaveLength(1);
  });

  test('a transaction stuck under a risen price is repriced and lands once', async () => {
    await finalise();
    await l1Chain.client.setAutomine(false);
    try {
      const { height } = await burn();
      const all = parts();
      await attestAnchors(...all);
      const submitter = await inTurn(all);
      await submitter.checkpoints.run();
      await l1Chain.client.setNextBlockBaseFeePerGas({ baseFeePerGas: 60_000_000_000n });
      await mine();
      expect(await latestHeight()).toBeLessThan(height);
      await submitter.checkpoints.run();
      clock.advance(BUMP_AFTER_MS);
      await submitter.checkpoints.run();
      const attempts = [...submitter.log.memory.l1.values()][0]!;
      expect(attempts.length).toBeGreaterThanOrEqual(2);
      await mine();
      expect(await latestHeight()).toBe(height);
      await finalise();
      await submitter.checkpoints.run();
      expect(submitter.log.memory.l1.size).toBe(0);
      expect(await acceptedEvents(height)).toBe(1);
    } finally {
      await l1Chain.client.setAutomine(true);
    }
  });

  test('a nonce used from outside is noticed, and the checkpoint goes with the next one', async () => {
    await finalise();
    await l1Chain.client.setAutomine(false);
    try {
      const { height } = await burn();
      const all = parts();
      await attestAnchors(...all);
      const submitter = await inTurn(all);
      await submitter.checkpoints.run();
      const [attempt] = [...submitter.log.memory.l1.values()][0]!;
      await l1Chain.client.dropTransaction({ hash: attempt!.hash });
      await l1Chain.client.setAutomine(true);
      await l1Chain.transfer(submitter.key, user.address, 1n);
      await submitter.checkpoints.run();
      await mine();
      expect(await latestHeight()).toBe(height);
    } finally {
      await l1Chain.client.setAutomine(true);
    }
  });

  test('what another relayer anchored ends ours: the lost transaction is forgotten, not sent', async () => {
    await finalise();
    const { height } = await burn();
    const all = parts();
    await attestAnchors(...all);
    const submitter = await inTurn(all);
    const journal = createFakeJournal(alreadyAnchored(), { at: 1, when: 'after' });
    const crashing = relayer(submitter.key, journal);
    await crashing.anchors.run();
    for (const part of all) share(part.pools.anchors, crashing.pools.anchors);
    await crashing.checkpoints.run().catch(() => undefined);
    expect(journal.written.some(({ t }) => t === 'l1Attempt')).toBe(true);
    clock.advance(3 * TURN_MS);
    const other = all.find((part) => part.key !== submitter.key)!;
    await other.checkpoints.run();
    clock.advance(3 * TURN_MS);
    await other.checkpoints.run();
    await finalise();
    expect(await latestHeight()).toBe(height);
    const restarted = relayer(submitter.key, createFakeJournal(journal.written));
    const nonceBefore = await l1Chain.client.getTransactionCount({ address: submitter.key.address });
    await restarted.anchors.run();
    await restarted.checkpoints.run();
    await mine();
    expect(restarted.log.memory.l1.size).toBe(0);
    expect(await l1Chain.client.getTransactionCount({ address: submitter.key.address })).toBe(nonceBefore);
    expect(await acceptedEvents(height)).toBe(1);
  });

  test('a signature whose record is not durable does not leave', async () => {
    await finalise();
    const { height } = await burn();
    const part = relayer(peg.relayers[0]!, createFakeJournal(alreadyAnchored(), { at: 0, when: 'before' }));
    await expect(part.anchors.run()).rejects.toThrow(/anchorSigned/);
    expect(part.pools.anchors.get(height)).toBeNull();
  });

  test('two valueIds for one height are refused: the relayer halts', async () => {
    await finalise();
    const { height } = await burn();
    const journal = createFakeJournal([
      {
        t: 'anchorSigned',
        height: String(height),
        valueId: `0x${'77'.repeat(32)}` as never,
        relayerEpoch: '1',
        signature: `0x${'00'.repeat(65)}` as never,
      },
    ]);
    const part = relayer(peg.relayers[0]!, journal);
    await part.anchors.run();
    expect(part.halt.reason()).toMatch(/signed before/);
    expect(part.pools.anchors.all()).toEqual([]);
    await part.checkpoints.run();
    expect(part.log.memory.l1.size).toBe(0);
  });

  test.each([
    ['imports that are not on the L1', { importedHash: `0x${'12'.repeat(32)}` }],
    ['another outbox', { outboxRoot: `0x${'12'.repeat(32)}` }],
    ['another state', { stateRoot: `0x${'12'.repeat(32)}` }],
  ] as const)('a checkpoint with %s is not signed, loudly', async (_name, lie) => {
    await finalise();
    const part = relayer(peg.relayers[0]!);
    await part.anchors.run();
    sidechain.forgery = (checkpoint) => ({ ...checkpoint, ...lie }) as typeof checkpoint;
    const { height } = await burn();
    await part.anchors.run();
    expect(part.halt.reason()).not.toBeNull();
    expect(part.pools.anchors.get(height)).toBeNull();
    expect(logger.alarms().join()).toMatch(/relayer halted/);
    // Later tests need an honest record of this height again.
    sidechain.forgery = (checkpoint) => checkpoint;
    await sidechain.reread(height);
  });

  test('coin that left the gateway without an import is not signed over', async () => {
    await finalise();
    const part = relayer(peg.relayers[0]!);
    await part.anchors.run();
    const held = await sidechainClient.getBalance({ address: PEG_GATEWAY });
    await sidechainClient.setBalance({ address: PEG_GATEWAY, value: held - ETHER });
    await burn();
    await part.anchors.run();
    expect(part.halt.reason()).toMatch(/outside the gateway rose/);
    const after = await sidechainClient.getBalance({ address: PEG_GATEWAY });
    await sidechainClient.setBalance({ address: PEG_GATEWAY, value: after + ETHER });
  });

  test('a checkpoint accepted on the L1 that differs from the own block halts the relayer', async () => {
    await finalise();
    const { height, valueId } = l1.latestAccepted()!;
    await sidechain.reread(height, (checkpoint) => ({
      ...checkpoint,
      stateRoot: `0x${'13'.repeat(32)}` as never,
    }));
    const part = relayer(peg.relayers[0]!);
    await part.anchors.run();
    expect(part.halt.reason()).toContain(valueId);
    await sidechain.reread(height);
  });
});
