/**
 * What must hold in every run, checked while it runs (README.md lists the invariants).
 *
 * Watches the wire, the chains and the sign guards from outside; knows which validators are honest. It notes the first
 * violation and throws nothing: it is called from inside the hosts, which would take an exception for a fault of theirs.
 */
import { authenticateProposal, authenticateVote } from '#consensus/authenticate.ts';
import { verifyCommitCertificate } from '#consensus/certificate.ts';
import { payloadToHash, proposalDigest, voteDigest } from '#consensus/digests.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import type { CommitCertificate, ConsensusDomain, Proposal, Vote } from '#consensus/types.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import { blockToPayload } from '#node/consensus/answers.ts';
import type { VoteMessage } from '#node/consensus/fields.ts';
import { compareSigningOrder, type GuardState } from '#node/consensus/guard.ts';
import {
  decodeLastVoteAnswer,
  decodeMessage,
  decodeRequest,
  decodeVotesAnswer,
} from '#node/consensus/messages.ts';
import type { BlockRecord } from '#node/storage/records.ts';
import type { SimProcess } from './simProcess.ts';

export type ViolationCode =
  | 'FORK'
  | 'INVALID_BLOCK'
  | 'BAD_CERTIFICATE'
  | 'SIGNED_TWICE'
  | 'UNGUARDED_SIGNATURE'
  | 'GUARD_WENT_BACK'
  | 'HEIGHT_WENT_BACK'
  | 'FALSE_EVIDENCE'
  | 'HONEST_CHARGED'
  | 'HALTED'
  | 'DOES_NOT_SIGN'
  | 'THREW'
  | 'UNBOUNDED'
  | 'STALLED';

export type Violation = { readonly code: ViolationCode; readonly message: string };

export type CheckerOptions = {
  readonly domain: ConsensusDomain;
  readonly setAt: (height: bigint) => ValidatorSet;
  readonly honest: ReadonlySet<Address>;
};

type Step = Pick<GuardState, 'height' | 'round' | 'step'>;

export class Checker {
  readonly #options: CheckerOptions;
  violation: Violation | null = null;
  /** The block of each height that an honest validator committed first. */
  readonly #blocks = new Map<bigint, BlockRecord>();
  /** By digest: payloads that were proposed with a proposer's signature. */
  readonly #proposed = new Set<Hash>();
  /** Digest by signer and step. */
  readonly #signed = new Map<string, Hash>();
  readonly #newest = new Map<Address, Step>();
  readonly #guards = new Map<Address, GuardState>();
  readonly #seen = new Set<string>();
  readonly #verified = new Set<string>();
  maxRound = 0;

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  fail(code: ViolationCode, message: string): void {
    this.violation ??= { code, message };
  }

  /** A consensus message left a process. @param identity equal for equal bytes */
  onMessage(message: Uint8Array, identity: string): void {
    if (message[0] === 4 || this.#seen.has(identity)) return;
    this.#seen.add(identity);
    const decoded = decodeMessage(message);
    if (!decoded.ok) return;
    const { value } = decoded;
    if (value.type === 'vote') this.#onVote(value.vote);
    else if (value.type === 'certificate') this.#onCertificate(value.certificate);
    else if (value.type === 'proposal') this.#onProposal(value.proposal, value.proposal.signature);
  }

  onAnswer(request: Uint8Array, answer: Uint8Array): void {
    const asked = decodeRequest(request);
    if (!asked.ok) return;
    if (asked.value.type === 'polka') {
      const votes = decodeVotesAnswer(answer);
      if (votes.ok) for (const vote of votes.value) this.#onVote(vote);
    } else if (asked.value.type === 'lastVote') {
      const last = decodeLastVoteAnswer(answer);
      if (last.ok && last.value.vote !== null) this.#onVote(last.value.vote);
    }
  }

  onBlock(process: SimProcess, isHonest: boolean, head: bigint, block: BlockRecord): void {
    if (!isHonest) return;
    const { height, hash, certificate } = block;
    if (height !== head + 1n)
      this.fail('HEIGHT_WENT_BACK', `${process.name} expected height ${head + 1n}, committed ${height}`);
    const known = this.#blocks.get(height);
    if (known === undefined) {
      this.#blocks.set(height, block);
      this.#checkBlock(process, block);
    } else if (known.hash !== hash)
      this.fail('FORK', `height ${height}: ${process.name} committed ${hash}, another ${known.hash}`);
    if (certificate === null) this.fail('BAD_CERTIFICATE', `height ${height} of ${process.name} has none`);
    else this.#checkCertificate(process, block, certificate);
  }

  /** What the guard on a disk says, at a crash and at the end: all that went out is behind it. */
  onGuard(name: string, validator: Address, state: GuardState): void {
    const before = this.#guards.get(validator);
    if (before !== undefined && compareSigningOrder(state, before) < 0)
      this.fail('GUARD_WENT_BACK', `${name}: ${stepOf(state)} after ${stepOf(before)}`);
    this.#guards.set(validator, state);
    const newest = this.#newest.get(validator);
    if (newest !== undefined && compareSigningOrder(state, newest) < 0)
      this.fail(
        'UNGUARDED_SIGNATURE',
        `${name} sent a ${stepOf(newest)}, its guard ends at ${stepOf(state)}`,
      );
    if (state.signature !== null && state.learned === undefined)
      this.#note(validator, state, state.digest, false);
  }

  #onVote(message: VoteMessage): void {
    const vote = authenticateVote(this.#options.domain, message, message.signature, null);
    if (vote !== null) this.#noteVote(vote.validator, vote);
  }

  #onCertificate({ height, round, valueId, signatures }: CommitCertificate): void {
    for (const { validator, signature } of signatures) {
      const vote: Vote = { type: 'precommit', height, round, valueId };
      const signed = authenticateVote(this.#options.domain, vote, signature, null);
      if (signed?.validator === validator) this.#noteVote(validator, vote);
    }
  }

  #noteVote(validator: Address, vote: Vote): void {
    const digest = voteDigest(this.#options.domain, vote);
    this.#note(validator, { height: vote.height, round: vote.round, step: vote.type }, digest, true);
  }

  #onProposal(message: Proposal, signature: Parameters<typeof authenticateProposal>[2]): void {
    const proposal = authenticateProposal(this.#options.domain, message, signature);
    if (proposal === null) return;
    this.#proposed.add(proposal.payloadHash);
    const { height, round } = proposal;
    const digest = proposalDigest(this.#options.domain, proposal);
    this.#note(proposal.proposer, { height, round, step: 'proposal' }, digest, true);
  }

  #note(validator: Address, step: Step, digest: Hash, isOnWire: boolean): void {
    if (!this.#options.honest.has(validator)) return;
    const key = `${validator} ${stepOf(step)}`;
    const known = this.#signed.get(key);
    if (known !== undefined && known !== digest)
      this.fail('SIGNED_TWICE', `${key}: digests ${known} and ${digest}`);
    this.#signed.set(key, digest);
    if (!isOnWire) return;
    this.maxRound = Math.max(this.maxRound, step.round);
    const newest = this.#newest.get(validator);
    if (newest === undefined || compareSigningOrder(step, newest) > 0) this.#newest.set(validator, step);
  }

  #checkBlock(process: SimProcess, block: BlockRecord): void {
    const before = this.#blocks.get(block.height - 1n);
    const where = `height ${block.height} of ${process.name}`;
    if (before !== undefined && block.parentHash !== before.hash)
      this.fail('INVALID_BLOCK', `${where}: parent ${block.parentHash}, expected ${before.hash}`);
    if (before !== undefined && block.timestamp < before.timestamp)
      this.fail('INVALID_BLOCK', `${where}: timestamp ${block.timestamp} before its parent's`);
    const payloadHash = payloadToHash(blockToPayload(block));
    // who alone has a quorum decides without a word to anybody, even with all its lines cut
    const isDecidedAlone = block.certificate?.signatures.length === 1;
    if (!this.#proposed.has(payloadHash) && !isDecidedAlone)
      this.fail('INVALID_BLOCK', `${where}: no proposer signed for its payload ${payloadHash}`);
    if (block.certificate?.valueId !== block.valueId)
      this.fail(
        'INVALID_BLOCK',
        `${where}: derives to ${block.valueId}, decided ${block.certificate?.valueId}`,
      );
  }

  #checkCertificate(process: SimProcess, block: BlockRecord, certificate: CommitCertificate): void {
    const { height, valueId } = block;
    const key = `${valueId} ${certificate.round} ${certificate.signatures.map(({ signature }) => signature).join()}`;
    if (this.#verified.has(key)) return;
    this.#verified.add(key);
    this.#onCertificate(certificate);
    const result = verifyCommitCertificate(this.#options.domain, this.#options.setAt(height), certificate, {
      height,
      valueId,
    });
    if (!result.valid)
      this.fail('BAD_CERTIFICATE', `height ${height} of ${process.name}: ${result.code}, ${result.reason}`);
  }
}

const stepOf = ({ height, round, step }: Step): string => `${step} ${height}/${round}`;
