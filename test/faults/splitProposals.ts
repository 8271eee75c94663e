/**
 * Two payloads and two signed proposals for each own fresh proposal: one for each half of the others.
 *
 * The second payload pays its fees to somebody else, so that it derives, to another value. Shared by equivocator and
 * payloadSplitter; re-proposals pass.
 */
import { payloadToHash } from '#consensus/digests.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import type { Payload } from '#consensus/types.ts';
import type { ProposalMessage } from '#node/consensus/fields.ts';
import { type ConsensusMessage, encodeMessage } from '#node/consensus/messages.ts';
import { Recent } from '#test/faults/bounded.ts';
import type { FaultTools } from '#test/faults/fault.ts';
import { isOwnProposal, proposalBytes, signProposal } from '#test/faults/forging.ts';
import { halfOf, type Rewrite } from '#test/faults/wire.ts';

const OTHER_RECIPIENT = `0x${'7e'.repeat(20)}` as Address;
const MAX_SPLITS = 8;

/** The second payload and the bytes of the two messages that bring it; null until its first payload has been sent. */
type Split = { readonly proposal: ProposalMessage; twin: Twin | null };
type Twin = { readonly payloadHash: Hash; readonly proposal: Uint8Array; readonly payload: Uint8Array };

export type ProposalSplitter = {
  /** Null: not a message that it splits. */
  readonly rewrite: (message: ConsensusMessage, ...args: Parameters<Rewrite>) => ReturnType<Rewrite> | null;
  /** Which half was given this payload; null when neither was. */
  readonly halfThatGot: (payloadHash: Hash) => 0 | 1 | null;
};

export const splitProposals = (tools: FaultTools): ProposalSplitter => {
  const splits = new Recent<Split>(MAX_SPLITS);

  const twinOf = (split: Split, height: bigint, payload: Payload): Twin => {
    const other = { ...payload, feeRecipient: OTHER_RECIPIENT };
    const payloadHash = payloadToHash(other);
    split.twin ??= {
      payloadHash,
      proposal: proposalBytes(signProposal(tools, { ...split.proposal, payloadHash })),
      payload: encodeMessage({ type: 'payload', height, payload: other }),
    };
    return split.twin;
  };

  const rewriteProposal = (proposal: ProposalMessage, ...[peer, bytes]: Parameters<Rewrite>) => {
    if (proposal.polRound !== -1 || !isOwnProposal(tools, proposal)) return null;
    const split =
      splits.get(proposal.payloadHash) ?? splits.set(proposal.payloadHash, { proposal, twin: null });
    if (halfOf(tools, peer) === 0) return [bytes];
    return split.twin === null ? [] : [split.twin.proposal];
  };

  const rewritePayload = (height: bigint, payload: Payload, ...[peer, bytes]: Parameters<Rewrite>) => {
    const split = splits.get(payloadToHash(payload));
    if (split === undefined) return null;
    const twin = twinOf(split, height, payload);
    return halfOf(tools, peer) === 0 ? [bytes] : [twin.proposal, twin.payload];
  };

  return {
    rewrite: (message, peer, bytes) => {
      if (message.type === 'proposal') return rewriteProposal(message.proposal, peer, bytes);
      if (message.type === 'payload') return rewritePayload(message.height, message.payload, peer, bytes);
      return null;
    },
    halfThatGot: (payloadHash) => {
      if (splits.get(payloadHash) !== undefined) return 0;
      return splits.values().some(({ twin }) => twin?.payloadHash === payloadHash) ? 1 : null;
    },
  };
};
