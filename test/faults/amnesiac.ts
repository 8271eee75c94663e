/**
 * Forgets what it is locked on. Where its lock makes the honest host prevote or precommit nil, it votes for whatever
 * value another validator prevotes in that round, polka or not; nil only when nobody does for a while. It never signs
 * two votes for one step.
 */
import type { Hash } from '#consensus/primitives.ts';
import { NIL } from '#consensus/types.ts';
import type { VoteMessage } from '#node/consensus/fields.ts';
import { FaultTimers, Recent } from '#test/faults/bounded.ts';
import type { Fault } from '#test/faults/fault.ts';
import { isOwnVote, signVote, voteBytes } from '#test/faults/forging.ts';
import { decoded, delegate, overhearing, rewriting, sendToAll } from '#test/faults/wire.ts';

const PATIENCE_MS = 400;

type Lock = { readonly round: number; readonly valueId: Hash };

const stepOf = ({ type, height, round }: Pick<VoteMessage, 'type' | 'height' | 'round'>): string =>
  `${type} ${height}/${round}`;

export const amnesiac: Fault = {
  name: 'amnesiac',
  create: (tools) => {
    const { network, clock } = tools;
    const timers = new FaultTimers(clock);
    const locks = new Recent<Lock>(8);
    /** The value that somebody prevoted in a round. */
    const offered = new Recent<VoteMessage>(64);
    /** Steps for which the host wants to vote nil; they wait for an offer. */
    const waiting = new Recent<VoteMessage>(64);
    const sent = new Recent<Uint8Array>(128);

    const forget = (step: VoteMessage, offer: VoteMessage): Uint8Array =>
      sent.set(
        stepOf(step),
        voteBytes(signVote(tools, { ...step, valueId: offer.valueId }, offer.payloadHash)),
      );

    const isOffer = ({ type, height, round, valueId }: VoteMessage): boolean => {
      const lock = locks.get(`${height}`);
      return (
        type === 'prevote' &&
        valueId !== NIL &&
        lock !== undefined &&
        round > lock.round &&
        valueId !== lock.valueId
      );
    };

    const hear = (vote: VoteMessage): void => {
      const round = `${vote.height}/${vote.round}`;
      if (!isOffer(vote) || offered.get(round) !== undefined) return;
      offered.set(round, vote);
      for (const type of ['prevote', 'precommit'] as const) {
        const step = waiting.get(stepOf({ ...vote, type }));
        if (step !== undefined && sent.get(stepOf(step)) === undefined)
          sendToAll(network, forget(step, vote));
      }
    };

    const giveUp = (vote: VoteMessage, bytes: Uint8Array): void => {
      if (sent.get(stepOf(vote)) === undefined) sendToAll(network, sent.set(stepOf(vote), bytes));
    };

    /** What goes out for the host's own vote; null while nothing does. */
    const replace = (vote: VoteMessage, bytes: Uint8Array): Uint8Array | null => {
      const { height, round, type, valueId } = vote;
      const known = sent.get(stepOf(vote));
      if (known !== undefined) return known;
      const lock = locks.get(`${height}`);
      if (type === 'precommit' && valueId !== NIL) locks.set(`${height}`, { round, valueId });
      if (valueId !== NIL || lock === undefined || round <= lock.round) return sent.set(stepOf(vote), bytes);
      const offer = offered.get(`${height}/${round}`);
      if (offer !== undefined) return forget(vote, offer);
      if (waiting.get(stepOf(vote)) === undefined) timers.after(PATIENCE_MS, () => giveUp(vote, bytes));
      waiting.set(stepOf(vote), vote);
      return null;
    };

    return {
      clock,
      stop: timers.stop,
      network: delegate(network, {
        ...overhearing(network, (_peer, message) => {
          if (message.type === 'vote') hear(message.vote);
        }),
        ...rewriting(network, (_peer, bytes) => {
          const message = decoded(bytes);
          if (message?.type !== 'vote' || !isOwnVote(tools, message.vote)) return [bytes];
          const replaced = replace(message.vote, bytes);
          return replaced === null ? [] : [replaced];
        }),
      }),
    };
  },
};
