/** debug_trace…, trace_… and ots_… of real transactions: what they say is what happened. */
import { toFunctionSelector } from 'viem';
import { ALICE, BOB, CAROL, type FilledChain, startFilledChain } from '#test/rpc/support/filledChain.ts';
import type { Answer } from '#test/unit/node/rpc/fakes/server.ts';

let chain: FilledChain;
beforeAll(async () => {
  chain = await startFilledChain();
});
afterAll(() => chain.stop());

const traceWith = (tracer: string, hash: string, tracerConfig: object = {}): Promise<Answer> =>
  chain.result('debug_traceTransaction', [hash, { tracer, tracerConfig }]);
const receiptOf = (name: string): Promise<Answer> =>
  chain.result('eth_getTransactionReceipt', [chain.named[name]]);
const named = (name: string): string => chain.named[name]!;

test('every transaction of the chain did what it was meant to do', async () => {
  const failed = ['failed', 'panicked', 'spun'];
  for (const name of Object.keys(chain.named))
    expect([name, (await receiptOf(name)).status]).toEqual([name, failed.includes(name) ? '0x0' : '0x1']);
});

describe('callTracer', () => {
  test('shows each kind of call with its ends, value and gas', async () => {
    const root = await traceWith('callTracer', named('everything'));
    const { gasUsed } = await receiptOf('everything');
    expect(root).toMatchObject({
      type: 'CALL',
      from: ALICE.address,
      to: chain.probeAddress,
      value: '0x2',
      gas: '0x7a120',
      gasUsed,
    });
    const kinds = root.calls.map(({ type }: Answer) => type);
    expect(kinds).toEqual(['CALL', 'DELEGATECALL', 'CALL', 'STATICCALL', 'STATICCALL']);
    const [ping, delegated, failing, ...rest] = root.calls;
    expect(ping).toMatchObject({
      from: chain.probeAddress,
      value: '0x2',
      input: toFunctionSelector('ping()'),
      output: `0x${'1'.padStart(64, '0')}`,
    });
    expect(failing.input.slice(0, 10)).toBe(toFunctionSelector('fail(string)'));
    expect(delegated).toMatchObject({ from: chain.probeAddress, to: ping.to, value: '0x2' });
    expect(failing).toMatchObject({ error: 'execution reverted', revertReason: 'inner' });
    expect(rest.some(({ to }: Answer) => to === '0x0000000000000000000000000000000000000002')).toBe(true);
    expect(rest.every((call: Answer) => !('value' in call))).toBe(true);
  });

  test('logs are shown with their place, and those of failed calls are not', async () => {
    const root = await traceWith('callTracer', named('everything'), { withLog: true });
    const receipt = await receiptOf('everything');
    const logs: Answer[] = [];
    const walk = (node: Answer): void => {
      logs.push(...(node.logs ?? []));
      (node.calls ?? []).forEach(walk);
    };
    walk(root);
    logs.sort((a, b) => Number(a.index) - Number(b.index));
    expect(logs.map(({ address, topics, data }) => ({ address, topics, data }))).toEqual(
      receipt.logs.map(({ address, topics, data }: Answer) => ({ address, topics, data })),
    );
  });

  test('a creation shows its code, a failed call its reason, a self-destruct its beneficiary', async () => {
    const deployed = await traceWith('callTracer', named('deploy'));
    expect(deployed).toMatchObject({ type: 'CREATE', to: chain.probeAddress });
    expect(deployed.output).toBe(await chain.result('eth_getCode', [chain.probeAddress]));
    const failed = await traceWith('callTracer', named('failed'));
    expect(failed).toMatchObject({ error: 'execution reverted', revertReason: 'no luck' });
    expect(await traceWith('callTracer', named('spun'))).toMatchObject({ error: 'out of gas' });
    const brief = await traceWith('callTracer', named('brief'));
    const destroying = brief.calls[1];
    expect(brief.calls[0]).toMatchObject({ type: 'CREATE', value: '0x7' });
    expect(destroying.calls).toEqual([
      expect.objectContaining({ type: 'SELFDESTRUCT', to: ALICE.address, value: '0x7', gas: '0x0' }),
    ]);
  });

  test('onlyTopCall leaves out what is below', async () => {
    expect(await traceWith('callTracer', named('everything'), { onlyTopCall: true })).not.toHaveProperty(
      'calls',
    );
  });

  test('unknown options do no harm, unknown tracers are named', async () => {
    const options = { tracer: 'callTracer', tracerConfig: { x: 1 }, timeout: '1s', reexec: 5, y: null };
    expect(await chain.result('debug_traceTransaction', [named('legacy'), options])).toHaveProperty(
      'type',
      'CALL',
    );
    const error = await chain.error('debug_traceTransaction', [named('legacy'), { tracer: '{result: …}' }]);
    expect(error).toMatchObject({ code: -32602 });
    expect(error.message).toMatch(/callTracer/);
  });
});

describe('struct logs', () => {
  test('the gas of the steps adds up to what was used, and storage shows what was written', async () => {
    const trace = await chain.result('debug_traceTransaction', [named('legacy'), { enableMemory: true }]);
    const { gasUsed } = await receiptOf('legacy');
    expect(trace).toMatchObject({ gas: Number(gasUsed), failed: false });
    const { structLogs } = trace;
    for (const [index, step] of structLogs.entries()) {
      const next = structLogs[index + 1];
      if (next !== undefined) expect(step.gas - step.gasCost).toBe(next.gas);
    }
    expect(structLogs[0]).toMatchObject({ pc: 0, op: 'PUSH1', depth: 1, stack: [] });
    const store = structLogs.find(({ op }: Answer) => op === 'SSTORE');
    expect(Object.values(store.storage)).toEqual([`0x${'b'.padStart(64, '0')}`]);
    expect(structLogs.some(({ memory }: Answer) => memory.length > 2)).toBe(true);
    expect(structLogs.at(-1).op).toBe('RETURN');
  });

  test('a call costs what it forwards, and the steps below are one deeper', async () => {
    const { structLogs } = await chain.result('debug_traceTransaction', [named('everything')]);
    const at = structLogs.findIndex(({ op }: Answer) => op === 'CALL');
    const inner = structLogs[at + 1];
    expect(inner.depth).toBe(2);
    // With value the callee has a stipend of 2300 on top of what was forwarded.
    expect(structLogs[at].gasCost).toBeGreaterThan(inner.gas - 2_300);
  });

  test('limit, disableStack and disableStorage make it smaller; the step that fails says why', async () => {
    const options = { limit: 5, disableStack: true, disableStorage: true };
    const short = await chain.result('debug_traceTransaction', [named('legacy'), options]);
    expect(short.structLogs).toHaveLength(5);
    expect(short.structLogs[0]).not.toHaveProperty('stack');
    const spun = await chain.result('debug_traceTransaction', [named('spun'), { disableStack: true }]);
    expect(spun.failed).toBe(true);
    expect(spun.structLogs.at(-1).error).toBe('out of gas');
  });
});

describe('prestateTracer', () => {
  test('the accounts and slots before the transaction', async () => {
    const before = await traceWith('prestateTracer', named('overwrite'));
    expect(Object.keys(before).sort()).toEqual(
      expect.arrayContaining([ALICE.address, chain.probeAddress, `0x${'fe'.repeat(20)}`].sort()),
    );
    const height = Number((await receiptOf('overwrite')).blockNumber) - 1;
    const balance = await chain.result('eth_getBalance', [ALICE.address, `0x${height.toString(16)}`]);
    expect(before[ALICE.address].balance).toBe(balance);
    expect(Object.values(before[chain.probeAddress].storage)).toEqual([`0x${'b'.padStart(64, '0')}`]);
    expect(before[chain.probeAddress].code).toMatch(/^0x60/);
  });

  test('diffMode shows what changed and nothing else', async () => {
    const { pre, post } = await traceWith('prestateTracer', named('overwrite'), { diffMode: true });
    const [slot] = Object.keys(post[chain.probeAddress].storage);
    expect(pre[chain.probeAddress].storage[slot!]).toBe(`0x${'b'.padStart(64, '0')}`);
    expect(post[chain.probeAddress]).toEqual({ storage: { [slot!]: `0x${'6f'.padStart(64, '0')}` } });
    expect(post[ALICE.address].nonce).toBe(pre[ALICE.address].nonce + 1);
    expect(post[ALICE.address]).not.toHaveProperty('code');
  });

  test('a cleared slot is in pre alone, a created contract in post alone', async () => {
    const cleared = await traceWith('prestateTracer', named('clear'), { diffMode: true });
    expect(Object.keys(cleared.pre[chain.probeAddress].storage)).toHaveLength(1);
    expect(cleared.post[chain.probeAddress]).not.toHaveProperty('storage');
    const made = await traceWith('prestateTracer', named('deploy'), { diffMode: true });
    expect(made.post[chain.probeAddress].code).toBe(await chain.result('eth_getCode', [chain.probeAddress]));
    expect(made.pre).not.toHaveProperty(chain.probeAddress);
  });

  test('the changes of a block, one transaction after another, add up to its state', async () => {
    const height = (await receiptOf('everything')).blockNumber;
    const traces = await chain.result('debug_traceBlockByNumber', [
      height,
      { tracer: 'prestateTracer', tracerConfig: { diffMode: true } },
    ]);
    const last = new Map<string, string>();
    for (const { result } of traces)
      for (const [address, { balance }] of Object.entries<Answer>(result.post))
        if (balance !== undefined) last.set(address, balance);
    expect(last.size).toBeGreaterThan(3);
    for (const [address, balance] of last)
      expect([address, await chain.result('eth_getBalance', [address, height])]).toEqual([address, balance]);
  });
});

test('4byteTracer counts selectors with the size of their arguments', async () => {
  const counts = await traceWith('4byteTracer', named('everything'));
  expect(counts[`${toFunctionSelector('ping()')}-0`]).toBe(2);
  expect(counts[`${toFunctionSelector('fail(string)')}-96`]).toBe(1);
});

test('muxTracer runs several, noopTracer none', async () => {
  const options = {
    tracer: 'muxTracer',
    tracerConfig: { callTracer: {}, prestateTracer: { diffMode: true } },
  };
  const both = await chain.result('debug_traceTransaction', [named('legacy'), options]);
  expect(both.callTracer).toEqual(await traceWith('callTracer', named('legacy')));
  expect(both.prestateTracer).toEqual(await traceWith('prestateTracer', named('legacy'), { diffMode: true }));
  expect(await traceWith('noopTracer', named('legacy'))).toEqual({});
});

test('a block is traced by number and by hash alike, with its transactions in order', async () => {
  const { blockNumber, blockHash } = await receiptOf('legacy');
  const block = await chain.result('eth_getBlockByNumber', [blockNumber, false]);
  const options = { tracer: 'callTracer' };
  const traces = await chain.result('debug_traceBlockByNumber', [blockNumber, options]);
  expect(traces.map(({ txHash }: Answer) => txHash)).toEqual(block.transactions);
  expect(traces[0].result).toEqual(await traceWith('callTracer', named('legacy')));
  expect(await chain.result('debug_traceBlockByHash', [blockHash, options])).toEqual(traces);
  expect(await chain.error('debug_traceBlockByNumber', ['0x0'])).toEqual({
    code: -32000,
    message: 'genesis is not traceable',
  });
});

test('gas of every traced transaction is that of its receipt', async () => {
  for (const name of Object.keys(chain.named)) {
    const { gasUsed } = await receiptOf(name);
    expect([name, (await traceWith('callTracer', named(name))).gasUsed]).toEqual([name, gasUsed]);
  }
});

test('debug_traceCall traces what was never sent, with overrides', async () => {
  const call = { from: ALICE.address, to: BOB.address, data: chain.encode('fail', ['pretended']) };
  const code = await chain.result('eth_getCode', [chain.probeAddress]);
  const options = { tracer: 'callTracer', stateOverrides: { [CAROL.address]: { code } } };
  expect(
    await chain.result('debug_traceCall', [{ ...call, to: CAROL.address }, 'latest', options]),
  ).toMatchObject({
    error: 'execution reverted',
    revertReason: 'pretended',
  });
  expect(await chain.error('debug_traceCall', [{ ...call, value: `0x${'f'.repeat(60)}` }])).toMatchObject({
    code: -32000,
    message: expect.stringMatching(/^insufficient funds/),
  });
});

describe('trace_…', () => {
  test('trace_transaction is flat, with paths, and leaves out precompiles', async () => {
    const traces = await chain.result('trace_transaction', [named('everything')]);
    expect(traces.map(({ traceAddress }: Answer) => traceAddress)).toEqual([[], [0], [1], [2], [3]]);
    expect(traces[0]).toMatchObject({ type: 'call', subtraces: 4, transactionPosition: 0 });
    expect(traces[2].action.callType).toBe('delegatecall');
    expect(traces[3]).toMatchObject({ error: 'Reverted' });
    expect(traces[3]).not.toHaveProperty('result');
    expect(await chain.result('trace_get', [named('everything'), ['0x2']])).toEqual(traces[3]);
  });

  test('creations and self-destructs have their own form', async () => {
    const traces = await chain.result('trace_transaction', [named('brief')]);
    expect(traces.map(({ type }: Answer) => type)).toEqual(['call', 'create', 'call', 'suicide']);
    expect(traces[1].result.address).toMatch(/^0x/);
    expect(traces[3]).toMatchObject({
      action: { refundAddress: ALICE.address, balance: '0x7' },
      result: null,
    });
  });

  test('trace_block is the traces of its transactions one after another', async () => {
    const { blockNumber } = await receiptOf('everything');
    const block = await chain.result('eth_getBlockByNumber', [blockNumber, false]);
    const each = [];
    for (const hash of block.transactions) each.push(...(await chain.result('trace_transaction', [hash])));
    expect(await chain.result('trace_block', [blockNumber])).toEqual(each);
    expect(await chain.result('trace_block', ['0x0'])).toEqual([]);
    expect(await chain.result('trace_block', ['0xffff'])).toBeNull();
  });

  test('trace_filter finds by sender and recipient, in parts', async () => {
    const filter = { fromBlock: '0x0', toBlock: 'latest', toAddress: [CAROL.address] };
    const found = await chain.result('trace_filter', [filter]);
    expect(found.map(({ transactionHash }: Answer) => transactionHash)).toEqual([named('transfer')]);
    const all = await chain.result('trace_filter', [{ fromBlock: '0x0', fromAddress: ALICE.address }]);
    expect(all.length).toBeGreaterThan(8);
    const part = await chain.result('trace_filter', [
      { fromBlock: '0x0', fromAddress: [ALICE.address], after: 2, count: 3 },
    ]);
    expect(part).toEqual(all.slice(2, 5));
  });

  test('trace_replayTransaction has the output and the changes', async () => {
    const replayed = await chain.result('trace_replayTransaction', [
      named('overwrite'),
      ['trace', 'stateDiff'],
    ]);
    expect(replayed.output).toBe(`0x${'6f'.padStart(64, '0')}`);
    const slots: Answer[] = Object.values(replayed.stateDiff[chain.probeAddress].storage);
    expect(slots).toEqual([
      { '*': { from: `0x${'b'.padStart(64, '0')}`, to: `0x${'6f'.padStart(64, '0')}` } },
    ]);
    expect(replayed.stateDiff[chain.probeAddress]).toMatchObject({ balance: '=', nonce: '=', code: '=' });
    const made = await chain.result('trace_replayTransaction', [named('deploy'), ['stateDiff']]);
    expect(made.stateDiff[chain.probeAddress].nonce).toEqual({ '+': '0x1' });
    expect(await chain.error('trace_replayTransaction', [named('deploy'), ['vmTrace']])).toMatchObject({
      code: -32602,
    });
    const { blockNumber } = await receiptOf('overwrite');
    const block = await chain.result('trace_replayBlockTransactions', [blockNumber, ['trace', 'stateDiff']]);
    expect(block[0]).toEqual({ ...replayed, transactionHash: named('overwrite') });
  });
});

describe('ots_…', () => {
  test('finds creators, nonces, internal operations and errors', async () => {
    expect(await chain.result('ots_getContractCreator', [chain.probeAddress])).toEqual({
      hash: named('deploy'),
      creator: ALICE.address,
    });
    const root = await traceWith('callTracer', named('make'));
    expect(await chain.result('ots_getContractCreator', [root.calls[0].to])).toEqual({
      hash: named('make'),
      creator: chain.probeAddress,
    });
    expect(await chain.result('ots_getContractCreator', [ALICE.address])).toBeNull();
    const { nonce } = await chain.result('eth_getTransactionByHash', [named('everything')]);
    expect(await chain.result('ots_getTransactionBySenderAndNonce', [ALICE.address, Number(nonce)])).toBe(
      named('everything'),
    );
    expect(await chain.result('ots_getTransactionBySenderAndNonce', [ALICE.address, 1_000])).toBeNull();
    const operations = await chain.result('ots_getInternalOperations', [named('brief')]);
    expect(operations.map(({ type }: Answer) => type)).toEqual([2, 1]);
    expect(await chain.result('ots_getTransactionError', [named('failed')])).toMatch(/^0x08c379a0/);
    expect(await chain.result('ots_getTransactionError', [named('legacy')])).toBe('0x');
    expect((await chain.result('ots_traceTransaction', [named('everything')]))[1]).toMatchObject({
      depth: 1,
    });
  });

  test('pages of an address, newest first, to both ends', async () => {
    const before = await chain.result('ots_searchTransactionsBefore', [CAROL.address, 0, 100]);
    expect(before).toMatchObject({ firstPage: true, lastPage: true });
    const hashes = before.txs.map(({ hash }: Answer) => hash);
    expect(hashes).toEqual([named('spun'), named('delegated'), named('stranger'), named('transfer')]);
    const after = await chain.result('ots_searchTransactionsAfter', [CAROL.address, 0, 100]);
    expect(after.txs.map(({ hash }: Answer) => hash)).toEqual(hashes);
    expect(after.receipts.map(({ transactionHash }: Answer) => transactionHash)).toEqual(hashes);
  });

  test('blocks in parts', async () => {
    const { blockNumber, blockHash } = await receiptOf('everything');
    const details = await chain.result('ots_getBlockDetails', [blockNumber]);
    expect(details.block).toMatchObject({ hash: blockHash, transactionCount: 5 });
    expect(await chain.result('ots_getBlockDetailsByHash', [blockHash])).toEqual(details);
    const page = await chain.result('ots_getBlockTransactions', [blockNumber, 0, 2]);
    expect(page.receipts).toHaveLength(2);
    expect(page.fullblock.transactions[1].hash).toBe(named('delegated'));
    expect(await chain.result('erigon_getHeaderByNumber', [blockNumber])).toHaveProperty('hash', blockHash);
    expect(await chain.result('ots_hasCode', [chain.probeAddress, 'latest'])).toBe(true);
    expect(await chain.result('ots_getApiLevel')).toBe(8);
  });
});
