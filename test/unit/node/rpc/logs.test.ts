import { type Hash, type Hex, parseAddress, parseHash } from '#consensus/primitives.ts';
import { startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';
import { BOB, signTransfer, transferOf } from '#test/unit/node/rpc/fakes/transactions.ts';

const TOKEN = parseAddress(`0x${'7'.repeat(40)}`);
const topic = (byte: string): Hash => parseHash(`0x${byte.repeat(32)}`);
const log = (address: typeof BOB, topics: Hash[], data: Hex = '0x') => ({ address, topics, data });

let server: TestServer;
let nonce = 0;
const append = async (...logs: ReturnType<typeof log>[]) =>
  server.append([await transferOf('legacy', nonce++, logs)]);

beforeEach(async () => {
  server = await startServer();
  await append(log(BOB, [topic('aa'), topic('01')]), log(TOKEN, [topic('aa')]));
  await append();
  await append(log(BOB, [topic('bb'), topic('02')]), log(BOB, []));
});
afterEach(() => server.stop());

const find = async (filter: unknown): Promise<string[]> =>
  (await server.result('eth_getLogs', [filter])).map(
    ({ blockNumber, logIndex }: { blockNumber: string; logIndex: string }) =>
      `${Number(blockNumber)}/${Number(logIndex)}`,
  );

test('logs are matched by address and by topic position', async () => {
  const range = { fromBlock: '0x0', toBlock: 'latest' };
  expect(await find(range)).toEqual(['1/0', '1/1', '3/0', '3/1']);
  expect(await find({ ...range, address: BOB })).toEqual(['1/0', '3/0', '3/1']);
  expect(await find({ ...range, address: [TOKEN, BOB] })).toHaveLength(4);
  expect(await find({ ...range, address: [] })).toHaveLength(4);
  expect(await find({ ...range, address: null, topics: null })).toHaveLength(4);
  expect(await find({ ...range, topics: [topic('aa')] })).toEqual(['1/0', '1/1']);
  expect(await find({ ...range, topics: [null, topic('02')] })).toEqual(['3/0']);
  expect(
    await find({
      ...range,
      topics: [
        [topic('aa'), topic('bb')],
        [topic('01'), topic('02')],
      ],
    }),
  ).toEqual(['1/0', '3/0']);
  expect(await find({ ...range, topics: [[topic('aa'), null]] })).toEqual(['1/0', '1/1', '3/0']);
  expect(await find({ ...range, topics: [topic('02')] })).toEqual([]);
});

test('a range defaults to the head, ends at the head, and may be one block by hash', async () => {
  expect(await find({})).toEqual(['3/0', '3/1']);
  expect(await find({ fromBlock: 'earliest', toBlock: '0xffff' })).toHaveLength(4);
  expect(await find({ fromBlock: '0x10', toBlock: '0x20' })).toEqual([]);
  const { hash } = (await server.chain.blockAt(1n))!;
  expect(await find({ blockHash: hash })).toEqual(['1/0', '1/1']);
  expect(await find({ blockHash: hash, address: TOKEN })).toEqual(['1/1']);
  expect(await server.error('eth_getLogs', [{ blockHash: topic('ee') }])).toEqual({
    code: -32000,
    message: 'unknown block',
  });
});

test('filters that make no sense are refused with -32602', async () => {
  const { hash } = (await server.chain.blockAt(1n))!;
  for (const filter of [
    { fromBlock: '0x3', toBlock: '0x1' },
    { fromBlock: 'pending' },
    { blockHash: hash, fromBlock: '0x0' },
    { topics: [null, null, null, null, null] },
    { topics: 'aa' },
    { topics: ['0x12'] },
    { address: '0x12' },
    { address: Array.from({ length: 1_001 }, () => BOB) },
    { fromBlock: 1 },
    'latest',
    [],
  ])
    expect((await server.error('eth_getLogs', [filter])).code).toBe(-32602);
});

test('a query is bounded in blocks and in results', async () => {
  const small = await startServer({ limits: { maxLogBlocks: 3, maxLogResults: 2 } });
  try {
    small.append([await transferOf('legacy', 0, [log(BOB, []), log(BOB, []), log(BOB, [])])]);
    for (let i = 0; i < 4; i++) small.append();
    expect(await small.error('eth_getLogs', [{ fromBlock: '0x2', toBlock: '0x5' }])).toEqual({
      code: -32602,
      message: 'exceed maximum block range: 3; ask for it in parts',
    });
    expect(await small.result('eth_getLogs', [{ fromBlock: '0x2', toBlock: '0x4' }])).toEqual([]);
    expect((await small.error('eth_getLogs', [{ fromBlock: '0x0', toBlock: '0x1' }])).message).toMatch(
      /more than 2 results/,
    );
  } finally {
    await small.stop();
  }
});

test('a log filter reports what is new since it was last asked, once', async () => {
  const id = await server.result('eth_newFilter', [{ address: BOB }]);
  expect(id).toMatch(/^0x[1-9a-f][0-9a-f]*$/);
  expect(await server.result('eth_getFilterChanges', [id])).toEqual([]);
  await append(log(BOB, [topic('cc')]), log(TOKEN, []));
  await append(log(BOB, [topic('dd')]));
  const changes = await server.result('eth_getFilterChanges', [id]);
  expect(changes.map(({ blockNumber }: { blockNumber: string }) => blockNumber)).toEqual(['0x4', '0x5']);
  expect(await server.result('eth_getFilterChanges', [id])).toEqual([]);
  expect(await server.result('eth_getFilterLogs', [id])).toEqual(
    await server.result('eth_getLogs', [{ address: BOB }]),
  );
});

test('a log filter keeps to its range', async () => {
  const id = await server.result('eth_newFilter', [{ fromBlock: '0x5', toBlock: '0x5' }]);
  for (let i = 0; i < 3; i++) await append(log(BOB, []));
  const changes = await server.result('eth_getFilterChanges', [id]);
  expect(changes.map(({ blockNumber }: { blockNumber: string }) => blockNumber)).toEqual(['0x5']);
});

test('a block filter reports hashes, a pending filter the hashes of what was admitted', async () => {
  const blocks = await server.result('eth_newBlockFilter');
  const pending = await server.result('eth_newPendingTransactionFilter');
  const first = server.append();
  const second = server.append();
  const hash = await server.result('eth_sendRawTransaction', [await signTransfer('eip1559', 70)]);
  expect(await server.result('eth_getFilterChanges', [blocks])).toEqual([first.hash, second.hash]);
  expect(await server.result('eth_getFilterChanges', [pending])).toEqual([hash]);
  expect(await server.result('eth_getFilterChanges', [pending])).toEqual([]);
  expect((await server.error('eth_getFilterLogs', [blocks])).message).toBe('filter not found');
});

test('an uninstalled, unknown or expired filter is not found', async () => {
  let now = 1_000_000;
  const own = await startServer({ nowMs: () => now, limits: { filterExpiryMs: 1_000, maxFilters: 2 } });
  const notFound = { code: -32000, message: 'filter not found' };
  try {
    const id = await own.result('eth_newBlockFilter');
    now += 900;
    await own.result('eth_getFilterChanges', [id]);
    now += 900;
    await own.result('eth_getFilterChanges', [id]);
    now += 1_100;
    expect(await own.error('eth_getFilterChanges', [id])).toEqual(notFound);
    expect(await own.error('eth_getFilterChanges', ['0x1'])).toEqual(notFound);
    const removed = await own.result('eth_newBlockFilter');
    expect(await own.result('eth_uninstallFilter', [removed])).toBe(true);
    expect(await own.result('eth_uninstallFilter', [removed])).toBe(false);
    expect(await own.error('eth_getFilterChanges', [removed])).toEqual(notFound);
    const [oldest, kept] = [await own.result('eth_newBlockFilter'), await own.result('eth_newBlockFilter')];
    await own.result('eth_newBlockFilter');
    expect(await own.error('eth_getFilterChanges', [oldest])).toEqual(notFound);
    expect(await own.result('eth_getFilterChanges', [kept])).toEqual([]);
  } finally {
    await own.stop();
  }
});

test('a query over many blocks is work for a call thread, one over a few is not', async () => {
  const head = BigInt(await server.result('eth_blockNumber'));
  for (let height = head; height < 40n; height++) server.append();
  const before = server.fakeCalls.jobs.length;
  const last = Number(await server.result('eth_blockNumber'));
  await server.result('eth_getLogs', [{ fromBlock: `0x${(last - 10).toString(16)}` }]);
  expect(server.fakeCalls.jobs.length).toBe(before);
  await server.result('eth_getLogs', [{ fromBlock: '0x0' }]);
  expect(server.fakeCalls.jobs.at(-1)).toMatchObject({ kind: 'logs', height: 0n, toHeight: BigInt(last) });
});
