/**
 * Proposes payload A to half of the others and payload B to the other half, and tells each half that it votes for what
 * that half was given.
 */
import type { Hash } from '#consensus/primitives.ts';
import { NIL } from '#consensus/types.ts';
import type { VoteMessage } from '#node/consensus/fields.ts';
import { Recent } from '#test/faults/bounded.ts';
import type { Fault } from '#test/faults/fault.ts';
import { isOwnVote, signVote, voteBytes } from '#test/faults/forging.ts';
import { splitProposals } from '#test/faults/splitProposals.ts';
import { decoded, delegate, halfOf, overhearing, rewriting, validatorPeers } from '#test/faults/wire.ts';

export const payloadSplitter: Fault = {
  name: 'payloadSplitter',
  create: (tools) => {
    const { network, clock } = tools;
    const splitter = splitProposals(tools);
    /** Own votes by step for the second half; what is signed once stays. */
    const told = new Recent<Uint8Array>(64);

    const stepOf = ({ type, height, round }: VoteMessage): string => `${type} ${height}/${round}`;

    /** Somebody of the second half says what payload B derives to: it gets our vote as well. */
    const support = (vote: VoteMessage, valueId: Hash): void => {
      if (told.get(stepOf(vote)) !== undefined) return;
      const bytes = told.set(
        stepOf(vote),
        voteBytes(signVote(tools, { ...vote, valueId }, vote.payloadHash)),
      );
      for (const peer of validatorPeers(network))
        if (halfOf(tools, peer) === 1) network.sendConsensus(peer.peerId, bytes);
    };

    return {
      clock,
      stop: () => undefined,
      network: delegate(network, {
        ...overhearing(network, (_peer, message) => {
          if (message.type !== 'vote' || message.vote.valueId === NIL) return;
          const { payloadHash, valueId } = message.vote;
          if (payloadHash !== null && splitter.halfThatGot(payloadHash) === 1) support(message.vote, valueId);
        }),
        ...rewriting(network, (peer, bytes) => {
          const message = decoded(bytes);
          if (message === null) return [bytes];
          if (message.type !== 'vote') return splitter.rewrite(message, peer, bytes) ?? [bytes];
          const { vote } = message;
          if (halfOf(tools, peer) === 0 || vote.payloadHash === null || !isOwnVote(tools, vote))
            return [bytes];
          if (splitter.halfThatGot(vote.payloadHash) !== 0) return [bytes];
          const other = told.get(stepOf(vote));
          return other === undefined ? [] : [other];
        }),
      }),
    };
  },
};
