import { VALIDATORS } from '#test/unit/node/rpc/fakes/genesis.ts';
import { startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  server.append();
});
afterAll(() => server.stop());

test('a checkpoint comes with its valueId and the certificate that makes it final', async () => {
  const block = (await server.chain.blockAt(1n))!;
  const shown = await server.result('causeway_getCheckpoint', ['0x1']);
  expect(shown).toEqual({
    checkpoint: expect.objectContaining({
      height: '0x1',
      blockHash: block.hash,
      outboxCount: '0x0',
      nextValidatorsHash: VALIDATORS.hash,
    }),
    valueId: block.valueId,
    certificate: {
      height: '0x1',
      round: '0x0',
      valueId: block.valueId,
      signatures: block.certificate!.signatures,
    },
  });
  expect(await server.result('causeway_getCheckpoint', [])).toEqual(shown);
  expect(await server.result('causeway_getCheckpoint', [block.hash])).toEqual(shown);
  expect((await server.result('causeway_getCheckpoint', ['0x0'])).certificate).toBeNull();
  expect(await server.result('causeway_getCheckpoint', ['0x2'])).toBeNull();
});

test('validator sets are shown by height, pending being the set of the next one', async () => {
  const shown = await server.result('causeway_validators', ['0x1']);
  expect(shown).toMatchObject({ height: '0x1', hash: VALIDATORS.hash, totalPower: '0x4' });
  expect(shown.validators).toHaveLength(4);
  expect((await server.result('causeway_validators', ['pending'])).height).toBe('0x2');
  expect(await server.result('causeway_validators', ['0x2'])).toBeNull();
});

test('status and genesis are shown with quantities', async () => {
  expect(await server.result('causeway_status')).toEqual({ name: 'validator-1', height: '0x1' });
  expect(await server.result('causeway_genesis')).toMatchObject({
    chainId: '0xa5b8',
    l1ChainId: '0x7a69',
    feePolicy: { mode: 'fixed', baseFeeWei: '0x3b9aca00' },
    relayerThreshold: '0x2',
  });
});

test('the node says what it is and what it offers', async () => {
  expect(await server.result('web3_clientVersion')).toMatch(/^causeway\/v\d+\.\d+\.\d+\/\w+-\w+\/node24/);
  expect(await server.result('web3_sha3', ['0x'])).toBe(
    '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470',
  );
  expect(await server.result('rpc_modules')).toEqual({
    causeway: '1.0',
    eth: '1.0',
    net: '1.0',
    rpc: '1.0',
    web3: '1.0',
  });
  expect(await server.result('net_version')).toBe('42424');
  expect(await server.result('net_listening')).toBe(true);
  expect(await server.result('net_peerCount')).toBe('0x3');
  expect(await server.result('eth_accounts')).toEqual([]);
});

test('syncing is false, or how far the node is', async () => {
  expect(await server.result('eth_syncing')).toBe(false);
  const own = await startServer({
    syncing: () => ({ startingHeight: 0n, currentHeight: 5n, highestHeight: 16n }),
  });
  expect(await own.result('eth_syncing')).toEqual({
    startingBlock: '0x0',
    currentBlock: '0x5',
    highestBlock: '0x10',
  });
  await own.stop();
});
