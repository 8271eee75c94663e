/**
 * Sends far more than a validator has to say: bytes that are no message, signed votes for many heights and rounds, the
 * same things again and again, payloads nobody asked for, and frames as large as the network takes.
 */
import { NIL } from '#consensus/types.ts';
import { encodeMessage } from '#node/consensus/messages.ts';
import { MAX_CONSENSUS_MESSAGE_BYTES } from '#node/network/network.ts';
import { FaultTimers } from '#test/faults/bounded.ts';
import type { Fault, FaultTools } from '#test/faults/fault.ts';
import { randomBytes, randomHash, signVote, voteBytes } from '#test/faults/forging.ts';
import { sendToAll } from '#test/faults/wire.ts';

const INTERVAL_MS = 250;
const BURST = 48;

const junk = (random: () => number): Uint8Array => randomBytes(random, 1 + Math.floor(random() * 300));

const floodVote = (tools: FaultTools): Uint8Array => {
  const { random, position } = tools;
  const height = (position()?.height ?? 1n) + BigInt(Math.floor(random() * 6) - 2);
  const type = random() < 0.5 ? 'prevote' : 'precommit';
  const round = 8 + Math.floor(random() * 1_000);
  return voteBytes(
    signVote(tools, { type, height: height < 1n ? 1n : height, round, valueId: randomHash(random) }),
  );
};

const unwantedPayload = ({ random, position, key }: FaultTools): Uint8Array =>
  encodeMessage({
    type: 'payload',
    height: position()?.height ?? 1n,
    payload: {
      parentHash: NIL,
      timestamp: BigInt(Math.floor(random() * 2 ** 40)),
      feeRecipient: key.address,
      transactions: [randomBytes(random, 4_096)],
    },
  });

export const flooder: Fault = {
  name: 'flooder',
  create: (tools) => {
    const { network, clock, random } = tools;
    const timers = new FaultTimers(clock);
    /** One buffer for all: made once, sent often. */
    const largest = new Uint8Array(MAX_CONSENSUS_MESSAGE_BYTES).fill(0xee);

    const burst = (): void => {
      const vote = floodVote(tools);
      for (let i = 0; i < BURST; i++)
        sendToAll(network, i % 4 === 0 ? vote : i % 4 === 1 ? junk(random) : floodVote(tools));
      sendToAll(network, unwantedPayload(tools));
      sendToAll(network, largest);
    };

    timers.every(INTERVAL_MS, burst);
    return { network, clock, stop: timers.stop };
  },
};
