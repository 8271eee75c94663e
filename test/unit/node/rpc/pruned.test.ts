/** The server over a chain whose first heights are pruned. */
import { createCallRunner } from '#node/execution/callRunner.ts';
import { openChain } from '#node/execution/openChain.ts';
import { exampleGenesis, temporaryFolder, USERS } from '#test/unit/node/execution/exampleChain.ts';
import { growChain, PRUNED } from '#test/unit/node/execution/growingChain.ts';
import { startServer } from '#test/unit/node/rpc/fakes/server.ts';

test('heights behind the window are answered with geth’s codes and words, and no log line', async () => {
  const folder = await temporaryFolder();
  const genesis = await exampleGenesis();
  const options = { dataDir: folder.path, genesis };
  await growChain({ ...options, storage: PRUNED, blocks: 14, neededFrom: (head) => head });
  const chain = await openChain({ ...options, storage: PRUNED });
  const calls = createCallRunner({ ...options, threads: 1, timeoutMs: 60_000 });
  const logged: unknown[] = [];
  const logger = { debug() {}, info() {}, warn() {}, error: (fields: object) => logged.push(fields) };
  const server = await startServer({ chain, calls, genesis, logger });
  try {
    const { address } = USERS[0]!;
    const state = {
      code: -32000,
      message: expect.stringMatching(/^missing trie node: .*oldest kept here is that of 10;/),
    };
    const slot = `0x${'00'.repeat(32)}`;
    for (const [method, params] of [
      ['eth_getBalance', [address, '0x2']],
      ['eth_getTransactionCount', [address, '0x9']],
      ['eth_getCode', [address, 'earliest']],
      ['eth_getStorageAt', [address, slot, '0x2']],
      ['eth_call', [{ to: address }, '0x2']],
      ['eth_estimateGas', [{ to: address }, '0x2']],
    ] as const)
      expect([method, (await server.request(method, params)).error]).toEqual([method, state]);
    const history = {
      code: 4444,
      message: expect.stringMatching(/^pruned history unavailable: .*ask an archive node$/),
    };
    for (const [method, params] of [
      ['eth_getBlockByNumber', ['0x7', false]],
      ['eth_getBlockTransactionCountByNumber', ['0x7']],
      ['eth_getBlockReceipts', ['0x7']],
      ['eth_getTransactionByBlockNumberAndIndex', ['0x7', '0x0']],
    ] as const)
      expect([method, (await server.request(method, params)).error]).toEqual([method, history]);
    const topic = `0x${'00'.repeat(31)}2a`;
    const logs = (from: string, topics: readonly string[]) =>
      server.request('eth_getLogs', [{ fromBlock: from, toBlock: 'latest', topics }]);
    expect((await logs('0x1', [topic])).result).toEqual([]);
    expect((await server.request('eth_getBalance', [address, '0xa'])).result).toMatch(/^0x/);
    expect((await server.request('eth_getBlockByNumber', ['0x8', true])).result.transactions).toHaveLength(2);
    expect(logged).toEqual([]);
  } finally {
    await server.stop();
    await calls.close();
    await chain.close();
    await folder.remove();
  }
}, 60_000);
