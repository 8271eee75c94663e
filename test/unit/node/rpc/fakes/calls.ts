/** Answers calls with what the test set, and remembers what was asked. */
import type { CallOutcome, CallRequest, CallRunner } from '#node/chain.ts';

export const createFakeCalls = () => {
  const asked: { request: CallRequest; height: bigint }[] = [];
  let answer: () => Promise<CallOutcome> = async () => ({ status: 'success', data: '0x', gasUsed: 21_000n });
  const run = (request: CallRequest, height: bigint): Promise<CallOutcome> => {
    asked.push({ request, height });
    return answer();
  };
  const calls: CallRunner = { call: run, estimateGas: run, close: async () => {} };
  return {
    calls,
    asked,
    answerWith: (outcome: CallOutcome | (() => Promise<CallOutcome>)) => {
      answer = typeof outcome === 'function' ? outcome : async () => outcome;
    },
  };
};
