/**
 * Proposes and votes, but keeps its payloads: nobody gets half of them, and only the first of the others the rest.
 * Every request is refused.
 */
import { payloadToHash } from '#consensus/digests.ts';
import { Recent } from '#test/faults/bounded.ts';
import type { Fault } from '#test/faults/fault.ts';
import { decoded, delegate, rewriting, validatorPeers } from '#test/faults/wire.ts';

const refuse = async (): Promise<never> => {
  throw new Error('withholder: expected no answer from this validator');
};

export const withholder: Fault = {
  name: 'withholder',
  create: ({ network, clock, random }) => {
    const isGiven = new Recent<boolean>(64);
    return {
      clock,
      stop: () => undefined,
      network: delegate(network, {
        handleRequest: (protocol) => network.handleRequest(protocol, refuse),
        ...rewriting(network, (peer, bytes) => {
          const message = decoded(bytes);
          if (message?.type !== 'payload') return [bytes];
          const payloadHash = payloadToHash(message.payload);
          const given = isGiven.get(payloadHash) ?? isGiven.set(payloadHash, random() < 0.5);
          return given && peer.peerId === validatorPeers(network)[0]?.peerId ? [bytes] : [];
        }),
      }),
    };
  },
};
