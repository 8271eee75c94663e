/** Messages as a person reads them in a trace. */
import { authenticateProposal, authenticateVote } from '#consensus/authenticate.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import { type ConsensusDomain, NIL } from '#consensus/types.ts';
import { type ConsensusMessage, decodeMessage, decodeRequest } from '#node/consensus/messages.ts';

export type Names = (address: Address) => string;

export const short = (hash: Hash): string => (hash === NIL ? 'nil' : hash.slice(2, 8));

const describeKnown = (domain: ConsensusDomain, name: Names, message: ConsensusMessage): string => {
  switch (message.type) {
    case 'vote': {
      const { type, height, round, valueId } = message.vote;
      const by = authenticateVote(domain, message.vote, message.vote.signature, null)?.validator;
      return `${type} ${height}/${round} ${short(valueId)} of ${by === undefined ? 'nobody' : name(by)}`;
    }
    case 'proposal': {
      const { height, round, polRound, payloadHash } = message.proposal;
      const by = authenticateProposal(domain, message.proposal, message.proposal.signature)?.proposer;
      const pol = polRound < 0 ? '' : `, polka in ${polRound}`;
      return `proposal ${height}/${round} payload ${short(payloadHash)}${pol} of ${by === undefined ? 'nobody' : name(by)}`;
    }
    case 'payload':
      return `payload for ${message.height}, ${message.payload.transactions.length} transactions`;
    case 'summary':
      return `summary ${message.height}/${message.round}`;
    case 'certificate':
      return `certificate ${message.certificate.height}/${message.certificate.round} ${short(message.certificate.valueId)}`;
    default:
      return message.type;
  }
};

export const describeMessage = (domain: ConsensusDomain, name: Names, bytes: Uint8Array): string => {
  const decoded = decodeMessage(bytes);
  return decoded.ok ? describeKnown(domain, name, decoded.value) : `${bytes.length} bytes of nothing`;
};

export const describeRequest = (bytes: Uint8Array): string => {
  const decoded = decodeRequest(bytes);
  return decoded.ok ? `asks ${decoded.value.type}` : 'asks nonsense';
};
