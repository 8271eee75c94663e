/** Reads everything that was sent and names every validator that signed two different votes for one step. */
import { authenticateVote } from '#consensus/authenticate.ts';
import { decodeMessage } from '#node/consensus/messages.ts';
import { DOMAIN } from './cluster.ts';
import type { LossyHub } from './lossyNetwork.ts';

export type SentVote = {
  readonly step: string;
  readonly valueId: string;
  readonly signature: string;
};

export const sentVotes = (hub: LossyHub): readonly SentVote[] => {
  const bySignature = new Map<string, SentVote>();
  for (const { message } of hub.sent) {
    const decoded = decodeMessage(message);
    if (!decoded.ok || decoded.value.type !== 'vote') continue;
    const { vote } = decoded.value;
    const key = `${vote.type} ${vote.height}/${vote.round} ${vote.valueId} ${vote.signature}`;
    if (bySignature.has(key)) continue;
    const signed = authenticateVote(DOMAIN, vote, vote.signature, null);
    if (signed === null) continue;
    const step = `${signed.validator} ${vote.type} ${vote.height}/${vote.round}`;
    bySignature.set(key, { step, valueId: vote.valueId, signature: vote.signature });
  }
  return [...bySignature.values()];
};

export const signedTwice = (hub: LossyHub): readonly string[] => {
  const values = new Map<string, string>();
  const twice: string[] = [];
  for (const { step, valueId } of sentVotes(hub)) {
    const known = values.get(step);
    if (known !== undefined && known !== valueId) twice.push(step);
    values.set(step, valueId);
  }
  return twice;
};
