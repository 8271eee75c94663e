/** Answers calls with what the test set, and remembers what was asked. */
import type { CallOutcome, CallRequest, CallRunner, Chain } from '#node/chain.ts';
import type { CallJob, JobOutcome } from '#node/execution/tracing/jobs.ts';
import { RpcError } from '#node/rpc/errors.ts';
import { findLogs, type LogSource } from '#node/rpc/logScan.ts';

const findFakeLogs = async (
  chain: Chain,
  { height, toHeight, criteria, bounds }: Extract<CallJob, { kind: 'logs' }>,
): Promise<JobOutcome> => {
  const source: LogSource = {
    header: async (at) => (await chain.blockAt(at))?.header ?? null,
    block: (at) => chain.blockAt(at),
    receipts: (at) => chain.receiptsAt(at),
  };
  try {
    return {
      status: 'json',
      json: JSON.stringify(await findLogs(source, criteria, height, toHeight, bounds)),
    };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return { status: 'refused', code: error.code, message: error.message };
  }
};

/** @param chain where log queries look, as a call thread looks into the database */
export const createFakeCalls = (chain: Chain) => {
  const asked: { request: CallRequest; height: bigint }[] = [];
  let answer: () => Promise<CallOutcome> = async () => ({ status: 'success', data: '0x', gasUsed: 21_000n });
  const run = (request: CallRequest, height: bigint): Promise<CallOutcome> => {
    asked.push({ request, height });
    return answer();
  };
  const jobs: CallJob[] = [];
  let jobAnswer: () => Promise<JobOutcome> = async () => ({ status: 'json', json: 'null' });
  const perform = (job: CallJob): Promise<JobOutcome> => {
    jobs.push(job);
    return job.kind === 'logs' ? findFakeLogs(chain, job) : jobAnswer();
  };
  const calls: CallRunner = { call: run, estimateGas: run, perform, close: async () => {} };
  return {
    calls,
    asked,
    jobs,
    answerJobsWith: (next: () => Promise<JobOutcome>) => {
      jobAnswer = next;
    },
    answerWith: (outcome: CallOutcome | (() => Promise<CallOutcome>)) => {
      answer = typeof outcome === 'function' ? outcome : async () => outcome;
    },
  };
};
