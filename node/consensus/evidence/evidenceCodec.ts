/**
 * Evidence as RLP items, for the wire and for the file, and the key that says what one piece is about.
 *
 * Owns the encoding and the key. A decoded piece is well-formed, nothing more: the offender is named by the sender so
 * that what is known already can be dropped before any signature is looked at.
 */
import type { Misbehaviour } from '#consensus/evidence.ts';
import { type Address, bytesToHex, concatBytes, hexToBytes, toBigEndian } from '#consensus/primitives.ts';
import {
  addressOf,
  bytesOf,
  certificateItem,
  certificateOf,
  FieldError,
  listOf,
  proposalItem,
  proposalOf,
  uint,
  voteItem,
  voteOf,
} from '#node/consensus/fields.ts';
import type { RlpItem } from '#node/consensus/rlp.ts';

/** In the order of their numbers in a key. */
export const EVIDENCE_STEPS = ['prevote', 'precommit', 'proposal', 'commit'] as const;
export type EvidenceStep = (typeof EVIDENCE_STEPS)[number];

/** What one piece is about; a second piece about the same is not kept. */
export type EvidenceSubject = {
  readonly step: EvidenceStep;
  /** Null for two certificates, which convict a set. */
  readonly offender: Address | null;
  readonly height: bigint;
  /** 0 for two certificates, whose rounds may differ. */
  readonly round: number;
};

export const subjectOf = (item: Misbehaviour): EvidenceSubject => {
  const { height, round } = item.first;
  switch (item.type) {
    case 'duplicateVote':
      return { step: item.first.type, offender: item.first.validator, height, round };
    case 'duplicateProposal':
      return { step: 'proposal', offender: item.first.proposer, height, round };
    case 'conflictingCommit':
      return { step: 'commit', offender: null, height, round: 0 };
  }
};

/** step (1) ‖ offender or zeros (20) ‖ height (8) ‖ round (4). */
export const KEY_BYTES = 33;
/** step ‖ offender: what the bound for each offender counts. */
export const SLOT_BYTES = 21;

const slotBytesOf = ({ step, offender }: Pick<EvidenceSubject, 'step' | 'offender'>): Uint8Array =>
  concatBytes(
    Uint8Array.of(EVIDENCE_STEPS.indexOf(step)),
    offender === null ? new Uint8Array(20) : hexToBytes(offender),
  );

/** Hex of `SLOT_BYTES`. */
export const slotOf = (subject: Pick<EvidenceSubject, 'step' | 'offender'>): string =>
  bytesToHex(slotBytesOf(subject));

/** Hex of `KEY_BYTES`; begins with the slot. */
export const keyOf = (subject: EvidenceSubject): string =>
  bytesToHex(
    concatBytes(slotBytesOf(subject), toBigEndian(subject.height, 8), toBigEndian(BigInt(subject.round), 4)),
  );

export const evidenceItem = (item: Misbehaviour): RlpItem => {
  switch (item.type) {
    case 'duplicateVote':
      return [
        uint(0),
        hexToBytes(item.first.validator),
        voteItem({ ...item.first, payloadHash: null }),
        voteItem({ ...item.second, payloadHash: null }),
      ];
    case 'duplicateProposal':
      return [uint(1), hexToBytes(item.first.proposer), proposalItem(item.first), proposalItem(item.second)];
    case 'conflictingCommit':
      return [uint(2), new Uint8Array(0), certificateItem(item.first), certificateItem(item.second)];
  }
};

/** @throws FieldError, RlpError */
export const evidenceOf = (item: RlpItem | undefined): Misbehaviour => {
  const [kind, offender, first, second] = listOf(item, 4);
  const number = bytesOf(kind, 1);
  switch (number[0] ?? 0) {
    case 0: {
      const validator = addressOf(offender);
      const voteBy = (vote: RlpItem | undefined) => ({ ...voteOf(vote), payloadHash: null, validator });
      return { type: 'duplicateVote', first: voteBy(first), second: voteBy(second) };
    }
    case 1: {
      const proposer = addressOf(offender);
      const proposalBy = (proposal: RlpItem | undefined) => ({ ...proposalOf(proposal), proposer });
      return { type: 'duplicateProposal', first: proposalBy(first), second: proposalBy(second) };
    }
    case 2:
      bytesOf(offender, 0);
      return { type: 'conflictingCommit', first: certificateOf(first), second: certificateOf(second) };
    default:
      throw new FieldError(`expected evidence of kind 0, 1 or 2, found ${number[0]}`);
  }
};
