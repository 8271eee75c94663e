/**
 * Votes honestly, and for rounds up to 2³¹ − 1 of this height and for heights up to a million ahead as well.
 * The rounds begin well ahead of the host's own, so that its honest votes do not conflict with them.
 */
import { NIL } from '#consensus/types.ts';
import { FaultTimers } from '#test/faults/bounded.ts';
import type { Fault } from '#test/faults/fault.ts';
import { randomHash, signVote, voteBytes } from '#test/faults/forging.ts';
import { sendToAll } from '#test/faults/wire.ts';

const INTERVAL_MS = 250;
const LAST_ROUND = 2 ** 31 - 1;
const HEIGHTS_AHEAD = [1n, 2n, 1_000n, 1_000_000n];

export const futureVoter: Fault = {
  name: 'futureVoter',
  create: (tools) => {
    const { network, clock, random, position } = tools;
    const timers = new FaultTimers(clock);

    const vote = (height: bigint, round: number, valueId = randomHash(random)): void => {
      const type = random() < 0.5 ? 'prevote' : 'precommit';
      sendToAll(network, voteBytes(signVote(tools, { type, height, round, valueId })));
    };

    timers.every(INTERVAL_MS, () => {
      const at = position();
      if (at === null) return;
      for (let ahead = 64; ahead < LAST_ROUND / 2; ahead *= 8)
        vote(at.height, Math.max(0, at.round) + ahead + Math.floor(random() * ahead));
      vote(at.height, LAST_ROUND, NIL);
      for (const ahead of HEIGHTS_AHEAD) vote(at.height + ahead, Math.floor(random() * LAST_ROUND));
    });
    return { network, clock, stop: timers.stop };
  },
};
