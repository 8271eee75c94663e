/**
 * eth_simulateV1 against the cases of ethereum/execution-apis, rebased on the head of our chain (where a copy of them is
 * at hand), and against the schemas. A case is `exact` if its outcome cannot depend on the chain's height, time and fees.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ALICE, type FilledChain, startFilledChain } from '#test/rpc/support/filledChain.ts';
import { resultProblems } from '#test/rpc/support/specification.ts';
import type { Answer } from '#test/unit/node/rpc/fakes/server.ts';

type ExpectedCall = {
  readonly status: string;
  readonly code: number | null;
  readonly logs: number;
  readonly gasUsed: string;
  readonly returnData: string | null;
};
type Case = {
  readonly name: string;
  readonly params: readonly [Answer, string];
  readonly error: number | null;
  readonly calls: readonly (readonly ExpectedCall[])[] | null;
  readonly exact: boolean;
};
const file = join(
  dirname(fileURLToPath(import.meta.url)),
  '../../../shared/data/execution-apis/simulate.json',
);
const suite: { head: number; headTime: number; cases: Case[] } = existsSync(file)
  ? JSON.parse(readFileSync(file, 'utf8'))
  : { head: 0, headTime: 0, cases: [] };
if (suite.cases.length === 0)
  console.warn('simulation cases are skipped: no copy of execution-apis beside the repository');

/** Names what is skipped where the cases are not: a table must not be empty. */
const NO_CASE = { name: 'the cases of execution-apis: no copy beside the repository' } as Case;
/** Written for a chain whose refusals or fork differ; each with the reason. */
const DIFFERENT: ReadonlyMap<string, string> = new Map([
  [
    'self-destructing-state-override',
    'the beneficiary, address zero, is cold here: it is not the fee recipient',
  ],
  ['self-destructive-contract-produces-logs', 'address zero has no account here, and is cold'],
  ['blockhash-start-before-head', 'it subtracts more from the height than the chain is long'],
]);

let chain: FilledChain;
let head: Answer;
beforeAll(async () => {
  chain = await startFilledChain();
  head = await chain.result('eth_getBlockByNumber', ['latest', false]);
});
afterAll(() => chain.stop());

const shift = (value: string | undefined, by: number): string | undefined =>
  value === undefined ? undefined : `0x${(Number(value) + by).toString(16)}`;

/** Heights and times of a case count from the head that it was written for. */
const rebase = ({ params }: Case): Answer[] => {
  const [payload, block] = structuredClone(params) as Answer;
  for (const { blockOverrides } of payload.blockStateCalls) {
    if (blockOverrides === undefined) continue;
    blockOverrides.number = shift(blockOverrides.number, Number(head.number) - suite.head);
    blockOverrides.time = shift(blockOverrides.time, Number(head.timestamp) - suite.headTime);
  }
  return [payload, block];
};

const summary = (blocks: Answer): Omit<ExpectedCall, 'name'>[][] =>
  blocks.map(({ calls }: Answer) =>
    calls.map(({ status, error, logs, gasUsed, returnData }: Answer) => ({
      status,
      code: error?.code ?? null,
      logs: logs.length,
      gasUsed,
      returnData,
    })),
  );

const forget = (calls: Case['calls'], found: ReturnType<typeof summary>, exact: boolean) =>
  (calls ?? []).map((block, at) =>
    block.map((call, index) => ({
      ...call,
      // What a case leaves open, and what depends on the chain that it was written for.
      returnData: call.returnData === null || !exact ? found[at]?.[index]?.returnData : call.returnData,
      gasUsed: exact ? call.gasUsed : found[at]?.[index]?.gasUsed,
    })),
  );

const isHere = suite.cases.length > 0;
(isHere ? test : test.skip).each(isHere ? suite.cases : [NO_CASE])('$name', async (one) => {
  const answer = await chain.request('eth_simulateV1', rebase(one));
  if (DIFFERENT.has(one.name)) {
    expect(answer).toHaveProperty('result');
    return;
  }
  if (one.error !== null) {
    expect(answer.error?.code).toBe(one.error);
    return;
  }
  expect(answer.error).toBeUndefined();
  const found = summary(answer.result);
  expect(found).toEqual(forget(one.calls, found, one.exact));
  expect(resultProblems('eth_simulateV1', answer.result)).toEqual([]);
});

test('a simulated transfer moves ether, pays its fee and shows as a log', async () => {
  const before = BigInt(await chain.result('eth_getBalance', [ALICE.address]));
  const to = `0x${'77'.repeat(20)}`;
  const [block] = await chain.result('eth_simulateV1', [
    { blockStateCalls: [{ calls: [{ from: ALICE.address, to, value: '0x5' }] }], traceTransfers: true },
    'latest',
  ]);
  expect(block.calls[0]).toMatchObject({ status: '0x1', gasUsed: '0x5208' });
  expect(block.calls[0].logs[0]).toMatchObject({
    address: `0x${'ee'.repeat(20)}`,
    blockHash: block.hash,
    transactionHash: block.transactions[0],
    logIndex: '0x0',
  });
  expect(BigInt(await chain.result('eth_getBalance', [ALICE.address]))).toBe(before);
});

test('what BLOCKHASH said inside a simulation is forgotten after it', async () => {
  const next = `0x${(Number(head.number) + 1).toString(16)}`;
  // BLOCKHASH of the height after the head, as a word.
  const code = `0x61${(Number(head.number) + 1).toString(16).padStart(4, '0')}4060005260206000f3`;
  const calls = [{ from: ALICE.address, data: code, gas: '0xf4240' }];
  const [, second] = await chain.result('eth_simulateV1', [{ blockStateCalls: [{}, { calls }] }, 'latest']);
  expect(second.calls[0].returnData).not.toBe(`0x${'00'.repeat(32)}`);
  const later = { number: `0x${(Number(next) + 1).toString(16)}` };
  expect(await chain.result('eth_call', [{ data: code }, 'latest', {}, later])).toBe(`0x${'00'.repeat(32)}`);
  await chain.commit();
  const committed = await chain.result('eth_getBlockByNumber', [next, false]);
  expect(await chain.result('eth_call', [{ data: code }, 'latest', {}, later])).toBe(committed.hash);
});
