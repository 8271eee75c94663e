import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pegVaultAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { verifyDeployment } from '#bridge/deployment/verifyDeployment.ts';
import { systemClock } from '#bridge/l1/ports.ts';
import { createL1Watcher, type L1Watcher } from '#bridge/l1/watcher.ts';
import { createRelayer, type Relayer } from '#bridge/relayer/relayer.ts';
import { depositEth, followDeposit } from '#bridge/user/deposit.ts';
import { createPeg as createUserPeg, type Peg, requireChains } from '#bridge/user/peg.ts';
import { solvency } from '#bridge/user/solvency.ts';
import { bridgeStatus } from '#bridge/user/status.ts';
import { createMemoryCrossingJournal, openCrossingJournal } from '#bridge/user/steps.ts';
import { buildClaim, claim, waitForClaim, withdrawEth } from '#bridge/user/withdrawal.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { namedKey } from '#test/contracts/fixtures/keys.ts';
import { createPeg, deployOn, ETHER, L1_CHAIN_ID, SIDECHAIN_ID } from '#test/contracts/fixtures/peg.ts';
import { createRecordingLogger } from '#test/unit/bridge/fixtures/logger.ts';
import { type LyingProxy, startLyingProxy } from '#test/unit/bridge/fixtures/lyingProxy.ts';
import { createFakeSidechain, type FakeSidechain } from '#test/unit/bridge/fixtures/sidechain.ts';

const contracts = createPeg({ epochLength: 1_000_000n });
const user = namedKey('crossing user');
const recipient = namedKey('crossing recipient').address;
let l1Anvil: Anvil;
let sidechainAnvil: Anvil;
let l1Chain: TestChain;
let sidechainChain: TestChain;
let sidechain: FakeSidechain;
let l1Proxy: LyingProxy;
let sidechainProxy: LyingProxy;
let relayers: Relayer[];
let watchers: L1Watcher[];
let peg: Peg;
let folder: string;

/** Blocks on both chains, one after the other, until the work is done. */
const whileBlocksCome = async <T>(work: Promise<T>): Promise<T> => {
  let done = false;
  const finished = work.finally(() => {
    done = true;
  });
  finished.catch(() => undefined);
  while (!done) {
    await l1Chain.client.mine({ blocks: 1 });
    await sidechain.commit();
    await Promise.all(watchers.map((watcher) => watcher.poll()));
  }
  return finished;
};
const record = (id = String(Math.random())) => ({ journal: createMemoryCrossingJournal(), id });
const depositCount = () =>
  l1Chain.client.readContract({
    address: contracts.manifest.addresses.vault,
    abi: pegVaultAbi,
    functionName: 'depositCount',
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-crossing-'));
  [l1Anvil, sidechainAnvil] = await Promise.all([startAnvil(L1_CHAIN_ID), startAnvil(SIDECHAIN_ID)]);
  l1Chain = connectChain(l1Anvil.url, L1_CHAIN_ID);
  sidechainChain = connectChain(sidechainAnvil.url, SIDECHAIN_ID);
  await l1Chain.fund(user.address, 1_000n * ETHER);
  for (const { address } of contracts.relayers) await l1Chain.fund(address, 10n * ETHER);
  await deployOn(l1Chain, contracts);
  sidechain = await createFakeSidechain(sidechainChain, contracts);
  // The genesis balance of the user is the backed sum.
  await sidechainChain.fund(user.address, contracts.inputs.backedWei);
  await sidechain.commit();
  [l1Proxy, sidechainProxy] = await Promise.all([
    startLyingProxy(l1Anvil.url),
    startLyingProxy(sidechainAnvil.url),
  ]);
  peg = createUserPeg({
    l1Url: l1Proxy.url,
    sidechainUrl: sidechainProxy.url,
    l1ChainId: BigInt(L1_CHAIN_ID),
    sidechainId: BigInt(SIDECHAIN_ID),
    addresses: contracts.manifest.addresses,
    pollMs: 20,
  });

  watchers = [];
  relayers = [];
  for (const [index, { signer }] of contracts.relayers.entries()) {
    const logger = createRecordingLogger();
    const l1 = createL1Watcher({
      urls: [l1Anvil.url],
      chainId: BigInt(L1_CHAIN_ID),
      sidechainId: BigInt(SIDECHAIN_ID),
      addresses: contracts.manifest.addresses,
      verify: ({ number }) =>
        verifyDeployment({
          publicClient: l1Chain.client,
          manifest: contracts.manifest,
          mode: 'joining',
          atBlock: number,
        }),
      pollMs: 500,
      clock: systemClock,
      logger,
    });
    watchers.push(l1);
    const relayer = createRelayer(
      {
        chainId: contracts.inputs.sidechainId,
        l1ChainId: contracts.inputs.l1ChainId,
        specHash: contracts.specHash,
        genesisHash: contracts.inputs.genesisHash,
        addresses: contracts.manifest.addresses,
        epochLength: contracts.inputs.epochLength,
        importGas: 10_000_000n,
        backedWei: contracts.inputs.backedWei,
        gatewayPrefundWei: 1n << 128n,
        relayers: contracts.inputs.relayers,
        exchange: { host: '127.0.0.1', port: 0 },
        // Each pulls from those that started before it: one path between any two suffices.
        peers: relayers.map((other, before) => ({
          address: contracts.relayers[before]!.address,
          url: `http://127.0.0.1:${other.exchangePort()}`,
        })),
        timing: {
          intervalMs: 50,
          pullMs: 20,
          idlePullMs: 50,
          importTurnMs: 200,
          checkpointTurnMs: 200,
          batchMs: 0,
        },
      },
      {
        chain: sidechain,
        l1,
        client: l1Chain.client as never,
        signer,
        clock: systemClock,
        logger,
        folder: join(folder, `relayer-${index}`),
      },
    );
    await relayer.start();
    relayers.push(relayer);
  }
});
beforeEach(() => {
  l1Proxy.lie = {};
  sidechainProxy.lie = {};
});
afterAll(async () => {
  await Promise.all(relayers.map((relayer) => relayer.stop()));
  await Promise.all([l1Proxy.stop(), sidechainProxy.stop(), l1Anvil.stop(), sidechainAnvil.stop()]);
  await rm(folder, { recursive: true });
});

const expectBalanced = async () => {
  const books = await solvency(peg);
  expect(books.lockedWei).toBe(books.circulatingWei + books.inFlightWei);
  expect(books.balanced).toBe(true);
  return books;
};

test('ether crosses both ways through three relayers, and the books agree at every stage', async () => {
  await requireChains(peg);
  await whileBlocksCome(solvency(peg));
  expect(await expectBalanced()).toMatchObject({ lockedWei: contracts.inputs.backedWei, inFlightWei: 0n });

  const deposited = await depositEth(peg, {
    account: user.account,
    recipient,
    amountWei: ETHER,
    record: record(),
  });
  expect((await bridgeStatus(peg, deposited.l1Tx))[0]).toMatchObject({
    direction: 'deposit',
    stage: 'waitingForFinality',
  });
  await l1Chain.client.mine({ blocks: 3 });
  expect(await expectBalanced()).toMatchObject({ inFlightWei: ETHER });

  const stages = new Set<string>();
  const imported = await whileBlocksCome(
    followDeposit(peg, deposited.l1Tx, { timeoutMs: 30_000, onProgress: ({ stage }) => stages.add(stage) }),
  );
  expect(imported).toMatchObject({ nonce: deposited.nonce, credited: true });
  expect(await sidechainChain.client.getBalance({ address: recipient })).toBe(ETHER);
  expect((await bridgeStatus(peg, deposited.l1Tx))[0]).toMatchObject({
    stage: 'done',
    destinationTx: imported.sidechainTx,
  });
  expect(await expectBalanced()).toMatchObject({ inFlightWei: 0n });

  const burned = await whileBlocksCome(
    withdrawEth(peg, {
      account: user.account,
      recipient,
      amountWei: ETHER / 2n,
      record: record(),
      timeoutMs: 30_000,
    }),
  );
  expect(await expectBalanced()).toMatchObject({ inFlightWei: ETHER / 2n });
  const built = await whileBlocksCome(waitForClaim(peg, burned.burnTx, { timeoutMs: 30_000 }));
  expect((await bridgeStatus(peg, burned.burnTx))[0]).toMatchObject({
    direction: 'withdrawal',
    stage: 'claimable',
  });
  const before = await l1Chain.client.getBalance({ address: recipient });
  const claimed = await claim(peg, { account: user.account, claim: built, record: record() });
  expect(claimed).toMatchObject({ recipient, amountWei: ETHER / 2n });
  expect((await l1Chain.client.getBalance({ address: recipient })) - before).toBe(ETHER / 2n);

  const again = await claim(peg, { account: user.account, claim: built, record: record() });
  expect(again.claimTx).toBe(claimed.claimTx);
  expect((await l1Chain.client.getBalance({ address: recipient })) - before).toBe(ETHER / 2n);
  await l1Chain.client.mine({ blocks: 3 });
  expect((await bridgeStatus(peg, burned.burnTx))[0]).toMatchObject({
    stage: 'done',
    destinationTx: claimed.claimTx,
  });
  expect(await expectBalanced()).toMatchObject({ inFlightWei: 0n });
});

test('relayers say what waits, who has signed and who is missing', async () => {
  const status = relayers[0]!.status();
  expect(status).toMatchObject({ state: 'running', threshold: 2, relayers: 3, l1: { state: 'ready' } });
  expect(JSON.parse(JSON.stringify(status))).toEqual(status);
});

test.each(['before the broadcast', 'after the broadcast'])(
  'a deposit that is interrupted %s resumes from its journal and is made once',
  async (when) => {
    const path = join(folder, `${when.replaceAll(' ', '-')}.journal`);
    const request = { account: user.account, recipient, amountWei: ETHER };
    const before = await depositCount();
    let sent = 0;
    l1Proxy.lie = {
      status: (call) => {
        if (call.method === 'eth_sendRawTransaction') sent++;
        return when === 'before the broadcast'
          ? call.method === 'eth_sendRawTransaction'
            ? 400
            : null
          : call.method === 'eth_getTransactionReceipt' && sent > 0
            ? 400
            : null;
      },
    };
    const first = await openCrossingJournal(path);
    await first.open('crossing', { amountWei: String(ETHER) });
    await expect(
      depositEth(peg, { ...request, record: { journal: first, id: 'crossing' } }),
    ).rejects.toThrow();
    await first.end();

    l1Proxy.lie = {};
    const second = await openCrossingJournal(path);
    expect(second.unfinished()).toEqual([{ id: 'crossing', details: { amountWei: String(ETHER) } }]);
    for (let times = 0; times < 2; times++)
      await depositEth(peg, { ...request, record: { journal: second, id: 'crossing' } });
    expect(second.sent('crossing', 'deposit')).toHaveLength(1);
    expect(await depositCount()).toBe(before + 1n);
    await second.close('crossing');
    await second.end();
    const third = await openCrossingJournal(path);
    expect(third.unfinished()).toEqual([]);
    await third.end();
  },
);

test('what the vault would refuse is named by the contract’s own error, and nothing is signed', async () => {
  const journal = createMemoryCrossingJournal();
  const request = { account: user.account, recipient, record: { journal, id: 'x' } };
  await expect(depositEth(peg, { ...request, amountWei: 1n })).rejects.toMatchObject({
    code: 'REFUSED',
    message: expect.stringContaining('AmountOutOfRange(minimum 10000000000000, maximum'),
  });
  expect(journal.hasSent('x')).toBe(false);
});

test('a step whose nonce was used by something else is signed anew and made once', async () => {
  const journal = createMemoryCrossingJournal();
  const request = { account: user.account, recipient, amountWei: ETHER, record: { journal, id: 'x' } };
  const before = await depositCount();
  l1Proxy.lie = { status: ({ method }) => (method === 'eth_sendRawTransaction' ? 400 : null) };
  await expect(depositEth(peg, request)).rejects.toThrow();
  await l1Chain.transfer(user, recipient, 1n);
  l1Proxy.lie = {};
  await depositEth(peg, request);
  expect(journal.sent('x', 'deposit')).toHaveLength(2);
  expect(await depositCount()).toBe(before + 1n);
});

test('an endpoint that hides withdrawals is found out before any gas is spent', async () => {
  const burn = () =>
    whileBlocksCome(
      withdrawEth(peg, { account: user.account, recipient, amountWei: ETHER / 10n, record: record() }),
    );
  await burn();
  const { burnTx } = await burn();
  await whileBlocksCome(waitForClaim(peg, burnTx, { timeoutMs: 30_000 }));
  // Burned is the event with three indexed fields; the first of them is the nonce.
  const isFirstBurn = ({ topics }: { topics: string[] }): boolean =>
    topics.length === 4 && BigInt(topics[1]!) === 0n;
  sidechainProxy.lie = {
    result: ({ method }, honest) =>
      method === 'eth_getLogs'
        ? (honest as { topics: string[] }[]).filter((log) => !isFirstBurn(log))
        : honest,
  };
  await expect(buildClaim(peg, burnTx)).rejects.toMatchObject({ code: 'ROOT_MISMATCH' });
});

test('a hash that is no crossing, and one that nobody knows, are told apart', async () => {
  const transfer = await l1Chain.transfer(user, recipient, 1n);
  await expect(bridgeStatus(peg, transfer.transactionHash)).rejects.toMatchObject({ code: 'NOT_A_CROSSING' });
  await expect(bridgeStatus(peg, `0x${'9d'.repeat(32)}`)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('endpoints of other chains are refused', async () => {
  const swapped = createUserPeg({
    l1Url: sidechainAnvil.url,
    sidechainUrl: l1Anvil.url,
    l1ChainId: BigInt(L1_CHAIN_ID),
    sidechainId: BigInt(SIDECHAIN_ID),
    addresses: contracts.manifest.addresses,
  });
  await expect(requireChains(swapped)).rejects.toMatchObject({ code: 'WRONG_CHAIN' });
});

test('waiting ends with the remedy when the time is over, and at once when the caller gives up', async () => {
  const deposited = await depositEth(peg, {
    account: user.account,
    recipient,
    amountWei: ETHER,
    record: record(),
  });
  await expect(followDeposit(peg, deposited.l1Tx, { timeoutMs: 0 })).rejects.toMatchObject({
    code: 'TIMED_OUT',
    message: expect.stringMatching(/ask again later/),
  });
  await expect(
    followDeposit(peg, deposited.l1Tx, { signal: AbortSignal.abort(new Error('given up')) }),
  ).rejects.toThrow('given up');
});
