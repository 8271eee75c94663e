/**
 * Signs twice for every step: one vote for each half of the others, and a moment later the other way round, as relaying
 * would bring it in a larger network; two proposals with two payloads, one for each half.
 */
import { type Hash, ZERO_HASH } from '#consensus/primitives.ts';
import { NIL } from '#consensus/types.ts';
import type { VoteMessage } from '#node/consensus/fields.ts';
import { FaultTimers, Recent } from '#test/faults/bounded.ts';
import type { Fault, FaultTools } from '#test/faults/fault.ts';
import { isOwnVote, randomHash, signVote, voteBytes } from '#test/faults/forging.ts';
import { splitProposals } from '#test/faults/splitProposals.ts';
import { decoded, delegate, halfOf, overhearing, rewriting } from '#test/faults/wire.ts';

const CROSS_AFTER_MS = 10;

/** The vote's opposite: nil for a value; for nil a value that somebody voted for, or nonsense. */
const oppositeOf = (tools: FaultTools, vote: VoteMessage, seen: Hash | undefined): VoteMessage =>
  signVote(tools, {
    ...vote,
    valueId: vote.valueId === NIL ? (seen ?? randomHash(tools.random)) : ZERO_HASH,
  });

export const equivocator: Fault = {
  name: 'equivocator',
  create: (tools) => {
    const { network, clock } = tools;
    const timers = new FaultTimers(clock);
    const twins = new Recent<Uint8Array>(256);
    const values = new Recent<Hash>(16);
    const splitter = splitProposals(tools);

    const twinOf = (vote: VoteMessage): Uint8Array =>
      twins.get(vote.signature) ??
      twins.set(vote.signature, voteBytes(oppositeOf(tools, vote, values.get(`${vote.height}`))));

    return {
      clock,
      stop: timers.stop,
      network: delegate(network, {
        ...overhearing(network, (_peer, message) => {
          if (message.type === 'vote' && message.vote.valueId !== NIL)
            values.set(`${message.vote.height}`, message.vote.valueId);
        }),
        ...rewriting(network, (peer, bytes) => {
          const message = decoded(bytes);
          if (message === null) return [bytes];
          if (message.type !== 'vote') return splitter.rewrite(message, peer, bytes) ?? [bytes];
          if (!isOwnVote(tools, message.vote)) return [bytes];
          const twin = twinOf(message.vote);
          const [now, later] = halfOf(tools, peer) === 0 ? [bytes, twin] : [twin, bytes];
          timers.after(CROSS_AFTER_MS, () => network.sendConsensus(peer.peerId, later));
          return [now];
        }),
      }),
    };
  },
};
