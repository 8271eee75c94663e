/** The server over the real chain and the real pool; blocks are committed as consensus would. */
import { JsonRpcProvider, Wallet } from 'ethers';
import {
  createPublicClient,
  createWalletClient,
  encodeErrorResult,
  http,
  keccak256,
  parseAbi,
  toHex,
} from 'viem';
import type { Genesis } from '#genesis/spec.ts';
import type { CallRunner, Chain } from '#node/chain.ts';
import { createCallRunner } from '#node/execution/callRunner.ts';
import { openChain } from '#node/execution/openChain.ts';
import { createTransactionRules } from '#node/execution/transactionChecks.ts';
import { createPool, type Pool } from '#node/mempool/pool.ts';
import { blockHashFromRpc, bloomOf, receiptsRoot, transactionsRoot } from '#test/e2e/support/recompute.ts';
import {
  commitPayload,
  ETHER,
  exampleGenesis,
  GWEI,
  payloadOn,
  temporaryFolder,
  USERS,
} from '#test/unit/node/execution/exampleChain.ts';
import { type Answer, startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';

const [alice, bob] = USERS as [(typeof USERS)[number], (typeof USERS)[number]];
const TOPIC = keccak256(toHex('Stored()'));
/** Stores 42 in slot 0 and logs TOPIC whenever it is called. */
const RUNTIME = `602a6000557f${TOPIC.slice(2)}60006000a100`;
const INIT_CODE = `0x60${(RUNTIME.length / 2).toString(16)}80600b6000396000f3${RUNTIME}` as const;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let genesis: Genesis;
let chain: Chain;
let calls: CallRunner;
let pool: Pool;
let server: TestServer;

beforeAll(async () => {
  folder = await temporaryFolder();
  genesis = await exampleGenesis();
  chain = await openChain({ dataDir: folder.path, genesis });
  pool = createPool({ rules: createTransactionRules(genesis.spec) }, { chain });
  calls = createCallRunner({ dataDir: folder.path, genesis, timeoutMs: 60_000 });
  server = await startServer({ chain, calls, mempool: pool, genesis });
});
afterAll(async () => {
  await server.stop();
  pool.close();
  await calls.close();
  await chain.close();
  await folder.remove();
});

const commitPool = async (): Promise<void> => {
  const limits = { maxGas: 30_000_000n, maxBytes: 2_000_000, maxCount: 1_000, allowImport: true };
  await commitPayload(chain, genesis, payloadOn(chain, pool.pick(limits)));
  await pool.settled();
};

test('viem deploys and calls a contract, and what is shown recomputes to the hashes that are shown', async () => {
  const viemChain = {
    id: 42_424,
    name: 'Causeway',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [server.url] } },
  };
  const transport = http(server.url);
  const wallet = createWalletClient({ account: alice.account, chain: viemChain, transport });
  const client = createPublicClient({ chain: viemChain, transport, pollingInterval: 20 });

  const deployed = await wallet.sendTransaction({ data: INIT_CODE, gas: 200_000n });
  expect((await client.getTransaction({ hash: deployed })).blockHash).toBeNull();
  expect(await client.getTransactionCount({ address: alice.address, blockTag: 'pending' })).toBe(1);
  await commitPool();
  const { contractAddress } = await client.waitForTransactionReceipt({ hash: deployed });
  expect(await client.getCode({ address: contractAddress! })).toBe(`0x${RUNTIME}`);

  const hashes = [
    await wallet.sendTransaction({ to: contractAddress!, gas: 100_000n, nonce: 1 }),
    await wallet.sendTransaction({ to: bob.address, value: ETHER, gas: 21_000n, nonce: 2 }),
    await wallet.sendTransaction({ to: contractAddress!, gas: 100_000n, nonce: 3, type: 'legacy' }),
  ];
  await commitPool();
  const receipts: Answer[] = await server.result('eth_getBlockReceipts', ['latest']);
  expect(receipts.map(({ transactionHash }) => transactionHash)).toEqual(hashes);
  expect(receipts.every(({ status }) => status === '0x1')).toBe(true);
  const logs: Answer[] = await server.result('eth_getLogs', [{ fromBlock: '0x0', topics: [TOPIC] }]);
  expect(logs.map(({ logIndex, transactionIndex }) => [logIndex, transactionIndex])).toEqual([
    ['0x0', '0x0'],
    ['0x1', '0x2'],
  ]);

  for (const height of ['0x0', '0x1', '0x2']) {
    const block = await server.result('eth_getBlockByNumber', [height, false]);
    const raw: string[] = [];
    for (const hash of block.transactions)
      raw.push(await server.result('eth_getRawTransactionByHash', [hash]));
    const ofBlock = await server.result('eth_getBlockReceipts', [height]);
    expect(blockHashFromRpc(block)).toBe(block.hash);
    expect(await transactionsRoot(raw)).toBe(block.transactionsRoot);
    expect(await receiptsRoot(ofBlock)).toBe(block.receiptsRoot);
    expect(bloomOf(ofBlock)).toBe(block.logsBloom);
  }

  expect(await client.getStorageAt({ address: contractAddress!, slot: '0x0' })).toBe(
    `0x${'2a'.padStart(64, '0')}`,
  );
  expect(await client.getBalance({ address: bob.address })).toBe(101n * ETHER);
  expect(await client.getBalance({ address: bob.address, blockNumber: 1n })).toBe(100n * ETHER);
  expect(await client.getTransactionCount({ address: alice.address })).toBe(4);
});

test('ethers sends and waits', async () => {
  const provider = new JsonRpcProvider(server.url, undefined, { polling: true, pollingInterval: 20 });
  try {
    const wallet = new Wallet(toHex(bob.key), provider);
    const sent = await wallet.sendTransaction({ to: alice.address, value: 1n, gasLimit: 21_000n });
    // ethers looks for the receipt when it hears of a block, and its first look only finds out where it is.
    const waiting = sent.wait();
    let receipt: unknown;
    void waiting.then((found) => {
      receipt = found;
    });
    for (let i = 0; i < 50 && receipt === undefined; i++) {
      await commitPool();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(receipt).toMatchObject({ status: 1, blockNumber: 3 });
    expect(await wallet.getNonce()).toBe(1);
  } finally {
    provider.destroy();
  }
});

test('calls and estimates are executed, at any height, and reverts are explained', async () => {
  const [deployed] = (await server.result('eth_getBlockByNumber', ['0x1', false])).transactions;
  const { contractAddress, gasUsed } = await server.result('eth_getTransactionReceipt', [deployed]);
  const from = alice.address;
  expect(await server.result('eth_estimateGas', [{ from, to: bob.address, value: '0x1' }])).toBe('0x5208');
  expect(await server.result('eth_estimateGas', [{ from, data: INIT_CODE }, 'latest'])).toBe(gasUsed);
  expect(await server.result('eth_call', [{ to: contractAddress, gas: '0x2faf080' }, 'pending'])).toBe('0x');
  // Creation code that returns one byte, 0x2a: the code of the contract that would be created.
  expect(await server.result('eth_call', [{ data: '0x602a60005360016000f3' }, 'latest'])).toBe('0x2a');
  // The contract is not there yet at height 0.
  expect(await server.result('eth_call', [{ to: contractAddress }, '0x0'])).toBe('0x');
  // Error("no"), laid out by hand: the words end with the text's own.
  const reason = encodeErrorResult({
    abi: parseAbi(['error Error(string)']),
    errorName: 'Error',
    args: ['no'],
  });
  const words = reason.slice(2).padEnd(256, '0').match(/.{64}/g) as string[];
  const store = words
    .map((word, index) => `7f${word}60${(32 * index).toString(16).padStart(2, '0')}52`)
    .join('');
  const revert = `0x${store}6064${'6000'}fd`;
  for (const method of ['eth_call', 'eth_estimateGas'])
    expect(await server.error(method, [{ from, data: revert }])).toEqual({
      code: 3,
      message: 'execution reverted: no',
      data: reason,
    });
});

test('the pool refuses in the words of geth', async () => {
  const raw = await alice.account.signTransaction({
    type: 'eip1559',
    chainId: 42_424,
    nonce: 0,
    to: bob.address,
    gas: 21_000n,
    maxFeePerGas: 2n * GWEI,
  });
  const error = await server.error('eth_sendRawTransaction', [raw]);
  expect(error.code).toBe(-32000);
  expect(error.message).toMatch(/^nonce too low/);
});

test('the checkpoint of a block comes with four seals', async () => {
  const { checkpoint, certificate } = await server.result('causeway_getCheckpoint', ['0x2']);
  const block = await server.result('eth_getBlockByNumber', ['0x2', false]);
  expect(checkpoint).toMatchObject({ height: '0x2', blockHash: block.hash, stateRoot: block.stateRoot });
  expect(block.extraData).toBe(checkpoint.nextValidatorsHash);
  expect(certificate.signatures).toHaveLength(4);
  const next = await server.result('eth_getBlockByNumber', ['0x3', false]);
  const { valueId } = await server.result('causeway_getCheckpoint', ['0x2']);
  expect(next.parentBeaconBlockRoot).toBe(valueId);
});
