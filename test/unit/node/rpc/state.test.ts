import { encodeErrorResult, parseAbi } from 'viem';
import { parseHash } from '#consensus/primitives.ts';
import { startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';
import { ALICE_ADDRESS, BOB } from '#test/unit/node/rpc/fakes/transactions.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
  server.append();
  server.append();
});
afterEach(() => server.stop());

const lastCall = () => server.fakeCalls.asked.at(-1)!;
const revert = (data: `0x${string}`) => server.fakeCalls.answerWith({ status: 'revert', data, gasUsed: 1n });

test('unknown blocks are refused as geth refuses them', async () => {
  for (const method of ['eth_getBalance', 'eth_getCode', 'eth_getTransactionCount'])
    expect(await server.error(method, [BOB, '0x3'])).toEqual({ code: -32000, message: 'header not found' });
  expect(await server.error('eth_call', [{ to: BOB }, '0x3'])).toEqual({
    code: -32000,
    message: 'header not found',
  });
  expect(await server.error('eth_getBalance', [BOB, { blockHash: `0x${'ab'.repeat(32)}` }])).toEqual({
    code: -32000,
    message: 'header for hash not found',
  });
});

test('block parameters come as tags, heights, hashes and objects, and pending is the state of the head', async () => {
  const { hash } = (await server.chain.blockAt(1n))!;
  const heightFor = async (parameter: unknown[]) => {
    await server.result('eth_call', [{ to: BOB }, ...parameter]);
    return lastCall().height;
  };
  expect(await heightFor([])).toBe(2n);
  expect(await heightFor([null])).toBe(2n);
  for (const tag of ['latest', 'safe', 'pending']) expect(await heightFor([tag])).toBe(2n);
  expect(await heightFor(['finalized'])).toBe(0n);
  expect(await heightFor(['earliest'])).toBe(0n);
  expect(await heightFor(['0x1'])).toBe(1n);
  expect(await heightFor([hash])).toBe(1n);
  expect(await heightFor([{ blockHash: hash }])).toBe(1n);
  expect(await heightFor([{ blockHash: hash, requireCanonical: true }])).toBe(1n);
  expect(await heightFor([{ blockNumber: '0x1' }])).toBe(1n);
  expect(await heightFor([{ blockNumber: 'latest', blockHash: null }])).toBe(2n);
  for (const wrong of [{ blockNumber: '0x1', blockHash: hash }, {}, [], 'newest', '0x', '0x01', 5, true])
    expect((await server.error('eth_call', [{ to: BOB }, wrong])).code).toBe(-32602);
});

test('accounts that do not exist are empty', async () => {
  expect(await server.result('eth_getBalance', [BOB, 'latest'])).toBe('0x0');
  expect(await server.result('eth_getTransactionCount', [BOB, 'latest'])).toBe('0x0');
  expect(await server.result('eth_getCode', [BOB, 'latest'])).toBe('0x');
  expect(await server.result('eth_getStorageAt', [BOB, '0x0', 'latest'])).toBe(`0x${'00'.repeat(32)}`);
});

test('accounts, code and slots are shown, addresses in any letter case', async () => {
  server.setAccount(ALICE_ADDRESS, { nonce: 16n, balance: 10n ** 20n });
  server.setCode(ALICE_ADDRESS, '0x6001');
  server.setSlot(ALICE_ADDRESS, parseHash(`0x${'2'.padStart(64, '0')}`), parseHash(`0x${'ab'.repeat(32)}`));
  const checksummed = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266';
  expect(await server.result('eth_getBalance', [checksummed, 'latest'])).toBe('0x56bc75e2d63100000');
  expect(await server.result('eth_getTransactionCount', [checksummed, 'latest'])).toBe('0x10');
  expect(await server.result('eth_getTransactionCount', [checksummed, 'pending'])).toBe('0x10');
  expect(await server.result('eth_getCode', [checksummed, 'latest'])).toBe('0x6001');
  for (const slot of ['0x2', '0x02', `0x${'2'.padStart(64, '0')}`])
    expect(await server.result('eth_getStorageAt', [checksummed, slot, 'latest'])).toBe(
      `0x${'ab'.repeat(32)}`,
    );
  expect((await server.error('eth_getStorageAt', [checksummed, `0x${'2'.padStart(65, '0')}`])).code).toBe(
    -32602,
  );
});

test('a call may carry null, unknown and duplicate fields', async () => {
  await server.result('eth_call', [
    {
      from: ALICE_ADDRESS,
      to: BOB,
      data: '0x1234',
      input: '0x1234',
      gas: '0x2faf080',
      gasPrice: null,
      value: '0x1',
      nonce: null,
      type: '0x2',
      accessList: [{ address: BOB, storageKeys: null }],
      chainId: '0xa5b8',
      somethingElse: { deep: true },
    },
    'latest',
    {},
    null,
  ]);
  expect(lastCall().request).toEqual({
    from: ALICE_ADDRESS,
    to: BOB,
    data: Uint8Array.of(0x12, 0x34),
    gas: 50_000_000n,
    valueWei: 1n,
    accessList: [{ address: BOB, storageKeys: [] }],
  });
  await server.result('eth_call', [{ to: null, data: '0x00', gas: '0xffffffffffff' }]);
  expect(lastCall().request).toEqual({ data: Uint8Array.of(0), gas: 50_000_000n });
  await server.result('eth_call', [{ __proto__: null, constructor: 1, to: BOB }]);
  expect(lastCall().request).toEqual({ to: BOB });
});

test('a call that contradicts itself, or asks for what is not there, is refused', async () => {
  const refused = (call: unknown, ...rest: unknown[]) => server.error('eth_call', [call, 'latest', ...rest]);
  expect((await refused({ data: '0x01', input: '0x02' })).message).toMatch(/both "data" and "input" are set/);
  expect((await refused({ gasPrice: '0x1', maxFeePerGas: '0x1' })).message).toMatch(/both gasPrice and/);
  expect((await refused({ maxFeePerGas: '0x1', maxPriorityFeePerGas: '0x2' })).code).toBe(-32000);
  expect((await refused({ chainId: '0x1' })).message).toMatch(/have=1, want=42424/);
  expect((await refused({ authorizationList: [{}] })).code).toBe(-32602);
  expect((await refused({ blobVersionedHashes: ['0x'] })).code).toBe(-32602);
  expect((await refused({}, { [BOB]: { balance: 'x' } })).code).toBe(-32602);
  expect((await refused({}, { bob: { balance: '0x1' } })).code).toBe(-32602);
  expect((await refused({}, { [BOB]: { stateDiff: { x: '0x1' } } })).code).toBe(-32602);
  expect((await refused({ value: '0x01' })).code).toBe(-32602);
  expect((await refused({ to: '0x1234' })).code).toBe(-32602);
  expect((await refused('0x')).code).toBe(-32602);
});

test('a revert is code 3 with its data in hex and its reason in words', async () => {
  const abi = parseAbi(['error Error(string)', 'error Panic(uint256)', 'error Custom(uint256)']);
  const errorFor = async (data: `0x${string}`) => {
    revert(data);
    const error = await server.error('eth_call', [{ to: BOB }]);
    expect(await server.error('eth_estimateGas', [{ to: BOB }])).toEqual(error);
    return error;
  };
  const reason = encodeErrorResult({ abi, errorName: 'Error', args: ['not yours: ☃'] });
  expect(await errorFor(reason)).toEqual({
    code: 3,
    message: 'execution reverted: not yours: ☃',
    data: reason,
  });
  const panic = encodeErrorResult({ abi, errorName: 'Panic', args: [0x11n] });
  expect(await errorFor(panic)).toEqual({
    code: 3,
    message: 'execution reverted: arithmetic underflow or overflow',
    data: panic,
  });
  const unknownPanic = encodeErrorResult({ abi, errorName: 'Panic', args: [0x99n] });
  expect((await errorFor(unknownPanic)).message).toBe('execution reverted: unknown panic code: 0x99');
  const custom = encodeErrorResult({ abi, errorName: 'Custom', args: [1n] });
  expect(await errorFor(custom)).toEqual({ code: 3, message: 'execution reverted', data: custom });
  expect(await errorFor('0x')).toEqual({ code: 3, message: 'execution reverted', data: '0x' });
});

test('malformed revert data is passed on and never decoded beyond its end', async () => {
  const words = (...values: string[]) => values.map((value) => value.padStart(64, '0')).join('');
  for (const data of [
    '0x08c379a0',
    `0x08c379a0${words('20')}`,
    `0x08c379a0${words('20', 'ffff')}`,
    `0x08c379a0${words('f'.repeat(64), '1')}`,
    `0x08c379a0${words('0')}`,
    '0x4e487b71',
    '0x4e487b7100',
  ] as `0x${string}`[]) {
    revert(data);
    const error = await server.error('eth_call', [{ to: BOB }]);
    expect(error.code).toBe(3);
    expect(error.data).toBe(data);
  }
});

test('a call stopped by anything else is -32000 with its words', async () => {
  server.fakeCalls.answerWith({ status: 'error', code: 'OUT_OF_GAS', message: 'out of gas', gasUsed: 1n });
  expect(await server.error('eth_call', [{ to: BOB }])).toEqual({ code: -32000, message: 'out of gas' });
});

test('an estimate ignores the nonce and is a quantity', async () => {
  server.fakeCalls.answerWith({ status: 'success', data: '0x', gasUsed: 21_000n });
  expect(await server.result('eth_estimateGas', [{ to: BOB, nonce: '0x5', data: null }, 'pending'])).toBe(
    '0x5208',
  );
  expect(lastCall().request).toEqual({ to: BOB });
});
