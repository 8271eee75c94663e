/**
 * Every method's result on a chain with real transactions, against the schemas that `rpc_discover` states and, where a
 * copy is at hand, those of ethereum/execution-apis.
 */
import { METHODS } from '#node/rpc/methods.ts';
import { ALICE, BOB, CAROL, type FilledChain, startFilledChain } from '#test/rpc/support/filledChain.ts';
import {
  createChecker,
  isSpecificationHere,
  resultProblems,
  specification,
} from '#test/rpc/support/specification.ts';
import { type Answer, openSocket } from '#test/unit/node/rpc/fakes/server.ts';

let chain: FilledChain;
let ownProblems: (method: string, result: unknown) => string[];
beforeAll(async () => {
  chain = await startFilledChain();
  ownProblems = createChecker(await chain.result('rpc_discover'));
  // Waiting: executable, and behind a gap.
  const gap = { nonce: chain.nonceOf(CAROL) + 5, to: BOB.address, value: 1n, gas: 21_000n };
  for (const raw of [
    await chain.sign(BOB, { to: CAROL.address, gas: 21_000n }),
    await chain.sign(CAROL, gap),
  ])
    await chain.result('eth_sendRawTransaction', [`0x${Buffer.from(raw).toString('hex')}`]);
});
afterAll(() => chain.stop());

const TAGS = ['latest', 'safe', 'finalized', 'earliest', 'pending'];

/** Parameters for every method: for some several, so that each form of an answer is seen. */
const createCalls = async (): Promise<Record<string, unknown[][]>> => {
  const { named, probeAddress } = chain;
  const hashes = Object.values(named);
  const block = await chain.result('eth_getBlockByNumber', ['0x5', false]);
  const call = { from: ALICE.address, to: probeAddress, data: chain.encode('store', [9n, 9n]) };
  const everyHash = hashes.map((hash) => [hash]);
  const everyBlock = ['0x0', '0x1', '0x2', '0x3', '0x4', '0x5', '0x6'].map((height) => [height]);
  const blockFilter = await chain.result('eth_newBlockFilter');
  const logFilter = await chain.result('eth_newFilter', [{ address: probeAddress }]);
  const doomed = await chain.result('eth_newBlockFilter');
  await chain.commit(await chain.sign(ALICE, chain.on('store', [4n, 44n])));
  const raw = await chain.sign(ALICE, { to: BOB.address, gas: 21_000n });
  const callTracer = { tracer: 'callTracer' };
  const simulation = {
    blockStateCalls: [{ calls: [call, { ...call, data: chain.encode('fail', ['x']) }] }, {}],
    returnFullTransactions: true,
  };
  return {
    eth_chainId: [[]],
    eth_syncing: [[]],
    eth_accounts: [[]],
    eth_blockNumber: [[]],
    eth_getBlockByNumber: [...TAGS, '0x1', '0x2', '0x5', '0xffff'].flatMap((at) => [
      [at, true],
      [at, false],
    ]),
    eth_getBlockByHash: [
      [block.hash, true],
      [block.hash, false],
      [named.legacy, false],
    ],
    eth_getBlockTransactionCountByNumber: TAGS.map((tag) => [tag]),
    eth_getBlockTransactionCountByHash: [[block.hash]],
    eth_getUncleCountByBlockNumber: [['0x1']],
    eth_getUncleCountByBlockHash: [[block.hash]],
    eth_getUncleByBlockNumberAndIndex: [['0x1', '0x0']],
    eth_getUncleByBlockHashAndIndex: [[block.hash, '0x0']],
    eth_getBlockReceipts: [...everyBlock, [block.hash]],
    eth_sendRawTransaction: [[`0x${Buffer.from(raw).toString('hex')}`]],
    eth_getTransactionByHash: [...everyHash, [chain.hashOf(raw)]],
    eth_getRawTransactionByHash: everyHash,
    eth_getTransactionByBlockNumberAndIndex: [
      ['0x5', '0x0'],
      ['0x5', '0x4'],
      ['0x5', '0x99'],
    ],
    eth_getTransactionByBlockHashAndIndex: [[block.hash, '0x1']],
    eth_getTransactionReceipt: everyHash,
    eth_getBalance: TAGS.map((tag) => [ALICE.address, tag]),
    eth_getTransactionCount: TAGS.map((tag) => [BOB.address, tag]),
    eth_getCode: [
      [probeAddress, 'latest'],
      [BOB.address, 'latest'],
      [CAROL.address, 'latest'],
    ],
    eth_getStorageAt: [
      [probeAddress, '0x0', 'latest'],
      [probeAddress, '0x0', { blockHash: block.hash }],
    ],
    eth_getStorageValues: [[{ [probeAddress]: ['0x0', '0x1'] }, 'latest']],
    eth_getProof: [
      [probeAddress, ['0x0', `0x${'0'.repeat(63)}1`], 'latest'],
      [CAROL.address, [], '0x1'],
    ],
    eth_call: [
      [call, 'latest'],
      [{ ...call, data: '0x' }, 'pending'],
    ],
    eth_estimateGas: [[call], [{ from: ALICE.address, to: BOB.address, value: '0x1' }, 'latest']],
    eth_createAccessList: [[call, 'latest'], [{ ...call, data: chain.encode('fail', ['x']) }]],
    eth_simulateV1: [[simulation, 'latest']],
    eth_getLogs: [[{ fromBlock: '0x0', toBlock: 'latest' }], [{ blockHash: block.hash }]],
    eth_newFilter: [[{ fromBlock: 'latest' }]],
    eth_newBlockFilter: [[]],
    eth_newPendingTransactionFilter: [[]],
    eth_getFilterChanges: [[blockFilter], [logFilter]],
    eth_getFilterLogs: [[logFilter]],
    eth_uninstallFilter: [[doomed], [doomed]],
    eth_gasPrice: [[]],
    eth_maxPriorityFeePerGas: [[]],
    eth_baseFee: [[]],
    eth_blobBaseFee: [[]],
    eth_feeHistory: [
      ['0x5', 'latest', [10, 50]],
      ['0x2', 'latest', []],
    ],
    net_version: [[]],
    net_listening: [[]],
    net_peerCount: [[]],
    web3_clientVersion: [[]],
    web3_sha3: [['0x1234']],
    rpc_modules: [[]],
    rpc_discover: [[]],
    txpool_status: [[]],
    txpool_content: [[]],
    txpool_contentFrom: [[BOB.address], [CAROL.address]],
    txpool_inspect: [[]],
    debug_getRawBlock: everyBlock,
    debug_getRawHeader: everyBlock,
    debug_getRawReceipts: everyBlock,
    debug_getRawTransaction: everyHash,
    debug_getBadBlocks: [[]],
    debug_traceTransaction: [...everyHash, [named.everything, callTracer]],
    debug_traceBlockByNumber: [['0x5'], ['0x5', callTracer]],
    debug_traceBlockByHash: [[block.hash], [block.hash, callTracer]],
    debug_traceCall: [
      [call, 'latest', {}],
      [call, 'latest', callTracer],
    ],
    debug_storageRangeAt: [[block.hash, 1, probeAddress, '0x', 2]],
    trace_block: everyBlock,
    trace_transaction: everyHash,
    trace_filter: [[{ fromBlock: '0x0', toBlock: 'latest', fromAddress: [ALICE.address] }]],
    trace_replayTransaction: everyHash.map(([hash]) => [hash, ['trace', 'stateDiff']]),
    trace_replayBlockTransactions: [['0x5', ['trace']]],
    trace_get: [[named.everything, ['0x0']]],
    erigon_getHeaderByNumber: everyBlock,
    ots_getApiLevel: [[]],
    ots_hasCode: [[probeAddress]],
    ots_getBlockDetails: everyBlock,
    ots_getBlockDetailsByHash: [[block.hash]],
    ots_getBlockTransactions: [['0x5', 0, 10]],
    ots_searchTransactionsBefore: [[ALICE.address, 0, 5]],
    ots_searchTransactionsAfter: [[ALICE.address, 0, 5]],
    ots_getTransactionBySenderAndNonce: [[ALICE.address, 2]],
    ots_getContractCreator: [[probeAddress]],
    ots_getInternalOperations: everyHash,
    ots_traceTransaction: everyHash,
    ots_getTransactionError: everyHash,
    causeway_status: [[]],
    causeway_getCheckpoint: [['0x3'], ['0x0']],
    causeway_getCheckpoints: [['0x0', 'latest']],
    causeway_getCertificate: [['0x3'], ['0x0']],
    causeway_validators: [['latest'], ['pending']],
    causeway_feePolicy: [[]],
    causeway_genesis: [[]],
    causeway_bridgeStatus: [[]],
  };
};

/** These need more than a request: a WebSocket, a validator's pool of evidence, the local socket. */
const ELSEWHERE = ['eth_subscribe', 'eth_unsubscribe', 'causeway_evidence', 'admin_peers', 'admin_rpcUsage'];
/** What Ethereum's specification has and this chain does not. */
const ABSENT = [
  'debug_getRawBlockAccessList',
  'eth_getBlockAccessList',
  'eth_coinbase',
  'eth_fillTransaction',
  'eth_sendTransaction',
  'eth_sign',
  'eth_signTransaction',
  'eth_capabilities',
  'eth_config',
];

test('every method answers as its schemas say', async () => {
  const calls = await createCalls();
  expect(Object.keys(calls).sort()).toEqual(
    [...METHODS.keys()].filter((name) => !ELSEWHERE.includes(name)).sort(),
  );
  const specified = new Set(specification.methods.map(({ name }) => name));
  const problems: string[] = [];
  for (const [method, variants] of Object.entries(calls))
    for (const params of variants) {
      const result = await chain.result(method, params);
      problems.push(...ownProblems(method, result));
      // The specification's block has no form for a pending one without hash, and its null is "not found".
      const isPendingBlock = method === 'eth_getBlockByNumber' && params[0] === 'pending';
      if (specified.has(method) && result !== null && !isPendingBlock)
        problems.push(...resultProblems(method, result));
    }
  expect(problems).toEqual([]);
}, 120_000);

test('the checkers find what is wrong', () => {
  expect(ownProblems('eth_chainId', '0x01')).not.toEqual([]);
  expect(ownProblems('eth_getTransactionReceipt', { blockHash: '0x' })).not.toEqual([]);
  if (isSpecificationHere) expect(resultProblems('eth_getBlockByNumber', { number: '0x1' })).not.toEqual([]);
});

(isSpecificationHere ? test : test.skip)(
  'every method of the specification is here, or is named as absent',
  () => {
    const missing = specification.methods.map(({ name }) => name).filter((name) => !METHODS.has(name));
    expect(missing.sort()).toEqual([...ABSENT].sort());
  },
);

test('subscriptions send heads, logs and whole transactions as the methods show them', async () => {
  const socket = await openSocket(chain.webSocketUrl);
  const subscribe = async (...params: unknown[]): Promise<string> =>
    (await socket.request('eth_subscribe', params)).result;
  const heads = await subscribe('newHeads');
  const logs = await subscribe('logs', { address: chain.probeAddress });
  const pending = await subscribe('newPendingTransactions', true);
  const raw = await chain.sign(ALICE, chain.on('store', [6n, 66n]));
  const sent = await chain.result('eth_sendRawTransaction', [`0x${Buffer.from(raw).toString('hex')}`]);
  const wanted = { maxGas: 30_000_000n, maxBytes: 1_000_000, maxCount: 100, allowImport: true };
  await chain.commit(...chain.pool.pick(wanted));
  const eventOf = async (id: string): Promise<Answer> =>
    (await socket.next(({ params }) => params?.subscription === id)).params.result;
  const head = await eventOf(heads);
  const block = await chain.result('eth_getBlockByNumber', [head.number, false]);
  expect(head).toEqual(await chain.result('erigon_getHeaderByNumber', [head.number]));
  expect(head.hash).toBe(block.hash);
  const log = await eventOf(logs);
  expect(await chain.result('eth_getLogs', [{ blockHash: block.hash }])).toEqual([log]);
  const { hash, from, blockHash } = await eventOf(pending);
  expect({ hash, from, blockHash }).toEqual({ hash: sent, from: ALICE.address, blockHash: null });
  await socket.close();
});

test('logs of many blocks, found in a call thread, are those of each block', async () => {
  for (let i = 0; i < 20; i++)
    await chain.commit(
      ...(i % 5 === 0 ? [await chain.sign(ALICE, chain.on('store', [BigInt(100 + i), 1n]))] : []),
    );
  const head = Number(await chain.result('eth_blockNumber'));
  expect(head).toBeGreaterThan(20);
  const each: Answer[] = [];
  for (let height = 0; height <= head; height++) {
    const at = `0x${height.toString(16)}`;
    const receipts: Answer[] = await chain.result('eth_getBlockReceipts', [at]);
    each.push(...receipts.flatMap(({ logs }) => logs));
  }
  const all = await chain.result('eth_getLogs', [{ fromBlock: '0x0' }]);
  expect(all).toEqual(each);
  const address = chain.probeAddress;
  const wanted = each.filter((log) => log.address === address);
  expect(await chain.result('eth_getLogs', [{ fromBlock: '0x0', address }])).toEqual(wanted);
  const topics = [null, null, `0x${(105).toString(16).padStart(64, '0')}`];
  const one = each.filter((log) => log.topics[2] === topics[2]);
  expect(one).toHaveLength(1);
  expect(await chain.result('eth_getLogs', [{ fromBlock: '0x0', topics }])).toEqual(one);
});
