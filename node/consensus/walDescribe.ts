/** One WAL record in words, for people: what the engine was told. */
import type { Input } from '#consensus/engine.ts';
import type { Hash } from '#consensus/primitives.ts';
import { NIL } from '#consensus/types.ts';
import type { WalRecord } from '#node/consensus/walRecords.ts';

const short = (hex: string): string => `${hex.slice(0, 10)}…`;
const valueText = (valueId: Hash): string => (valueId === NIL ? 'nil' : short(valueId));

const inputText = (input: Input): string => {
  switch (input.type) {
    case 'start':
      return 'round 0 may begin';
    case 'built':
      return `own payload ${short(input.payloadHash)} built for round ${input.round}`;
    case 'proposal':
    case 'ownProposal': {
      const { round, polRound, payloadHash, proposer } = input.proposal;
      const whose = input.type === 'ownProposal' ? 'SIGNED HERE: proposal' : `proposal of ${proposer}`;
      return `${whose}, round ${round}, payload ${short(payloadHash)}${polRound < 0 ? '' : `, polka of round ${polRound}`}`;
    }
    case 'vote':
    case 'ownVote': {
      const { type, round, valueId, validator } = input.vote;
      const whose = input.type === 'ownVote' ? `SIGNED HERE: ${type}` : `${type} of ${validator}`;
      return `${whose}, round ${round}, for ${valueText(valueId)}`;
    }
    case 'certificate':
      return `certificate of round ${input.certificate.round} for ${valueText(input.certificate.valueId)}, ${input.certificate.signatures.length} signatures`;
    case 'derived':
      return input.value.valid
        ? `payload ${short(input.payloadHash)} executed: value ${short(input.value.valueId)}`
        : `payload ${short(input.payloadHash)} is invalid: ${input.value.reason}`;
    case 'judged':
      return `payload ${short(input.payloadHash)} ${input.accepted ? 'accepted' : 'not accepted'} in round ${input.round}${input.reason === '' ? '' : `: ${input.reason}`}`;
    case 'timeout':
      return `timeout of ${input.timeout.kind}, round ${input.timeout.round}`;
  }
};

export const describeWalRecord = (record: WalRecord): string => {
  switch (record.type) {
    case 'input':
      return inputText(record.input);
    case 'payload':
      return `payload ${short(record.payloadHash)} with all its bytes, ${record.payload.transactions.length} transactions`;
    case 'decision':
      return `decided: round ${record.certificate.round}, value ${short(record.certificate.valueId)}`;
  }
};

/** For machines; a payload's transactions are counted, not printed. */
export const walRecordToJson = (record: WalRecord): object => {
  if (record.type !== 'payload') return record;
  const { transactions, ...payload } = record.payload;
  const sizeBytes = transactions.reduce((sum, raw) => sum + raw.length, 0);
  return { ...record, payload: { ...payload, transactions: transactions.length, sizeBytes } };
};
