import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pegVaultAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { verifyDeployment } from '#bridge/deployment/verifyDeployment.ts';
import { createFileL1Store, createMemoryL1Store } from '#bridge/l1/store.ts';
import { createL1Watcher, type L1Watcher, type L1WatcherOptions } from '#bridge/l1/watcher.ts';
import { checkpointToValueId } from '#consensus/digests.ts';
import { ZERO_HASH } from '#consensus/primitives.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { namedKey } from '#test/contracts/fixtures/keys.ts';
import {
  checkpointArguments,
  checkpointAt,
  createPeg,
  deployOn,
  ETHER,
  L1_CHAIN_ID,
  SIDECHAIN_ID,
  submitCheckpointCall,
} from '#test/contracts/fixtures/peg.ts';
import { createManualClock, type ManualClock } from '#test/unit/bridge/fixtures/clock.ts';
import { createRecordingLogger, type RecordingLogger } from '#test/unit/bridge/fixtures/logger.ts';
import { type LyingProxy, startLyingProxy } from '#test/unit/bridge/fixtures/lyingProxy.ts';

const peg = createPeg();
const user = namedKey('user');
let anvil: Anvil;
let chain: TestChain;
let proxy: LyingProxy;
let clock: ManualClock;
let logger: RecordingLogger;

const vault = { address: peg.manifest.addresses.vault, abi: pegVaultAbi } as const;

const watch = (options: Partial<L1WatcherOptions> = {}): L1Watcher =>
  createL1Watcher({
    urls: [proxy.url],
    chainId: BigInt(L1_CHAIN_ID),
    sidechainId: BigInt(SIDECHAIN_ID),
    addresses: peg.manifest.addresses,
    verify: ({ number }) =>
      verifyDeployment({
        publicClient: chain.client,
        manifest: peg.manifest,
        mode: 'joining',
        atBlock: number,
      }),
    pollMs: 500,
    clock,
    logger,
    ...options,
  });

const deposit = (amount = ETHER) =>
  chain.send(user, { ...vault, functionName: 'deposit', args: [user.address], value: amount });
const finalise = () => chain.client.mine({ blocks: 3 });
const vaultCount = () => chain.client.readContract({ ...vault, functionName: 'depositCount' });
const vaultHash = () => chain.client.readContract({ ...vault, functionName: 'depositHash' });

beforeAll(async () => {
  anvil = await startAnvil(L1_CHAIN_ID);
  chain = connectChain(anvil.url, L1_CHAIN_ID);
  proxy = await startLyingProxy(anvil.url);
  await chain.fund(user.address, 1_000n * ETHER);
});
beforeEach(() => {
  proxy.lie = {};
  clock = createManualClock();
  logger = createRecordingLogger();
});
afterAll(async () => {
  await proxy.stop();
  await anvil.stop();
});

test('is unverified while the contracts are not there, and says what to do', async () => {
  await finalise();
  const watcher = watch();
  await watcher.poll();
  expect(watcher.status()).toMatchObject({
    state: 'unverified',
    reason: expect.stringMatching(/bridge deploy/),
  });
  expect(watcher.finalized()).toBeNull();
  expect(watcher.depositHashAt(0n)).toBeNull();
  await deployOn(chain, peg);
  await finalise();
  await watcher.poll();
  expect(watcher.status()).toEqual({ state: 'ready' });
  expect(watcher.finalized()).toMatchObject({ depositCount: 0n, depositHash: ZERO_HASH });
});

test('folds deposits up to the finalised block only, each leaf hashed here', async () => {
  const watcher = watch();
  const first = await vaultCount();
  await deposit();
  await deposit(3n * ETHER);
  const afterTwo = await vaultHash();
  await finalise();
  await deposit();
  await watcher.poll();
  expect(watcher.finalized()).toMatchObject({ depositCount: first + 2n, depositHash: afterTwo });
  expect(watcher.depositHashAt(first + 2n)).toBe(afterTwo);
  expect(watcher.depositHashAt(first + 3n)).toBeNull();
  expect(watcher.depositedWeiAt(first + 2n)! - watcher.depositedWeiAt(first)!).toBe(4n * ETHER);
  await finalise();
  await watcher.poll();
  expect(watcher.depositHashAt(first + 3n)).toBe(await vaultHash());
});

test('measures how long it has held a count with the clock that it was given', async () => {
  const watcher = watch();
  await finalise();
  await watcher.poll();
  const count = watcher.finalized()!.depositCount;
  clock.advance(750);
  expect(watcher.heldForMs(count)).toBe(750);
  expect(watcher.heldForMs(count + 1n)).toBeNull();
  await deposit();
  await finalise();
  await watcher.poll();
  clock.advance(50);
  expect(watcher.heldForMs(count + 1n)).toBe(50);
  expect(watcher.heldForMs(count)).toBe(800);
});

test('an endpoint that hides logs stops the advance until another look tells the truth', async () => {
  const watcher = watch();
  await finalise();
  await watcher.poll();
  const before = watcher.finalized()!;
  await deposit();
  await finalise();
  proxy.lie = { result: ({ method }, honest) => (method === 'eth_getLogs' ? [] : honest) };
  await watcher.poll();
  expect(watcher.finalized()).toEqual(before);
  expect(watcher.status()).toEqual({ state: 'ready' });
  expect(logger.alarms().join()).toMatch(/hides or invents logs/);
  proxy.lie = {};
  await watcher.poll();
  expect(watcher.finalized()!.depositCount).toBe(before.depositCount + 1n);
  expect(watcher.finalized()!.depositHash).toBe(await vaultHash());
});

test('an invented amount or a partial list stops the advance too', async () => {
  await deposit();
  await deposit();
  await finalise();
  const partial = watch();
  proxy.lie = {
    result: ({ method }, honest) => (method === 'eth_getLogs' ? (honest as unknown[]).slice(0, -1) : honest),
  };
  await partial.poll();
  expect(partial.finalized()).toBeNull();

  const forged = watch();
  proxy.lie = {
    result: ({ method }, honest) =>
      method === 'eth_getLogs'
        ? (honest as { data: string }[]).map((log) => ({
            ...log,
            // The second word of the data is the token, the third the amount: a wei more.
            data: log.data.slice(0, 193) + (log.data[193] === '0' ? '1' : '0') + log.data.slice(194),
          }))
        : honest,
  };
  await forged.poll();
  expect(forged.finalized()).toBeNull();
  expect(logger.alarms().length).toBeGreaterThan(0);
});

test('429 and time-outs are waited out with growing pauses, and nothing is lost', async () => {
  const watcher = watch({ backOffCapMs: 4_000 });
  await deposit();
  await finalise();
  proxy.lie = { status: () => 429 };
  await watcher.start();
  expect(watcher.status()).toMatchObject({ state: 'connecting' });
  const pauses = [...clock.waiting()];
  for (let attempt = 0; attempt < 4; attempt++) {
    clock.advance(pauses.at(-1)!);
    await watcher.poll();
    pauses.push(clock.waiting()[0]!);
  }
  expect(pauses[0]).toBe(1_000);
  expect(pauses[1]).toBeGreaterThan(pauses[0]!);
  expect(Math.max(...pauses)).toBe(4_000);
  proxy.lie = {};
  await watcher.poll();
  expect(watcher.finalized()!.depositHash).toBe(await vaultHash());
  expect(clock.waiting()).toEqual([500]);
  await watcher.stop();
  expect(clock.waiting()).toEqual([]);
});

test('a range that holds too much for one answer is read in narrower ones', async () => {
  await finalise();
  proxy.lie = {
    error: ({ method, params }) => {
      if (method !== 'eth_getLogs') return null;
      const { fromBlock, toBlock } = params[0] as { fromBlock: string; toBlock: string };
      return BigInt(toBlock) - BigInt(fromBlock) > 3n ? 'query returned more than 10000 results' : null;
    },
  };
  const watcher = watch();
  await watcher.poll();
  expect(watcher.finalized()!.depositHash).toBe(await vaultHash());
});

test('a long reading that is interrupted goes on where it stopped', async () => {
  await finalise();
  let answered = 0;
  proxy.lie = { status: ({ method }) => (method === 'eth_getLogs' && answered++ % 3 === 2 ? 429 : null) };
  const watcher = watch({ maxLogBlocks: 3n });
  let looks = 0;
  while (watcher.finalized() === null && looks++ < 50) await watcher.poll();
  expect(looks).toBeGreaterThan(1);
  expect(watcher.finalized()!.depositHash).toBe(await vaultHash());
});

test('endpoints that disagree on a finalised block stop the advance', async () => {
  const watcher = watch({ urls: [anvil.url, proxy.url] });
  await finalise();
  await watcher.poll();
  const before = watcher.finalized()!;
  await deposit();
  await finalise();
  proxy.lie = {
    result: ({ method }, honest) =>
      // Only above what both had agreed on: the older block alone would show nothing.
      method === 'eth_getBlockByNumber' && BigInt((honest as { number: string }).number) > before.blockNumber
        ? { ...(honest as object), hash: `0x${'ab'.repeat(32)}` }
        : honest,
  };
  await watcher.poll();
  expect(watcher.finalized()).toEqual(before);
  expect(watcher.status()).toEqual({ state: 'ready' });
  expect(logger.alarms().join()).toMatch(/disagree/);
  proxy.lie = {};
  await watcher.poll();
  expect(watcher.finalized()!.depositCount).toBe(before.depositCount + 1n);
});

test('advances to the lowest block on which all endpoints agree', async () => {
  await finalise();
  const lag = 2n;
  proxy.lie = {
    result: ({ method, params }, honest) => {
      if (method !== 'eth_getBlockByNumber' || params[0] !== 'finalized') return honest;
      return lagging;
    },
  };
  const newest = await chain.client.getBlock({ blockTag: 'finalized' });
  const lagging = await chain.client.request({
    method: 'eth_getBlockByNumber',
    params: [`0x${(newest.number - lag).toString(16)}`, false],
  } as never);
  const watcher = watch({ urls: [anvil.url, proxy.url] });
  await watcher.poll();
  expect(watcher.finalized()!.blockNumber).toBe(newest.number - lag);
});

test('an endpoint that hides logs does not hide them when another tells', async () => {
  await deposit();
  await finalise();
  proxy.lie = { result: ({ method }, honest) => (method === 'eth_getLogs' ? [] : honest) };
  const watcher = watch({ urls: [proxy.url, anvil.url] });
  await watcher.poll();
  expect(watcher.finalized()).toBeNull();
  await watcher.poll();
  expect(watcher.finalized()!.depositHash).toBe(await vaultHash());
});

test('an endpoint of another chain is not read', async () => {
  proxy.lie = { result: ({ method }, honest) => (method === 'eth_chainId' ? '0x1' : honest) };
  const watcher = watch();
  await watcher.poll();
  expect(watcher.status()).toMatchObject({
    state: 'connecting',
    reason: expect.stringMatching(/chain id 31337/),
  });
  expect(proxy.calls.at(-1)?.method).toBe('eth_chainId');
});

test('wrong contracts halt the view', async () => {
  await finalise();
  const watcher = watch({
    verify: async () => ({ ok: false, code: 'CODE_DIFFERS', message: 'other code' }),
  });
  await watcher.poll();
  expect(watcher.status()).toEqual({ state: 'halted', reason: 'other code' });
});

test('notes checkpoints that the verifier has accepted, and a hidden one stops the advance', async () => {
  const checkpoint = checkpointAt(peg, 7n);
  const before = watch();
  await before.poll();
  expect(before.latestAccepted()).toBeNull();
  await chain.send(user, submitCheckpointCall(peg, checkpointArguments(peg, checkpoint)));
  await finalise();
  proxy.lie = {
    result: ({ method }, honest) =>
      method === 'eth_getLogs'
        ? (honest as { address: string }[]).filter(
            ({ address }) => address.toLowerCase() !== peg.manifest.addresses.verifier,
          )
        : honest,
  };
  const watcher = watch();
  await watcher.poll();
  expect(watcher.finalized()).toBeNull();
  proxy.lie = {};
  await watcher.poll();
  const accepted = { height: 7n, valueId: checkpointToValueId(checkpoint) };
  expect(watcher.latestAccepted()).toMatchObject(accepted);
  expect(watcher.acceptedAbove(6n)).toMatchObject([accepted]);
  expect(watcher.acceptedAbove(7n)).toEqual([]);
});

test('reads leaves again on demand and refuses ones that do not fold to what it verified', async () => {
  await finalise();
  const watcher = watch();
  await watcher.poll();
  const count = watcher.finalized()!.depositCount;
  const deposits = await watcher.readDeposits(1n, 3n);
  expect(deposits.map(({ leaf }) => leaf.nonce)).toEqual([1n, 2n, 3n]);
  await expect(watcher.readDeposits(count, 1n)).rejects.toMatchObject({ code: 'NOT_COVERED' });
  proxy.lie = { result: ({ method }, honest) => (method === 'eth_getLogs' ? [] : honest) };
  await expect(watcher.readDeposits(1n, 3n)).rejects.toMatchObject({ code: 'LOGS_MISMATCH' });
});

test('tells listeners of each change, and no longer after they leave', async () => {
  await finalise();
  const watcher = watch();
  let heard = 0;
  const leave = watcher.onChange(() => heard++);
  await watcher.poll();
  expect(heard).toBeGreaterThan(0);
  leave();
  const before = heard;
  await finalise();
  await watcher.poll();
  expect(heard).toBe(before);
});

test('a restart folds to the same view', async () => {
  await finalise();
  const store = createMemoryL1Store();
  const first = watch({ store });
  await first.poll();
  const second = watch({ store });
  await second.poll();
  expect(second.finalized()).toEqual(first.finalized());
});

test('a reorganisation past finality halts for good, across restarts, with the reason and the remedy', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-l1-'));
  const path = join(folder, 'l1', 'view.json');
  try {
    await finalise();
    const watcher = watch({ store: createFileL1Store(path) });
    await watcher.poll();
    expect(watcher.status()).toEqual({ state: 'ready' });
    await chain.client.request({ method: 'anvil_reorg', params: [10, []] } as never);
    await finalise();
    await watcher.poll();
    expect(watcher.status()).toMatchObject({
      state: 'halted',
      reason: expect.stringMatching(/reorganised past finality.*removing .*view\.json/),
    });
    // Durable in itself, not only found again by comparing: the L1 might have changed back.
    expect((await createFileL1Store(path).load()).halted).toMatch(/reorganised past finality/);
    const restarted = watch({ store: createFileL1Store(path) });
    await restarted.poll();
    expect(restarted.status()).toEqual(watcher.status());
    expect(restarted.finalized()).toBeNull();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a damaged memory is not taken for none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-l1-'));
  try {
    const path = join(folder, 'view.json');
    await writeFile(path, '{"finalized"');
    await expect(createFileL1Store(path).load()).rejects.toMatchObject({ code: 'CORRUPT' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
