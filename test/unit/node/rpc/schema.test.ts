/** What the server shows against the schemas of ethereum/execution-apis, where a copy of them is at hand. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';
import { BOB, signTransfer, TYPE_NAMES, transferOf } from '#test/unit/node/rpc/fakes/transactions.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../../..');
const file = join(root, '../shared/data/execution-apis/openrpc.json');
const isHere = existsSync(file);
const onSchemas = isHere ? test : test.skip;
if (!isHere) console.warn('schema checks are skipped: no copy of execution-apis beside the repository');

type Schema = Record<string, unknown>;
const document: {
  methods: { name: string; result: { schema?: Schema } & Schema }[];
  components: { schemas: Schema };
} = isHere ? JSON.parse(readFileSync(file, 'utf8')) : { methods: [], components: { schemas: {} } };

const compile = (schema: Schema): z.ZodType => {
  const definitions = JSON.parse(
    JSON.stringify(document.components.schemas).replaceAll('#/components/schemas/', '#/$defs/'),
  );
  const own = JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/'));
  return z.fromJSONSchema({ ...own, $defs: definitions });
};

const resultSchema = (method: string): z.ZodType => {
  const found = document.methods.find(({ name }) => name === method);
  if (found === undefined) throw new Error(`expected ${method} in the specification`);
  return compile(found.result.schema ?? found.result);
};

let server: TestServer;
let hashes: string[];
beforeAll(async () => {
  server = await startServer();
  const logs = [{ address: BOB, topics: [], data: '0x1234' as const }];
  const block = server.append(
    await Promise.all(TYPE_NAMES.map((type, nonce) => transferOf(type, nonce, logs))),
  );
  hashes = [...block.transactionHashes];
});
afterAll(() => server.stop());

const check = async (method: string, params: unknown[]): Promise<void> => {
  const result = await server.result(method, params);
  expect(result).not.toBeNull();
  const { error } = resultSchema(method).safeParse(result);
  expect(error?.issues ?? []).toEqual([]);
};

onSchemas('the checker refuses what is wrong', () => {
  expect(resultSchema('eth_chainId').safeParse('0x01').success).toBe(false);
  expect(resultSchema('eth_getTransactionReceipt').safeParse({ blockHash: '0x' }).success).toBe(false);
  expect(resultSchema('eth_getBlockByNumber').safeParse({ number: '0x1' }).success).toBe(false);
});

onSchemas('blocks conform, with hashes and with whole transactions', async () => {
  await check('eth_getBlockByNumber', ['0x1', false]);
  await check('eth_getBlockByNumber', ['0x1', true]);
  await check('eth_getBlockByNumber', ['0x0', true]);
});

onSchemas('transactions of every type conform', async () => {
  for (const hash of hashes) await check('eth_getTransactionByHash', [hash]);
});

onSchemas('receipts and logs conform', async () => {
  for (const hash of hashes) await check('eth_getTransactionReceipt', [hash]);
  await check('eth_getBlockReceipts', ['0x1']);
  await check('eth_getLogs', [{ fromBlock: '0x0' }]);
});

onSchemas('a pending transaction conforms', async () => {
  const hash = await server.result('eth_sendRawTransaction', [await signTransfer('eip1559', 9)]);
  const { error } = compile(document.components.schemas.PendingTransactionInfo as Schema).safeParse(
    await server.result('eth_getTransactionByHash', [hash]),
  );
  expect(error?.issues ?? []).toEqual([]);
});

onSchemas('single values conform', async () => {
  for (const method of [
    'eth_chainId',
    'eth_blockNumber',
    'eth_gasPrice',
    'eth_maxPriorityFeePerGas',
    'eth_blobBaseFee',
    'eth_syncing',
    'eth_accounts',
    'eth_newBlockFilter',
    'net_version',
  ])
    await check(method, []);
  await check('eth_feeHistory', ['0x2', 'latest', [50]]);
  await check('eth_getBalance', [BOB, 'latest']);
  await check('eth_getCode', [BOB, 'latest']);
  await check('eth_getStorageAt', [BOB, '0x0', 'latest']);
  await check('eth_getTransactionCount', [BOB, 'latest']);
  await check('eth_call', [{ to: BOB }, 'latest']);
  await check('eth_estimateGas', [{ to: BOB }]);
});
