/**
 * From a peer's bytes to authenticated inputs of the current height.
 *
 * Owns budgets, decoding, dropping what was seen (before any recovery), authentication, the buffer for the next
 * height, and the faults that peers are charged with. Does not own what an input means. Never throws on a peer's bytes.
 * The hint of a vote is unsigned: it passes only when the vote's own validator sends it, so nobody speaks for others.
 */
import { authenticateProposal, authenticateVote } from '#consensus/authenticate.ts';
import { verifyCommitCertificate } from '#consensus/certificate.ts';
import { payloadToHash } from '#consensus/digests.ts';
import type { Misbehaviour } from '#consensus/evidence.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import { proposerAt } from '#consensus/proposer.ts';
import type {
  CommitCertificate,
  ConsensusDomain,
  Payload,
  SignedProposal,
  SignedVote,
} from '#consensus/types.ts';
import { isMember, type ValidatorSet } from '#consensus/validatorSet.ts';
import { FutureMessages, PeerBudgets } from '#node/consensus/budgets.ts';
import type { Clock } from '#node/consensus/clock.ts';
import type { ProposalMessage, VoteMessage } from '#node/consensus/fields.ts';
import { type ConsensusMessage, decodeMessage, type RoundSummary } from '#node/consensus/messages.ts';
import type { Network, Peer, PeerFault } from '#node/network/network.ts';

/** Votes ahead of our round that one validator may make us write down between two of our rounds. */
const MAX_AHEAD_MESSAGES = 64;
/** Signatures remembered within a height. */
const MAX_SEEN = 65_536;

export type IntakeHooks = {
  readonly position: () => {
    readonly height: bigint;
    readonly round: number;
    readonly set: ValidatorSet;
    readonly decided: boolean;
  };
  readonly onVote: (vote: SignedVote) => void;
  readonly onProposal: (proposal: SignedProposal) => void;
  /** @returns was it waited for? */
  readonly onPayload: (peer: Peer, payloadHash: Hash, payload: Payload) => boolean;
  readonly onCertificate: (certificate: CommitCertificate) => void;
  readonly onSummary: (peer: Peer, height: bigint, rounds: readonly RoundSummary[], round: number) => void;
  readonly onBehind: (peer: Peer, height: bigint) => void;
  readonly onSession: (peer: Peer, session: Hash) => void;
  /** Not authenticated: evidence speaks of any height, and is judged by the set of its own. */
  readonly onEvidence: (peer: Peer, evidence: Misbehaviour) => void;
  /** Not verified: a certificate for a height that is decided here, which may contradict it. */
  readonly onLateCertificate: (peer: Peer, certificate: CommitCertificate) => void;
};

export class Intake {
  readonly #domain: ConsensusDomain;
  readonly #network: Pick<Network, 'reportFault' | 'reportUse'>;
  readonly #hooks: IntakeHooks;
  readonly #budgets: PeerBudgets;
  readonly #future = new FutureMessages<Peer>();
  /** What was taken in, and whose it is. */
  #seen = new Map<string, Address>();
  #ahead = new Map<string, number>();
  /** The votes and proposals of this height that a peer was credited for: one of each kind, author and round. */
  #useful = new Set<string>();

  constructor(
    domain: ConsensusDomain,
    network: Pick<Network, 'reportFault' | 'reportUse'>,
    clock: Clock,
    hooks: IntakeHooks,
  ) {
    this.#domain = domain;
    this.#network = network;
    this.#hooks = hooks;
    this.#budgets = new PeerBudgets(clock);
  }

  receive(peer: Peer, bytes: Uint8Array): void {
    if (peer.validator === null) {
      this.#fault(peer, 'forbidden', 'consensus message without a consensus key');
      return;
    }
    if (!this.#budgets.take(peer.peerId, bytes.length)) {
      this.#fault(peer, 'flood', 'consensus messages beyond the budget');
      return;
    }
    this.#decodeAndDispatch(peer, bytes);
  }

  /** Begins with an empty memory and gives out what came early for this height. */
  enterHeight(height: bigint): void {
    this.#seen = new Map();
    this.#ahead = new Map();
    this.#useful = new Set();
    for (const { peer, message } of this.#future.take(height)) this.#decodeAndDispatch(peer, message);
  }

  /** What the engine had no room for may be needed in the new round: it is taken again. */
  enterRound(): void {
    this.#seen = new Map();
    this.#ahead = new Map();
  }

  #decodeAndDispatch(peer: Peer, bytes: Uint8Array): void {
    const decoded = decodeMessage(bytes);
    if (!decoded.ok) {
      const fault: PeerFault = decoded.error.code === 'TOO_LARGE' ? 'oversized' : 'malformed';
      this.#fault(peer, fault, decoded.error.message);
      return;
    }
    this.#dispatch(peer, decoded.value, bytes);
  }

  #dispatch(peer: Peer, message: ConsensusMessage, bytes: Uint8Array): void {
    if (message.type === 'session') {
      this.#hooks.onSession(peer, message.session);
      return;
    }
    if (message.type === 'evidence') {
      this.#hooks.onEvidence(peer, message.evidence);
      return;
    }
    const { height, set } = this.#hooks.position();
    const at = messageHeight(message);
    if (message.type === 'summary') {
      this.#summary(peer, message, height);
      return;
    }
    if (at < height) {
      if (message.type === 'certificate') this.#hooks.onLateCertificate(peer, message.certificate);
      return;
    }
    if (at > height) {
      // One height ahead is the usual moment between a peer's commit and ours.
      if (at === height + 1n) this.#future.add(peer, at, bytes);
      else this.#hooks.onBehind(peer, at);
      return;
    }
    switch (message.type) {
      case 'vote':
        this.#vote(peer, message.vote, set);
        break;
      case 'proposal':
        this.#proposal(peer, message.proposal, set);
        break;
      case 'payload':
        if (this.#hooks.onPayload(peer, payloadToHash(message.payload), message.payload))
          this.#network.reportUse(peer.peerId, 'payload', bytes.length);
        break;
      case 'certificate':
        this.#certificate(peer, message.certificate, set);
        break;
    }
  }

  #summary(peer: Peer, message: Extract<ConsensusMessage, { type: 'summary' }>, height: bigint): void {
    if (message.height > height + 1n) this.#hooks.onBehind(peer, message.height);
    this.#hooks.onSummary(peer, message.height, message.rounds, message.round);
  }

  #vote(peer: Peer, message: VoteMessage, set: ValidatorSet): void {
    const key = `${message.type}:${message.round}:${message.valueId}:${message.signature}`;
    const firstHandKey = `first-hand:${key}`;
    const signer = this.#seen.get(key);
    // What a relay brought may come once more from its signer, with the hint.
    if (signer !== undefined && (signer !== peer.validator || this.#seen.has(firstHandKey))) return;
    const vote = authenticateVote(this.#domain, message, message.signature, message.payloadHash);
    if (vote === null || !isMember(set, vote.validator)) {
      this.#fault(peer, 'invalid', 'vote without a signature of a validator');
      return;
    }
    if (signer === undefined && !this.#isWithinAhead(vote.validator, vote.round)) return;
    const isFirstHand = vote.validator === peer.validator;
    this.#remember(key, vote.validator);
    if (isFirstHand) this.#remember(firstHandKey, vote.validator);
    this.#credit(peer, 'vote', `${vote.type}:${vote.round}:${vote.validator}`, vote.round);
    this.#hooks.onVote(isFirstHand ? vote : { ...vote, payloadHash: null });
  }

  #proposal(peer: Peer, message: ProposalMessage, set: ValidatorSet): void {
    const key = `proposal:${message.round}:${message.signature}`;
    if (this.#seen.has(key)) return;
    const proposal = authenticateProposal(this.#domain, message, message.signature);
    if (proposal === null || proposerAt(set, proposal.height, proposal.round) !== proposal.proposer) {
      this.#fault(peer, 'invalid', `proposal not signed by the proposer of round ${message.round}`);
      return;
    }
    if (!this.#isWithinAhead(proposal.proposer, proposal.round)) return;
    this.#remember(key, proposal.proposer);
    this.#credit(peer, 'proposal', `proposal:${proposal.round}`, proposal.round);
    this.#hooks.onProposal(proposal);
  }

  #certificate(peer: Peer, certificate: CommitCertificate, set: ValidatorSet): void {
    if (this.#hooks.position().decided) {
      this.#hooks.onLateCertificate(peer, certificate);
      return;
    }
    const key = `certificate:${certificate.round}:${certificate.valueId}`;
    if (this.#seen.has(key)) return;
    const result = verifyCommitCertificate(this.#domain, set, certificate);
    if (!result.valid) {
      this.#fault(peer, 'invalid', `certificate ${result.code}: ${result.reason}`);
      return;
    }
    this.#remember(key, peer.validator!);
    this.#hooks.onCertificate(certificate);
  }

  /** Who signs for many rounds or values pays for it; who brings the first of what counts now does not. */
  #credit(peer: Peer, use: 'vote' | 'proposal', key: string, round: number): void {
    if (round > this.#hooks.position().round + 1 || this.#useful.has(key)) return;
    this.#useful.add(key);
    this.#network.reportUse(peer.peerId, use);
  }

  /** Honest validators are rarely more than a few rounds ahead; a liar uses up its own share only. */
  #isWithinAhead(validator: string, round: number): boolean {
    if (round <= this.#hooks.position().round + 1) return true;
    const used = (this.#ahead.get(validator) ?? 0) + 1;
    if (used > MAX_AHEAD_MESSAGES) return false;
    this.#ahead.set(validator, used);
    return true;
  }

  #remember(key: string, author: Address): void {
    if (this.#seen.size >= MAX_SEEN) this.#seen.clear();
    this.#seen.set(key, author);
  }

  #fault(peer: Peer, fault: PeerFault, detail: string): void {
    this.#network.reportFault(peer.peerId, fault, detail);
  }
}

const messageHeight = (message: Exclude<ConsensusMessage, { type: 'session' | 'evidence' }>): bigint => {
  switch (message.type) {
    case 'vote':
      return message.vote.height;
    case 'proposal':
      return message.proposal.height;
    case 'certificate':
      return message.certificate.height;
    case 'payload':
    case 'summary':
      return message.height;
  }
};
