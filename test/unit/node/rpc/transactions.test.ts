import { Transaction } from 'ethers';
import { type Hash, type Hex, parseHash } from '#consensus/primitives.ts';
import { startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';
import {
  ALICE,
  ALICE_ADDRESS,
  BOB,
  signTransfer,
  TYPE_NAMES,
  transferOf,
} from '#test/unit/node/rpc/fakes/transactions.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});
afterEach(() => server.stop());

const log = (topic: string) => ({
  address: BOB,
  topics: [parseHash(`0x${topic.repeat(32)}`)],
  data: '0x00' as Hex,
});

test('a transaction is visible, without a block, as soon as it was sent, and has no receipt', async () => {
  for (const [nonce, type] of TYPE_NAMES.entries()) {
    const raw = await signTransfer(type, nonce);
    const hash = await server.result('eth_sendRawTransaction', [raw]);
    const shown = await server.result('eth_getTransactionByHash', [hash]);
    expect(shown).toMatchObject({
      hash,
      from: ALICE_ADDRESS,
      to: BOB,
      blockHash: null,
      blockNumber: null,
      transactionIndex: null,
      nonce: `0x${nonce}`,
    });
    expect(await server.result('eth_getRawTransactionByHash', [hash])).toBe(raw);
    expect(await server.result('eth_getTransactionReceipt', [hash])).toBeNull();
  }
  expect(await server.result('eth_getTransactionCount', [ALICE_ADDRESS, 'pending'])).toBe('0x4');
  expect(await server.result('eth_getTransactionCount', [ALICE_ADDRESS, 'latest'])).toBe('0x0');
});

test('every field of every type is what was signed', async () => {
  server.append(await Promise.all(TYPE_NAMES.map((type, nonce) => transferOf(type, nonce))));
  const block = await server.result('eth_getBlockByNumber', ['latest', true]);
  for (const [index, shown] of block.transactions.entries()) {
    const raw = await server.result('eth_getRawTransactionByHash', [shown.hash]);
    const signed = Transaction.from(raw);
    expect(shown).toMatchObject({
      hash: signed.hash,
      from: signed.from!.toLowerCase(),
      to: signed.to!.toLowerCase(),
      type: `0x${signed.type}`,
      chainId: '0xa5b8',
      input: signed.data,
      blockHash: block.hash,
      blockNumber: '0x1',
      blockTimestamp: block.timestamp,
      transactionIndex: `0x${index}`,
    });
    expect(BigInt(shown.nonce)).toBe(BigInt(signed.nonce));
    expect(BigInt(shown.gas)).toBe(signed.gasLimit);
    expect(BigInt(shown.value)).toBe(signed.value);
    expect(BigInt(shown.r)).toBe(BigInt(signed.signature!.r));
    expect(BigInt(shown.s)).toBe(BigInt(signed.signature!.s));
    expect(BigInt(shown.v)).toBe(
      signed.type === 0 ? signed.signature!.networkV! : BigInt(signed.signature!.yParity),
    );
    expect(shown.yParity).toBe(signed.type === 0 ? undefined : shown.v);
    if (signed.type! >= 2) {
      expect(BigInt(shown.maxFeePerGas)).toBe(signed.maxFeePerGas);
      expect(BigInt(shown.maxPriorityFeePerGas)).toBe(signed.maxPriorityFeePerGas);
      expect(BigInt(shown.gasPrice)).toBe(1_000_000_001n);
    } else expect(BigInt(shown.gasPrice)).toBe(signed.gasPrice);
    if (signed.type === 1 || signed.type === 2)
      expect(shown.accessList).toEqual([{ address: BOB, storageKeys: signed.accessList![0]!.storageKeys }]);
    if (signed.type === 4) {
      const [authorization] = signed.authorizationList!;
      expect(shown.authorizationList[0]).toMatchObject({ address: BOB, chainId: '0xa5b8' });
      expect(BigInt(shown.authorizationList[0].nonce)).toBe(authorization!.nonce);
      expect(BigInt(shown.authorizationList[0].r)).toBe(BigInt(authorization!.signature.r));
    }
  }
});

test('transactions are found by their place in a block, null outside of it', async () => {
  server.append([await transferOf('eip1559')]);
  const { hash } = await server.result('eth_getBlockByNumber', ['latest', false]);
  const byNumber = await server.result('eth_getTransactionByBlockNumberAndIndex', ['0x1', '0x0']);
  expect(byNumber.from).toBe(ALICE_ADDRESS);
  expect(await server.result('eth_getTransactionByBlockHashAndIndex', [hash, '0x0'])).toEqual(byNumber);
  expect(await server.result('eth_getTransactionByBlockHashAndIndex', [hash, '0x1'])).toBeNull();
  expect(await server.result('eth_getTransactionByBlockNumberAndIndex', ['0x9', '0x0'])).toBeNull();
  expect(await server.result('eth_getTransactionByBlockNumberAndIndex', ['pending', '0x0'])).toBeNull();
});

test('receipts show type, price and logs numbered through the block', async () => {
  server.append([
    await transferOf('legacy', 0, [log('aa'), log('bb')]),
    await transferOf('eip1559', 1, [log('cc')]),
  ]);
  const receipts = await server.result('eth_getBlockReceipts', ['latest']);
  expect(receipts).toHaveLength(2);
  expect(receipts[1]).toMatchObject({
    type: '0x2',
    status: '0x1',
    transactionIndex: '0x1',
    from: ALICE_ADDRESS,
    to: BOB,
    contractAddress: null,
    gasUsed: '0x5208',
    cumulativeGasUsed: '0xa410',
    effectiveGasPrice: '0x3b9aca01',
  });
  const logs = receipts.flatMap((receipt: { logs: unknown[] }) => receipt.logs);
  expect(logs.map(({ logIndex }: { logIndex: string }) => logIndex)).toEqual(['0x0', '0x1', '0x2']);
  const block = await server.result('eth_getBlockByNumber', ['latest', false]);
  expect(logs[2]).toMatchObject({
    blockHash: block.hash,
    blockTimestamp: block.timestamp,
    transactionIndex: '0x1',
    removed: false,
  });
  for (const receipt of receipts)
    expect(await server.result('eth_getTransactionReceipt', [receipt.transactionHash])).toEqual(receipt);
  expect(await server.result('eth_getBlockReceipts', [block.hash])).toEqual(receipts);
  expect(await server.result('eth_getBlockReceipts', [{ blockHash: block.hash }])).toEqual(receipts);
});

test('what the pool refuses is answered with -32000 and its words', async () => {
  const raw = await signTransfer('eip1559');
  await server.result('eth_sendRawTransaction', [raw]);
  expect(await server.error('eth_sendRawTransaction', [raw])).toEqual({
    code: -32000,
    message: 'already known',
  });
  expect((await server.error('eth_sendRawTransaction', ['0x1234'])).code).toBe(-32000);
  expect((await server.error('eth_sendRawTransaction', ['0x123'])).code).toBe(-32602);
  expect((await server.error('eth_sendRawTransaction', ['hello'])).code).toBe(-32602);
  server.fakeMempool.refuse({ code: 'NONCE_TOO_LOW', message: 'nonce too low: next nonce 3, tx nonce 0' });
  expect(await server.error('eth_sendRawTransaction', [await signTransfer('legacy')])).toEqual({
    code: -32000,
    message: 'nonce too low: next nonce 3, tx nonce 0',
  });
});

test('a transaction that is committed between two looks is not lost', async () => {
  const transaction = await transferOf('eip1559');
  const hash = (await server.result('eth_sendRawTransaction', [await signTransfer('eip1559')])) as Hash;
  const { transactionLocation } = server.chain;
  let looks = 0;
  server.chain.transactionLocation = async (wanted) => {
    looks += 1;
    const found = await transactionLocation(wanted);
    if (looks === 1) {
      server.append([transaction]);
      server.fakeMempool.remove(hash);
    }
    return found;
  };
  expect((await server.result('eth_getTransactionByHash', [hash])).blockNumber).toBe('0x1');
});

test('the receipt is there if and only if the transaction has a block', async () => {
  const hash = await server.result('eth_sendRawTransaction', [await signTransfer('eip1559')]);
  expect((await server.result('eth_getTransactionByHash', [hash])).blockHash).toBeNull();
  expect(await server.result('eth_getTransactionReceipt', [hash])).toBeNull();
  server.append([await transferOf('eip1559')]);
  // The pool may forget it later than the chain publishes it.
  const receipt = await server.result('eth_getTransactionReceipt', [hash]);
  const transaction = await server.result('eth_getTransactionByHash', [hash]);
  expect(transaction.blockHash).toBe(receipt.blockHash);
  expect(await server.result('eth_blockNumber')).toBe(receipt.blockNumber);
});

test('an import transaction shows the price it paid: none', async () => {
  server.append([{ ...(await transferOf('eip1559')), effectiveGasPrice: 0n }]);
  const shown = await server.result('eth_getTransactionByBlockNumberAndIndex', ['latest', '0x0']);
  expect(shown.gasPrice).toBe('0x0');
  expect((await server.result('eth_getTransactionReceipt', [shown.hash])).effectiveGasPrice).toBe('0x0');
});

test('a transaction from before EIP-155 has no chain id', async () => {
  const raw = await ALICE.signTransaction({
    type: 'legacy',
    to: null,
    data: '0x00',
    gas: 60_000n,
    gasPrice: 1n,
  });
  const hash = await server.result('eth_sendRawTransaction', [raw]);
  const shown = await server.result('eth_getTransactionByHash', [hash]);
  expect(shown).toMatchObject({ type: '0x0', to: null, from: ALICE_ADDRESS, input: '0x00' });
  expect(['0x1b', '0x1c']).toContain(shown.v);
  expect(shown).not.toHaveProperty('chainId');
});
