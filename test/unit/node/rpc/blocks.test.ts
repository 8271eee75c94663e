import { blockHashFromRpc } from '#test/e2e/support/recompute.ts';
import { startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';
import { TYPE_NAMES, transferOf } from '#test/unit/node/rpc/fakes/transactions.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  server.append(await Promise.all(TYPE_NAMES.map((type, nonce) => transferOf(type, nonce))));
  server.append();
  server.append();
  server.setFinalized(2n);
});
afterAll(() => server.stop());

test('a block that does not exist is null, by height and by hash', async () => {
  expect(await server.result('eth_getBlockByNumber', ['0x4', false])).toBeNull();
  expect(await server.result('eth_getBlockByHash', [`0x${'ab'.repeat(32)}`, true])).toBeNull();
  expect(await server.result('eth_getBlockTransactionCountByNumber', ['0x4'])).toBeNull();
  expect(await server.result('eth_getUncleCountByBlockHash', [`0x${'ab'.repeat(32)}`])).toBeNull();
  expect(await server.result('eth_getBlockReceipts', ['0x4'])).toBeNull();
});

test('latest and safe are the head, finalized is what the L1 covers, earliest is block 0', async () => {
  const numberOf = async (tag: string) => (await server.result('eth_getBlockByNumber', [tag, false])).number;
  expect(await numberOf('latest')).toBe('0x3');
  expect(await numberOf('safe')).toBe('0x3');
  expect(await numberOf('finalized')).toBe('0x2');
  expect(await numberOf('earliest')).toBe('0x0');
  server.setFinalized(99n);
  expect(await numberOf('finalized')).toBe('0x3');
  server.setFinalized(2n);
});

test('the hash is keccak of the header that is shown', async () => {
  const block = await server.result('eth_getBlockByNumber', ['0x1', false]);
  expect(blockHashFromRpc(block)).toBe(block.hash);
  expect(await server.result('eth_getBlockByHash', [block.hash, false])).toEqual(block);
});

test('a block carries size, empty withdrawals and uncles, and no field that is null', async () => {
  const block = await server.result('eth_getBlockByNumber', ['0x1', true]);
  expect(block.withdrawals).toEqual([]);
  expect(block.uncles).toEqual([]);
  expect(Object.values(block)).not.toContain(null);
  const { RLP } = await import('@ethereumjs/rlp');
  const record = (await server.chain.blockAt(1n))!;
  const encoded = RLP.encode([
    RLP.decode(record.header),
    record.transactions.map((raw) => (raw[0]! >= 0xc0 ? RLP.decode(raw) : raw)),
    [],
    [],
  ]);
  expect(BigInt(block.size)).toBe(BigInt(encoded.length));
});

test('transactions are hashes or whole, as asked', async () => {
  const short = await server.result('eth_getBlockByNumber', ['0x1', false]);
  const full = await server.result('eth_getBlockByNumber', ['0x1', true]);
  expect(short.transactions).toEqual(full.transactions.map(({ hash }: { hash: string }) => hash));
  expect(full.transactions.map(({ type }: { type: string }) => type)).toEqual(['0x0', '0x1', '0x2', '0x4']);
  expect(await server.result('eth_getBlockTransactionCountByNumber', ['0x1'])).toBe('0x4');
  expect(await server.result('eth_getBlockTransactionCountByHash', [full.hash])).toBe('0x4');
});

test('the pending block has a number and a parent, but no hash, nonce or miner', async () => {
  const head = await server.result('eth_getBlockByNumber', ['latest', false]);
  const pending = await server.result('eth_getBlockByNumber', ['pending', true]);
  expect(pending).toMatchObject({
    number: '0x4',
    parentHash: head.hash,
    hash: null,
    nonce: null,
    miner: null,
    transactions: [],
    baseFeePerGas: '0x3b9aca00',
    gasUsed: '0x0',
  });
  expect(Object.keys(pending).sort()).toEqual(Object.keys(head).sort());
  expect(await server.result('eth_getBlockTransactionCountByNumber', ['pending'])).toBe('0x0');
  expect(await server.result('eth_getBlockReceipts', ['pending'])).toEqual([]);
});

test('there are no uncles', async () => {
  const { hash } = await server.result('eth_getBlockByNumber', ['0x1', false]);
  expect(await server.result('eth_getUncleCountByBlockNumber', ['0x1'])).toBe('0x0');
  expect(await server.result('eth_getUncleCountByBlockHash', [hash])).toBe('0x0');
  expect(await server.result('eth_getUncleByBlockNumberAndIndex', ['0x1', '0x0'])).toBeNull();
  expect(await server.result('eth_getUncleByBlockHashAndIndex', [hash, '0x0'])).toBeNull();
});

test('a new head is seen as soon as it is published, and not before', async () => {
  const own = await startServer();
  try {
    expect(await own.result('eth_blockNumber')).toBe('0x0');
    const { hash } = own.append();
    expect(await own.result('eth_blockNumber')).toBe('0x1');
    expect((await own.result('eth_getBlockByNumber', ['latest', false])).hash).toBe(hash);
  } finally {
    await own.stop();
  }
});
