/** viem and ethers against the server, over HTTP and WebSocket. */
import { JsonRpcProvider, Wallet, WebSocketProvider } from 'ethers';
import {
  type BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  defineChain,
  encodeErrorResult,
  http,
  parseAbi,
  type Hash as ViemHash,
  webSocket,
} from 'viem';
import { startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';
import { ALICE, ALICE_ADDRESS, BOB, transferOf } from '#test/unit/node/rpc/fakes/transactions.ts';

const chain = defineChain({
  id: 42_424,
  name: 'Causeway',
  nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
  rpcUrls: { default: { http: [] } },
});
const TRANSFER_TOPIC = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef';
const topic = (value: string) => `0x${value.replace('0x', '').padStart(64, '0')}`;

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
  server.append();
  server.setAccount(ALICE_ADDRESS, { nonce: 0n, balance: 10n ** 20n });
});
afterEach(() => server.stop());

/** Commits what the pool holds, as the chain would. */
const commitPool = (logs: { address: typeof BOB; topics: never[]; data: `0x${string}` }[] = []): void => {
  const waiting = server.fakeMempool.all();
  server.append(waiting.map(({ raw, sender }) => ({ raw, from: sender, to: BOB, type: 2, logs })));
  for (const { hash } of waiting) server.fakeMempool.remove(hash);
};

test('viem sends, waits for the receipt, and reads the block', async () => {
  const transport = http(server.url);
  const wallet = createWalletClient({ account: ALICE, chain, transport });
  const client = createPublicClient({ chain, transport, pollingInterval: 20 });
  const hash = await wallet.sendTransaction({ to: BOB, value: 1n });
  expect((await client.getTransaction({ hash })).blockHash).toBeNull();
  const waiting = client.waitForTransactionReceipt({ hash });
  commitPool();
  const receipt = await waiting;
  expect(receipt).toMatchObject({ status: 'success', type: 'eip1559', blockNumber: 2n, transactionIndex: 0 });
  const block = await client.getBlock({ includeTransactions: true });
  expect(block.hash).toBe(receipt.blockHash);
  expect(block.transactions[0]).toMatchObject({ hash, typeHex: '0x2', chainId: 42_424 });
  expect(await client.getBalance({ address: ALICE_ADDRESS })).toBe(10n ** 20n);
  expect(await client.getFeeHistory({ blockCount: 2, rewardPercentiles: [50] })).toMatchObject({
    oldestBlock: 1n,
  });
  const pending = await client.getBlock({ blockTag: 'pending' });
  expect(pending).toMatchObject({ hash: null, number: 3n });
});

test('viem names the reason of a revert', async () => {
  const client = createPublicClient({ chain, transport: http(server.url) });
  const abi = parseAbi(['function f() view', 'error Error(string)']);
  server.fakeCalls.answerWith({
    status: 'revert',
    data: encodeErrorResult({ abi, errorName: 'Error', args: ['paused'] }),
    gasUsed: 1n,
  });
  const error = await client
    .readContract({ address: BOB, abi, functionName: 'f' })
    .catch((thrown: unknown) => thrown as BaseError);
  const reverted = (error as BaseError).walk((inner) => inner instanceof ContractFunctionRevertedError);
  expect((reverted as ContractFunctionRevertedError).reason).toBe('paused');
});

test('viem watches blocks and logs over WebSocket', async () => {
  const transport = webSocket(server.webSocketUrl, { reconnect: false });
  const client = createPublicClient({ chain, transport });
  const abi = parseAbi(['event Transfer(address indexed from, address indexed to, uint256 value)']);
  const numbers: bigint[] = [];
  const values: (bigint | undefined)[] = [];
  await new Promise<void>((resolve, reject) => {
    const done = () => {
      if (numbers.length >= 2 && values.length >= 1) {
        leaveBlocks();
        leaveLogs();
        clearInterval(timer);
        resolve();
      }
    };
    const leaveBlocks = client.watchBlocks({
      onBlock: ({ number }) => {
        numbers.push(number);
        done();
      },
      onError: reject,
    });
    const leaveLogs = client.watchContractEvent({
      address: BOB,
      abi,
      onLogs: (logs) => {
        values.push(...logs.map(({ args }) => args.value));
        done();
      },
      onError: reject,
    });
    let nonce = 0;
    const timer = setInterval(async () => {
      const topics = [TRANSFER_TOPIC, topic(ALICE_ADDRESS), topic(BOB)] as never[];
      server.append([
        await transferOf('legacy', nonce++, [{ address: BOB, topics, data: topic('7') as `0x${string}` }]),
      ]);
    }, 50);
  });
  expect(numbers[1]).toBe(numbers[0]! + 1n);
  expect(values[0]).toBe(7n);
  const socket = await client.transport.getRpcClient();
  socket.close();
});

test('viem polls events through filters', async () => {
  const client = createPublicClient({ chain, transport: http(server.url), pollingInterval: 20 });
  const filter = await client.createEventFilter({ address: BOB });
  server.append([await transferOf('legacy', 0, [{ address: BOB, topics: [], data: '0x' }])]);
  const logs = await client.getFilterChanges({ filter });
  expect(logs).toHaveLength(1);
  expect(await client.uninstallFilter({ filter })).toBe(true);
});

test('ethers sends, waits for the receipt, and reads every tag', async () => {
  const provider = new JsonRpcProvider(server.url, undefined, { polling: true, pollingInterval: 20 });
  try {
    const wallet = new Wallet('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80', provider);
    const sent = await wallet.sendTransaction({ to: BOB, value: 1n });
    expect(sent.type).toBe(2);
    const waiting = sent.wait();
    commitPool();
    // ethers looks for the receipt when it hears of a block, and its first look only finds out where it is.
    const timer = setInterval(() => server.append(), 50);
    const receipt = await waiting;
    clearInterval(timer);
    expect(receipt).toMatchObject({ status: 1, blockNumber: 2, hash: sent.hash });
    expect((await provider.getBlock(2, true))!.prefetchedTransactions[0]!.hash).toBe(sent.hash);
    for (const tag of ['safe', 'finalized', 'earliest', 'pending'])
      expect((await provider.getBlock(tag))!.number).toBeGreaterThanOrEqual(0);
    expect((await provider.getFeeData()).gasPrice).toBe(1_000_000_000n);
    expect(await provider.getBalance(ALICE_ADDRESS)).toBe(10n ** 20n);
    server.fakeMempool.refuse({ code: 'NONCE_TOO_LOW', message: 'nonce too low: next nonce 1, tx nonce 0' });
    await expect(wallet.sendTransaction({ to: BOB, nonce: 0 })).rejects.toMatchObject({
      code: 'NONCE_EXPIRED',
    });
  } finally {
    provider.destroy();
  }
});

test('ethers hears blocks and pending transactions over WebSocket', async () => {
  const provider = new WebSocketProvider(server.webSocketUrl);
  try {
    const heard = new Promise<number>((resolve) => void provider.once('block', resolve));
    const pending = new Promise<string>((resolve) => void provider.once('pending', resolve));
    await provider.getNetwork();
    const timer = setInterval(() => server.append(), 20);
    expect(await heard).toBeGreaterThan(1);
    clearInterval(timer);
    const raw = await ALICE.signTransaction({
      type: 'eip1559',
      chainId: 42_424,
      to: BOB,
      gas: 21_000n,
      maxFeePerGas: 10n ** 9n,
      nonce: 0,
    });
    const hash: ViemHash = await server.result('eth_sendRawTransaction', [raw]);
    expect(await pending).toBe(hash);
  } finally {
    await provider.removeAllListeners();
    // ethers unsubscribes in the background, and rejects what is unanswered when it is destroyed.
    await provider.send('eth_chainId', []);
    await provider.destroy();
  }
});
