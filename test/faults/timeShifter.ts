/**
 * Lives in another time. Its clock runs an hour fast, so its payloads are dated in the future; every other one is dated
 * before its parent instead, by a second or to the year 1970.
 */
import { payloadToHash } from '#consensus/digests.ts';
import type { Payload } from '#consensus/types.ts';
import type { ProposalMessage } from '#node/consensus/fields.ts';
import { encodeMessage } from '#node/consensus/messages.ts';
import { Recent } from '#test/faults/bounded.ts';
import type { Fault } from '#test/faults/fault.ts';
import { isOwnProposal, proposalBytes, signProposal } from '#test/faults/forging.ts';
import { decoded, delegate, rewriting } from '#test/faults/wire.ts';

export const SHIFT_MS = 3_600_000;

type Shifted = { readonly proposal: ProposalMessage; readonly isPast: boolean };

export const timeShifter: Fault = {
  name: 'timeShifter',
  create: (tools) => {
    const { network, clock, random } = tools;
    const shifted = new Recent<Shifted>(16);

    /** An hour and more before what the host thinks the time is: never after the parent. */
    const intoThePast = (payload: Payload): Payload => ({
      ...payload,
      timestamp: random() < 0.5 ? 0n : payload.timestamp - 2n * BigInt(SHIFT_MS / 1_000),
    });
    const past = new Recent<readonly Uint8Array[]>(16);

    return {
      clock: {
        monotonicMs: () => clock.monotonicMs(),
        nowMs: () => clock.nowMs() + SHIFT_MS,
        setTimer: (delayMs, run) => clock.setTimer(delayMs, run),
      },
      stop: () => undefined,
      network: delegate(network, {
        ...rewriting(network, (_peer, bytes) => {
          const message = decoded(bytes);
          if (message?.type === 'proposal') {
            const { proposal } = message;
            if (proposal.polRound !== -1 || !isOwnProposal(tools, proposal)) return [bytes];
            const { isPast } =
              shifted.get(proposal.payloadHash) ??
              shifted.set(proposal.payloadHash, { proposal, isPast: random() < 0.5 });
            return isPast ? [] : [bytes];
          }
          if (message?.type !== 'payload') return [bytes];
          const payloadHash = payloadToHash(message.payload);
          const known = shifted.get(payloadHash);
          if (known?.isPast !== true) return [bytes];
          const made = past.get(payloadHash);
          if (made !== undefined) return made;
          const payload = intoThePast(message.payload);
          const proposal = signProposal(tools, { ...known.proposal, payloadHash: payloadToHash(payload) });
          return past.set(payloadHash, [
            proposalBytes(proposal),
            encodeMessage({ type: 'payload', height: message.height, payload }),
          ]);
        }),
      }),
    };
  },
};
