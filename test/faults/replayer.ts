/**
 * Repeats what was true elsewhere: everybody's messages of earlier heights and rounds, its own votes signed for another
 * chain, certificates of blocks long committed, also in place of today's.
 */

import { authenticateVote } from '#consensus/authenticate.ts';
import { buildCommitCertificate } from '#consensus/certificate.ts';
import { signDigest } from '#consensus/crypto/secp256k1.ts';
import { voteDigest } from '#consensus/digests.ts';
import type { SignedVote } from '#consensus/types.ts';
import { NIL } from '#consensus/types.ts';
import { type ConsensusMessage, encodeMessage } from '#node/consensus/messages.ts';
import { FaultTimers, Recent } from '#test/faults/bounded.ts';
import type { Fault, FaultTools } from '#test/faults/fault.ts';
import { foreignDomain, randomHash, voteBytes } from '#test/faults/forging.ts';
import { decoded, delegate, overhearing, rewriting, sendToAll } from '#test/faults/wire.ts';

const INTERVAL_MS = 250;
const REPEATED = 24;

/** A vote for the present that our key signed for another chain. */
const foreignVote = ({ key, domain, random, position }: FaultTools): Uint8Array => {
  const at = position();
  const vote = {
    type: random() < 0.5 ? ('prevote' as const) : ('precommit' as const),
    height: at?.height ?? 1n,
    round: Math.max(0, at?.round ?? 0),
    valueId: randomHash(random),
  };
  const signature = signDigest(voteDigest(foreignDomain(domain), vote), key.privateKey);
  return voteBytes({ ...vote, signature, payloadHash: null });
};

export const replayer: Fault = {
  name: 'replayer',
  create: (tools) => {
    const { network, clock, domain, random, position } = tools;
    const timers = new FaultTimers(clock);
    const messages = new Recent<Uint8Array>(512);
    const precommits = new Recent<SignedVote>(256);
    let count = 0;

    const remember = (message: ConsensusMessage, bytes: Uint8Array): void => {
      if (bytes.length < 16_384) messages.set(`${count++}`, bytes);
      if (message.type !== 'vote' || message.vote.type !== 'precommit' || message.vote.valueId === NIL)
        return;
      const vote = authenticateVote(domain, message.vote, message.vote.signature, null);
      if (vote !== null) precommits.set(vote.signature, vote);
    };

    /** A whole certificate of an earlier height, and the same with today's height written on it. */
    const staleCertificates = (): readonly Uint8Array[] => {
      const at = position();
      const oldest = precommits.values().find(({ height }) => height < (at?.height ?? 0n));
      if (at === null || oldest === undefined) return [];
      const seals = new Map<string, SignedVote>();
      for (const vote of precommits.values())
        if (vote.height === oldest.height && vote.round === oldest.round && vote.valueId === oldest.valueId)
          seals.set(vote.validator, vote);
      const stale = buildCommitCertificate([...seals.values()]);
      return [stale, { ...stale, height: at.height }].map((certificate) =>
        encodeMessage({ type: 'certificate', certificate }),
      );
    };

    timers.every(INTERVAL_MS, () => {
      const known = messages.values();
      for (let i = 0; i < Math.min(REPEATED, known.length); i++)
        sendToAll(network, known[Math.floor(random() * known.length)]!);
      sendToAll(network, foreignVote(tools));
      for (const certificate of staleCertificates()) sendToAll(network, certificate);
    });

    return {
      clock,
      stop: timers.stop,
      network: delegate(network, {
        ...overhearing(network, (_peer, message, bytes) => remember(message, bytes)),
        ...rewriting(network, (_peer, bytes) => {
          const message = decoded(bytes);
          if (message !== null) remember(message, bytes);
          return [bytes];
        }),
      }),
    };
  },
};
