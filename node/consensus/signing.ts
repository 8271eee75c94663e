/**
 * The way a signature takes: inputs and payload durable → guard → signer → guard durable → back to the engine
 * (RULES 12, 13).
 *
 * Owns that order and the reasons not to sign at all: observing (no guard, broken log, failed disk), the look-back of
 * RULES 14 not finished, abstaining from a height, and the lease of block sync, which delays a signature until what is
 * final elsewhere is here. One signature at a time, in the order asked for; a slow signer
 * holds up nothing but later signatures. A refusal is silence, never an exception.
 */
import { proposalDigest, voteDigest } from '#consensus/digests.ts';
import type { Hash, Signature } from '#consensus/primitives.ts';
import type { Signer } from '#consensus/signer.ts';
import {
  type ConsensusDomain,
  NIL,
  type Proposal,
  type SignedProposal,
  type SignedVote,
  type Vote,
} from '#consensus/types.ts';
import { GuardError, type GuardRequest, type SignGuard } from '#node/consensus/guard.ts';
import type { HostLogger, SigningLease } from '#node/consensus/hostPorts.ts';

export type SigningHooks = {
  /** Makes everything that the engine was told durable, the payload included when one is named; rejects when it cannot. */
  readonly makeDurable: (payloadHash: Hash | null) => Promise<void>;
  /** Newest known polka for this vote's value; for a precommit, its own round if that has the polka. */
  readonly polkaRoundOf: (vote: Vote) => number | null;
  readonly isCurrent: (height: bigint) => boolean;
  readonly onVote: (vote: SignedVote) => void;
  readonly onProposal: (proposal: SignedProposal) => void;
};

export type SigningDependencies = {
  readonly domain: ConsensusDomain;
  readonly signer: Signer;
  readonly guard: SignGuard | null;
  readonly logger: HostLogger;
  readonly signingLease?: SigningLease;
};

export class Signing {
  readonly #deps: SigningDependencies;
  readonly #hooks: SigningHooks;
  #tail: Promise<void> = Promise.resolve();
  #observing: string | null = null;
  #abstainHeight: bigint | null = null;
  #lookBack = Promise.withResolvers<void>();
  #isLookBackDone = false;
  #hasSigned = false;
  readonly #stopping = Promise.withResolvers<void>();

  constructor(dependencies: SigningDependencies, hooks: SigningHooks) {
    this.#deps = dependencies;
    this.#hooks = hooks;
  }

  /** Why nothing is signed, for good until a restart; null when signing is allowed. */
  observing(): string | null {
    return this.#observing;
  }

  observe(reason: string): void {
    if (this.#observing !== null) return;
    this.#observing = reason;
    this.#deps.logger.error({ reason }, 'not voting: this node only observes');
    this.finishLookBack();
  }

  /** Why signatures wait right now, null when they do not. */
  withheld(): string | null {
    return this.#deps.signingLease?.reason() ?? null;
  }

  isLookingBack(): boolean {
    return !this.#isLookBackDone;
  }

  finishLookBack(): void {
    this.#isLookBackDone = true;
    this.#lookBack.resolve();
  }

  /** Nothing was signed since the start: what peers say of before still matters. */
  isBeforeFirst(): boolean {
    return !this.#hasSigned || !this.#isLookBackDone;
  }

  /**
   * On entering a height: what was learned by looking back does not hold any more. What waits for a signature is of an
   * earlier height and gets none. After the first signature, or for who observes, it is over.
   */
  lookBackAgain(): void {
    if (!this.#isLookBackDone || this.#hasSigned || this.#observing !== null) return;
    this.#isLookBackDone = false;
    this.#lookBack = Promise.withResolvers<void>();
  }

  abstain(height: bigint): void {
    this.#abstainHeight = height;
  }

  abstainsAt(height: bigint): boolean {
    return this.#abstainHeight === height;
  }

  vote(vote: Vote, payloadHash: Hash | null): void {
    this.#enqueue(async () => {
      if (vote.valueId !== NIL && payloadHash === null)
        throw new Error(`no payload is named for the ${vote.type} of ${vote.valueId}`);
      const request = (): GuardRequest => ({
        height: vote.height,
        round: vote.round,
        step: vote.type,
        digest: voteDigest(this.#deps.domain, vote),
        valueId: vote.valueId === NIL ? null : vote.valueId,
        polkaRound: vote.valueId === NIL ? null : this.#hooks.polkaRoundOf(vote),
      });
      const signature = await this.#release(vote.height, payloadHash, request, () =>
        this.#deps.signer.sign({ kind: 'vote', domain: this.#deps.domain, vote }),
      );
      if (signature !== null)
        this.#hooks.onVote({ ...vote, validator: this.#deps.signer.address, signature, payloadHash });
    });
  }

  proposal(proposal: Proposal): void {
    this.#enqueue(async () => {
      const request = (): GuardRequest => ({
        height: proposal.height,
        round: proposal.round,
        step: 'proposal',
        digest: proposalDigest(this.#deps.domain, proposal),
        valueId: null,
        polkaRound: null,
      });
      const signature = await this.#release(proposal.height, proposal.payloadHash, request, () =>
        this.#deps.signer.sign({ kind: 'proposal', domain: this.#deps.domain, proposal }),
      );
      if (signature !== null)
        this.#hooks.onProposal({ ...proposal, proposer: this.#deps.signer.address, signature });
    });
  }

  /** Resolves when everything asked for so far is done. */
  async idle(): Promise<void> {
    this.finishLookBack();
    this.#stopping.resolve();
    await this.#tail;
  }

  async #release(
    height: bigint,
    payloadHash: Hash | null,
    request: () => GuardRequest,
    sign: () => Promise<Signature>,
  ): Promise<Signature | null> {
    await this.#lookBack.promise;
    await this.#leaseEnd(height);
    if (!this.#maySign(height)) return null;
    await this.#hooks.makeDurable(payloadHash);
    await this.#leaseEnd(height);
    if (!this.#maySign(height)) return null;
    const signature = await this.#deps.guard!.release(request(), sign);
    this.#hasSigned = true;
    return signature;
  }

  /** A signature of a height that is over need not wait: it will not be made. */
  async #leaseEnd(height: bigint): Promise<void> {
    const { signingLease } = this.#deps;
    const stopping = this.#stopping.promise.then(() => 'stopping' as const);
    while (signingLease !== undefined && signingLease.reason() !== null && this.#maySign(height))
      if ((await Promise.race([signingLease.ended(), stopping])) === 'stopping') return;
  }

  #maySign(height: bigint): boolean {
    if (this.#deps.guard === null || this.#observing !== null) return false;
    return !this.abstainsAt(height) && this.#hooks.isCurrent(height);
  }

  #enqueue(task: () => Promise<void>): void {
    this.#tail = this.#tail.then(task).catch((error: unknown) => this.#onFault(error));
  }

  #onFault(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
    if (code === 'GUARD_IO' || code === 'WAL_IO') {
      this.observe((error as Error).message);
      return;
    }
    const level = error instanceof GuardError ? 'warn' : 'error';
    this.#deps.logger[level]({ code, err: error }, 'not signed');
  }
}
