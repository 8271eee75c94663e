import { startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';
import { transferOf } from '#test/unit/node/rpc/fakes/transactions.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  server.append([
    { ...(await transferOf('eip1559', 0)), effectiveGasPrice: 0n, gasUsed: 1_000_000n },
    { ...(await transferOf('eip1559', 1)), effectiveGasPrice: 1_000_000_007n, gasUsed: 1_000_000n },
    { ...(await transferOf('eip1559', 2)), effectiveGasPrice: 1_000_000_003n, gasUsed: 1_000_000n },
  ]);
  server.append();
});
afterAll(() => server.stop());

test('the price is the fixed base fee and no tip is needed', async () => {
  expect(await server.result('eth_gasPrice')).toBe('0x3b9aca00');
  expect(await server.result('eth_maxPriorityFeePerGas')).toBe('0x0');
  expect(await server.result('eth_blobBaseFee')).toBe('0x1');
});

test('history has one base fee more than blocks', async () => {
  const history = await server.result('eth_feeHistory', ['0x2', 'latest', []]);
  expect(history).toEqual({
    oldestBlock: '0x1',
    baseFeePerGas: ['0x3b9aca00', '0x3b9aca00', '0x3b9aca00'],
    gasUsedRatio: [0.1, 0],
    baseFeePerBlobGas: ['0x1', '0x1', '0x1'],
    blobGasUsedRatio: [0, 0],
  });
  expect(await server.result('eth_feeHistory', [2, 'pending', null])).toEqual(history);
});

test('history ends at block 0 however much is asked', async () => {
  const history = await server.result('eth_feeHistory', ['0xffff', 'latest', []]);
  expect(history.oldestBlock).toBe('0x0');
  expect(history.baseFeePerGas).toHaveLength(4);
  expect((await server.result('eth_feeHistory', ['0x0', 'latest', []])).gasUsedRatio).toEqual([]);
});

test('tips are taken at percentiles of the gas, an import counting as none', async () => {
  const { reward } = await server.result('eth_feeHistory', ['0x2', 'latest', [10, 50, 90]]);
  expect(reward).toEqual([
    ['0x0', '0x3', '0x7'],
    ['0x0', '0x0', '0x0'],
  ]);
});

test('wrong percentiles and blocks to come are refused', async () => {
  for (const wrong of [[101], [-1], [50, 10], Array.from({ length: 101 }, (_, index) => index / 2)])
    expect((await server.error('eth_feeHistory', ['0x1', 'latest', wrong])).code).toBe(-32000);
  expect((await server.error('eth_feeHistory', ['0x1', 'latest', 'x'])).code).toBe(-32602);
  expect((await server.error('eth_feeHistory', ['0x1', '0x9', []])).message).toBe(
    'request beyond head block: requested 9, head 2',
  );
});
