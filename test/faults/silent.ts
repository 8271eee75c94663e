/** Says nothing and answers nothing. It still hears and asks, so that it follows the chain. */
import type { Fault } from '#test/faults/fault.ts';
import { delegate } from '#test/faults/wire.ts';

const refuse = async (): Promise<never> => {
  throw new Error('silent: expected no answer from this validator');
};

export const silent: Fault = {
  name: 'silent',
  create: ({ network, clock }) => ({
    clock,
    stop: () => undefined,
    network: delegate(network, {
      sendConsensus: () => undefined,
      broadcastConsensus: () => undefined,
      publishTransactions: () => undefined,
      sendTransactions: () => undefined,
      handleRequest: (protocol) => network.handleRequest(protocol, refuse),
    }),
  }),
};
