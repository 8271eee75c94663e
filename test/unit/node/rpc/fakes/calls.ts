/** Answers calls with what the test set, and remembers what was asked. */
import type { CallOutcome, CallRequest, CallRunner } from '#node/chain.ts';
import type { CallJob, JobOutcome } from '#node/execution/tracing/jobs.ts';

export const createFakeCalls = () => {
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
    return jobAnswer();
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
