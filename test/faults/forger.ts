/**
 * Forges proofs. With each own vote: a proposal whose polRound is not before its round, and commit certificates with a
 * signer named twice, a stranger, prevotes as seals, or too few seals, made from votes it heard. When it proposes in a
 * later round: a re-proposal of a value that never had a polka.
 */

import { authenticateVote } from '#consensus/authenticate.ts';
import type { Hash } from '#consensus/primitives.ts';
import { bytesToAddress } from '#consensus/primitives.ts';
import { type CommitCertificate, NIL, type SealSignature } from '#consensus/types.ts';
import type { ProposalMessage, VoteMessage } from '#node/consensus/fields.ts';
import { encodeMessage } from '#node/consensus/messages.ts';
import { Recent } from '#test/faults/bounded.ts';
import type { Fault, FaultTools } from '#test/faults/fault.ts';
import {
  isOwnProposal,
  isOwnVote,
  proposalBytes,
  randomBytes,
  randomHash,
  signProposal,
  signVote,
} from '#test/faults/forging.ts';
import { decoded, delegate, overhearing, rewriting, sendToAll } from '#test/faults/wire.ts';

/** Each of them would be a commit if nobody looked closely; `prevotes` are votes of others for the value. */
export const forgeCertificates = (
  tools: Pick<FaultTools, 'key' | 'domain' | 'random'>,
  { height, round }: { readonly height: bigint; readonly round: number },
  valueId: Hash,
  prevotes: readonly SealSignature[],
): readonly CommitCertificate[] => {
  const own = {
    validator: tools.key.address,
    signature: signVote(tools, { type: 'precommit', height, round, valueId }).signature,
  };
  const stranger = { validator: bytesToAddress(randomBytes(tools.random, 20)), signature: own.signature };
  const mixed = [...prevotes.filter(({ validator }) => validator !== own.validator), own];
  const ascending = (seals: readonly SealSignature[]): readonly SealSignature[] =>
    [...seals].sort((a, b) => (a.validator < b.validator ? -1 : 1));
  const certificate = (signatures: readonly SealSignature[]): CommitCertificate => ({
    height,
    round,
    valueId,
    signatures: ascending(signatures),
  });
  return [certificate([own, own, own]), certificate([own, stranger]), certificate(mixed), certificate([own])];
};

export const forger: Fault = {
  name: 'forger',
  create: (tools) => {
    const { network, clock, domain, random } = tools;
    const heard = new Recent<VoteMessage>(128);
    const done = new Recent<boolean>(256);
    const reproposals = new Recent<Uint8Array>(16);

    const prevotesFor = (height: bigint, valueId: Hash): readonly SealSignature[] => {
      const seals = new Map<string, SealSignature>();
      for (const vote of heard.values()) {
        if (vote.height !== height || vote.valueId !== valueId) continue;
        const signed = authenticateVote(domain, vote, vote.signature, null);
        if (signed !== null) seals.set(signed.validator, signed);
      }
      return [...seals.values()].map(({ validator, signature }) => ({ validator, signature }));
    };

    const forge = ({ height, round }: VoteMessage): void => {
      const valueId = heard.values().find((vote) => vote.height === height)?.valueId ?? randomHash(random);
      const polRound = round + Math.floor(random() * 3);
      const payloadHash = randomHash(random);
      sendToAll(
        network,
        proposalBytes(signProposal(tools, { height, round, polRound, payloadHash, valueId })),
      );
      for (const certificate of forgeCertificates(
        tools,
        { height, round },
        valueId,
        prevotesFor(height, valueId),
      ))
        sendToAll(network, encodeMessage({ type: 'certificate', certificate }));
    };

    /** Claims that the round before had a polka for a value that nobody has seen. */
    const repropose = (proposal: ProposalMessage): Uint8Array =>
      reproposals.get(`${proposal.height}/${proposal.round}`) ??
      reproposals.set(
        `${proposal.height}/${proposal.round}`,
        proposalBytes(
          signProposal(tools, { ...proposal, polRound: proposal.round - 1, valueId: randomHash(random) }),
        ),
      );

    return {
      clock,
      stop: () => undefined,
      network: delegate(network, {
        ...overhearing(network, (_peer, message) => {
          if (message.type === 'vote' && message.vote.type === 'prevote' && message.vote.valueId !== NIL)
            heard.set(message.vote.signature, message.vote);
        }),
        ...rewriting(network, (_peer, bytes) => {
          const message = decoded(bytes);
          if (message?.type === 'vote' && done.get(message.vote.signature) === undefined) {
            done.set(message.vote.signature, true);
            if (isOwnVote(tools, message.vote)) forge(message.vote);
          }
          if (message?.type !== 'proposal' || message.proposal.round === 0) return [bytes];
          return isOwnProposal(tools, message.proposal) ? [repropose(message.proposal)] : [bytes];
        }),
      }),
    };
  },
};
