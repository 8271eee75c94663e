import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeFunctionData } from 'viem';
import { pegVaultAbi, pegVerifierAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { createL1Watcher, type L1Watcher } from '#bridge/l1/watcher.ts';
import { maxDepositsPerImport } from '#bridge/relayer/importBatch.ts';
import { createRelayer, type RelayerOptions } from '#bridge/relayer/relayer.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { type NamedKey, namedKey } from '#test/contracts/fixtures/keys.ts';
import { createPeg, deployOn, ETHER, L1_CHAIN_ID, SIDECHAIN_ID } from '#test/contracts/fixtures/peg.ts';
import { createManualClock, type ManualClock } from '#test/unit/bridge/fixtures/clock.ts';
import { createRecordingLogger } from '#test/unit/bridge/fixtures/logger.ts';
import { createRelayerParts, IMPORT_GAS, share, TURN_MS } from '#test/unit/bridge/fixtures/relayerParts.ts';
import { createFakeSidechain, type FakeSidechain } from '#test/unit/bridge/fixtures/sidechain.ts';

const EPOCH_LENGTH = 4n;
const peg = createPeg({ epochLength: EPOCH_LENGTH });
const user = namedKey('user');
const logger = createRecordingLogger();
let anvils: Anvil[];
let l1Chain: TestChain;
let sidechain: FakeSidechain;
let l1: L1Watcher;
let clock: ManualClock;

const verifier = { address: peg.manifest.addresses.verifier, abi: pegVerifierAbi } as const;
const acceptedHeights = async () =>
  (
    await l1Chain.client.getContractEvents({ ...verifier, eventName: 'CheckpointAccepted', fromBlock: 0n })
  ).map(({ args }) => args.height!);
const finalise = async () => {
  await l1Chain.client.mine({ blocks: 3 });
  await l1.poll();
};
const relayer = (key: NamedKey) =>
  createRelayerParts(peg, key, { chain: sidechain, l1, l1Chain, clock, logger });

beforeAll(async () => {
  anvils = await Promise.all([startAnvil(L1_CHAIN_ID), startAnvil(SIDECHAIN_ID)]);
  l1Chain = connectChain(anvils[0]!.url, L1_CHAIN_ID);
  const sidechainChain = connectChain(anvils[1]!.url, SIDECHAIN_ID);
  await l1Chain.fund(user.address, 1_000n * ETHER);
  await sidechainChain.fund(user.address, 1_000n * ETHER);
  for (const { address } of peg.relayers) await l1Chain.fund(address, 10n * ETHER);
  await deployOn(l1Chain, peg);
  sidechain = await createFakeSidechain(sidechainChain, peg);
  clock = createManualClock();
  l1 = createL1Watcher({
    urls: [anvils[0]!.url],
    chainId: BigInt(L1_CHAIN_ID),
    sidechainId: BigInt(SIDECHAIN_ID),
    addresses: peg.manifest.addresses,
    verify: async ({ number }) => ({ ok: true, finalizedBlock: number, deploymentBlock: null }),
    pollMs: 500,
    clock,
    logger,
  });
  await finalise();
});
afterAll(() => Promise.all(anvils.map((anvil) => anvil.stop())));

test('each epoch’s last block is anchored in order, burns between them too, by relayers that come late', async () => {
  while (sidechain.head().height < 3n * EPOCH_LENGTH) await sidechain.commit();
  await sidechain.withdraw(user, user.address, ETHER);
  const { height: burnHeight } = await sidechain.commit();
  const parts = peg.relayers.map(relayer);
  for (let round = 0; round < 12; round++) {
    for (const part of parts) await part.anchors.run();
    for (const from of parts) for (const to of parts) share(from.pools.anchors, to.pools.anchors);
    for (const part of parts) await part.checkpoints.run();
    clock.advance(TURN_MS);
    await finalise();
  }
  expect(await acceptedHeights()).toEqual([4n, 8n, 12n, burnHeight]);
  for (const part of parts) {
    expect(part.halt.reason()).toBeNull();
    expect(part.log.memory.anchored?.height).toBe(burnHeight);
  }
});

test('a backlog above one import’s size is attested in steps that all relayers choose alike', async () => {
  const batch = maxDepositsPerImport(IMPORT_GAS, 3);
  const vault = { address: peg.manifest.addresses.vault, abi: pegVaultAbi } as const;
  const { importedCount } = sidechain.head().checkpoint;
  await l1Chain.client.setAutomine(false);
  const nonce = await l1Chain.client.getTransactionCount({ address: user.address });
  const data = encodeFunctionData({ ...vault, functionName: 'deposit', args: [user.address] });
  for (let count = 0; count < Number(batch) + 3; count++) {
    const raw = await user.account.signTransaction({
      type: 'eip1559',
      chainId: L1_CHAIN_ID,
      nonce: nonce + count,
      to: vault.address,
      data,
      value: ETHER / 1_000n,
      gas: 100_000n,
      maxFeePerGas: 3_000_000_000n,
      maxPriorityFeePerGas: 1_000_000n,
    });
    await l1Chain.client.sendRawTransaction({ serializedTransaction: raw });
  }
  await l1Chain.client.mine({ blocks: 2 });
  await l1Chain.client.setAutomine(true);
  await finalise();
  const parts = peg.relayers.map(relayer);
  for (let round = 0; round < 4; round++) {
    for (const part of parts) await part.deposits.run();
    for (const from of parts) for (const to of parts) share(from.pools.deposits, to.pools.deposits);
    for (const part of parts) await part.imports.run();
    clock.advance(3 * TURN_MS);
    for (const part of parts) await part.imports.run();
    await sidechain.commit();
    if (round === 0) expect(sidechain.head().checkpoint.importedCount).toBe(importedCount + batch);
  }
  expect(sidechain.head().checkpoint.importedCount).toBe(l1.finalized()!.depositCount);
});

describe('a relayer that cannot start says why', () => {
  const optionsWith = (over: Partial<RelayerOptions> = {}): RelayerOptions => ({
    chainId: peg.inputs.sidechainId,
    l1ChainId: peg.inputs.l1ChainId,
    specHash: peg.specHash,
    genesisHash: peg.inputs.genesisHash,
    addresses: peg.manifest.addresses,
    epochLength: EPOCH_LENGTH,
    importGas: IMPORT_GAS,
    backedWei: peg.inputs.backedWei,
    gatewayPrefundWei: 1n << 128n,
    relayers: peg.inputs.relayers,
    exchange: { host: '127.0.0.1', port: 0 },
    peers: [],
    ...over,
  });
  const create = (key: NamedKey, over: Partial<RelayerOptions> = {}, folder = tmpdir()) =>
    createRelayer(optionsWith(over), {
      chain: sidechain,
      l1,
      client: l1Chain.client as never,
      signer: key.signer,
      clock,
      logger,
      folder,
    });

  test('a key that is no relayer’s, and a peer that is none', () => {
    expect(() => create(namedKey('stranger'))).toThrow(expect.objectContaining({ code: 'NOT_A_RELAYER' }));
    expect(() =>
      create(peg.relayers[0]!, { peers: [{ address: user.address, url: 'http://127.0.0.1:1' }] }),
    ).toThrow(expect.objectContaining({ code: 'STRANGER_PEER' }));
    expect(() => create(peg.relayers[0]!).status()).toThrow(expect.objectContaining({ code: 'NOT_STARTED' }));
  });

  test('a busy port, after which nothing stays open', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'causeway-relayer-'));
    const busy = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => busy.once('listening', resolve));
    try {
      const { port } = busy.address() as { port: number };
      const part = create(peg.relayers[0]!, { exchange: { host: '127.0.0.1', port } }, folder);
      await expect(part.start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
      const again = create(peg.relayers[0]!, {}, folder);
      await again.start();
      expect(again.exchangePort()).toBeGreaterThan(0);
      await again.stop();
    } finally {
      await new Promise((resolve) => busy.close(resolve));
      await rm(folder, { recursive: true });
    }
  });
});
