/**
 * Pretends to be others: their votes and proposals with another value under the same signature, its own seals under
 * their names, and signatures in forms that recover the right key but are not the strict one: high s, v 0, 1, 26 to 29.
 */
import { bytesToHex, hexToBytes, type Signature, toBigEndian } from '#consensus/primitives.ts';
import { NIL } from '#consensus/types.ts';
import type { VoteMessage } from '#node/consensus/fields.ts';
import { encodeMessage } from '#node/consensus/messages.ts';
import { Allowance, Recent } from '#test/faults/bounded.ts';
import type { Fault, FaultTools } from '#test/faults/fault.ts';
import { proposalBytes, randomHash, signVote, voteBytes } from '#test/faults/forging.ts';
import { delegate, overhearing, sendToAll } from '#test/faults/wire.ts';

/** Messages that it alters; another impersonator's are altered again, so there must be an end. */
const ALTERED_PER_SECOND = 50;

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** The other signature of the same key over the same digest: order − s, and v turned over. */
export const toHighS = (signature: Signature): Signature => {
  const bytes = hexToBytes(signature);
  const s = BigInt(bytesToHex(bytes.subarray(32, 64)));
  bytes.set(toBigEndian(ORDER - s, 32), 32);
  bytes[64] = bytes[64] === 27 ? 28 : 27;
  return bytesToHex(bytes) as Signature;
};

export const withV = (signature: Signature, v: number): Signature => {
  const bytes = hexToBytes(signature);
  bytes[64] = v;
  return bytesToHex(bytes) as Signature;
};

/** The same recovery id, written as wallets and libraries outside the strict form write it. */
const badForms = (signature: Signature): readonly Signature[] => {
  const v = hexToBytes(signature)[64]!;
  return [toHighS(signature), ...[v - 27, v + 2, v - 2, 255].map((other) => withV(signature, other))];
};

/** Each seal would count for somebody else if the name were believed. */
const borrowedNames = (tools: FaultTools, { height, round, valueId }: VoteMessage): Uint8Array | null => {
  const set = tools.position()?.set;
  if (set === undefined) return null;
  const { signature } = signVote(tools, { type: 'precommit', height, round, valueId });
  return encodeMessage({
    type: 'certificate',
    certificate: {
      height,
      round,
      valueId,
      signatures: set.validators.map(({ address }) => ({ validator: address, signature })),
    },
  });
};

export const impersonator: Fault = {
  name: 'impersonator',
  create: (tools) => {
    const { network, clock, random } = tools;
    const used = new Recent<boolean>(512);
    const allowance = new Allowance(clock, ALTERED_PER_SECOND);

    const alterVote = (vote: VoteMessage): void => {
      const other = vote.type === 'prevote' ? ('precommit' as const) : ('prevote' as const);
      sendToAll(network, voteBytes({ ...vote, valueId: randomHash(random) }));
      sendToAll(network, voteBytes({ ...vote, type: other }));
      sendToAll(network, voteBytes({ ...vote, round: vote.round + 1 }));
      for (const signature of badForms(vote.signature)) sendToAll(network, voteBytes({ ...vote, signature }));
      const certificate = vote.valueId === NIL ? null : borrowedNames(tools, vote);
      if (certificate !== null) sendToAll(network, certificate);
    };

    return {
      clock,
      stop: () => undefined,
      network: delegate(network, {
        ...overhearing(network, (_peer, message) => {
          if (message.type !== 'vote' && message.type !== 'proposal') return;
          const { signature } = message.type === 'vote' ? message.vote : message.proposal;
          if (used.get(signature) !== undefined || !allowance.take()) return;
          used.set(signature, true);
          if (message.type === 'vote') alterVote(message.vote);
          else sendToAll(network, proposalBytes({ ...message.proposal, payloadHash: randomHash(random) }));
        }),
      }),
    };
  },
};
