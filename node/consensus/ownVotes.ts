/**
 * This validator's own signatures: guard and signing at the start, the look-back of RULES 14, what a restart finds.
 *
 * Owns how guard, WAL and peers come together to say what was signed before (RULES 13). Does not own the guard's rules
 * (guard.ts), the way of a signature (signing.ts) or when a look-back is complete (lookBack.ts).
 */
import { proposalDigest } from '#consensus/digests.ts';
import { polkaFor } from '#consensus/heightState.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import type { Proposal, SignedVote, Vote } from '#consensus/types.ts';
import { hasQuorumFor } from '#consensus/voteKeeper.ts';
import type { Asking } from '#node/consensus/asking.ts';
import { Fence } from '#node/consensus/fence.ts';
import { compareSigningOrder, guardToVote, type SignGuard } from '#node/consensus/guard.ts';
import { startGuard } from '#node/consensus/guardStart.ts';
import type { HeightLife } from '#node/consensus/heightLife.ts';
import type { HeightLoop } from '#node/consensus/heightLoop.ts';
import type { HostDependencies, HostOptions } from '#node/consensus/hostPorts.ts';
import { LookBack, voteToGuardState } from '#node/consensus/lookBack.ts';
import {
  decodeLastVoteAnswer,
  decodeSessionAnswer,
  encodeMessage,
  encodeRequest,
  MAX_REQUEST_BYTES,
  MessageError,
} from '#node/consensus/messages.ts';
import type { Recovery } from '#node/consensus/recovery.ts';
import { Signing } from '#node/consensus/signing.ts';
import type { Peer } from '#node/network/network.ts';

export type OwnVotesDependencies = Pick<
  HostDependencies,
  'chain' | 'clock' | 'disk' | 'logger' | 'network' | 'signer' | 'signingLease'
> & {
  readonly loop: HeightLoop;
  readonly asking: Asking;
  /** Puts everything that the engine was told on disk. */
  readonly makeDurable: (payloadHash: Hash | null) => Promise<void>;
};

export type OwnVotesOptions = Pick<HostOptions, 'domain' | 'session'>;

export class OwnVotes {
  readonly #options: OwnVotesOptions;
  readonly #deps: OwnVotesDependencies;
  readonly #fence: Fence;
  guard: SignGuard | null = null;
  signing!: Signing;
  #lookBack!: LookBack;
  #isWaitNoted = false;
  /** What was answered does not count any more, and who is connected has not been asked again yet. */
  #isToAsk = false;

  constructor(options: OwnVotesOptions, dependencies: OwnVotesDependencies) {
    this.#options = options;
    this.#deps = dependencies;
    this.#fence = new Fence(dependencies.signer.address);
  }

  /** Once, before the first height. */
  async open(): Promise<void> {
    const { chain, clock, disk, logger, loop, makeDurable, signer, signingLease } = this.#deps;
    const { domain } = this.#options;
    const owner = { validator: signer.address, genesisHash: domain.genesisHash };
    const started = await startGuard(disk, owner, chain.head().block.height);
    this.guard = started.guard;
    this.#lookBack = new LookBack(domain, signer.address, clock.monotonicMs());
    this.signing = new Signing(
      { domain, signer, guard: started.guard, logger, ...(signingLease && { signingLease }) },
      {
        makeDurable,
        polkaRoundOf: (vote) => this.#polkaRoundOf(vote),
        isCurrent: (height) => loop.isRunning() && height === loop.life.height && !loop.life.over,
        onVote: (vote) => loop.enqueueInput(loop.life, { type: 'ownVote', vote }),
        onProposal: (proposal) => loop.enqueueInput(loop.life, { type: 'ownProposal', proposal }),
      },
    );
    if (started.guard === null) this.signing.observe(started.reason);
    else if (started.initialised)
      logger.info({ validator: signer.address }, 'sign guard initialised at genesis');
  }

  /** The height that a validator says it works on. */
  noteHeight({ validator }: Peer, height: bigint): void {
    if (validator === null || !this.signing.isBeforeFirst()) return;
    const isFirst = this.#lookBack.noteHeight(validator, height, this.#deps.clock.monotonicMs());
    if (isFirst) this.#deps.loop.enqueue(() => this.finishLookBack());
  }

  /** Its last connection has closed. */
  forget(validator: Address): void {
    this.#lookBack.forget(validator);
  }

  /** What the log of this height says was signed binds the guard. */
  async recover(life: HeightLife, { ownVotes, ownProposals }: Recovery): Promise<void> {
    for (const vote of ownVotes) await this.guard?.raise(voteToGuardState(this.#options.domain, vote));
    for (const proposal of ownProposals) await this.#raiseByProposal(proposal);
    this.#repeatGuardedVote(life, ownVotes);
    this.#enterHeight();
  }

  /** What peers said counts for the set and the height that they said it for. */
  #enterHeight(): void {
    const { clock, loop, network } = this.#deps;
    const { set, height } = loop.state.context;
    if (!this.signing.isBeforeFirst()) return;
    if (this.#lookBack.enter(set, height, clock.monotonicMs())) {
      this.signing.lookBackAgain();
      this.#fence.reset();
      this.#isToAsk = true;
    }
    loop.enqueue(() => this.finishLookBack());
    // While sync still runs, the question of every second is enough.
    if (!this.#isToAsk || this.#lookBack.isBehind(set, height, clock.monotonicMs())) return;
    this.#isToAsk = false;
    for (const peer of network.peers()) this.askLastVote(peer);
  }

  guardLock(height: bigint) {
    const state = this.guard?.state();
    return state?.height === height ? state.lock : null;
  }

  /**
   * A vote that only the guard still knows (its log is lost) binds us like any other: it is told to the engine, and it
   * goes out again, because no other one may be signed for its step and the round may wait for it.
   */
  #repeatGuardedVote(life: HeightLife, logged: readonly SignedVote[]): void {
    const state = this.guard?.state();
    const vote = state?.height === life.height ? guardToVote(state, this.#deps.signer.address) : null;
    if (vote === null || logged.some(({ signature }) => signature === vote.signature)) return;
    this.#deps.loop.enqueueInput(life, { type: 'ownVote', vote });
  }

  async #raiseByProposal(
    proposal: Proposal & { readonly signature: SignedVote['signature'] },
  ): Promise<void> {
    const { height, round, signature } = proposal;
    const digest = proposalDigest(this.#options.domain, proposal);
    await this.guard?.raise({
      height,
      round,
      step: 'proposal',
      valueId: null,
      digest,
      signature,
      lock: null,
    });
  }

  #polkaRoundOf(vote: Vote): number | null {
    if (vote.type === 'prevote') return polkaFor(this.#deps.loop.state, vote.valueId)?.round ?? null;
    const { votes, context } = this.#deps.loop.state;
    return hasQuorumFor(votes, context.set, vote.round, 'prevote', vote.valueId) ? vote.round : null;
  }

  askLastVote(peer: Peer): void {
    const { validator } = peer;
    if (validator === null || !this.signing.isLookingBack()) return;
    const attempt = async (): Promise<void> => {
      await this.#askSession(peer, validator);
      const request = encodeRequest({ type: 'lastVote', validator: this.#deps.signer.address });
      const decoded = decodeLastVoteAnswer(await this.#deps.asking.ask(peer, request, MAX_REQUEST_BYTES));
      if (!decoded.ok) throw this.#deps.asking.malformed(peer, decoded.error);
      if (!this.#lookBack.note(validator, decoded.value.vote, this.#deps.clock.monotonicMs()))
        throw this.#deps.asking.malformed(
          peer,
          new MessageError('MALFORMED', 'a last vote that is not ours'),
        );
      this.#deps.loop.enqueue(() => this.finishLookBack());
    };
    attempt().catch((error: unknown) =>
      this.#deps.logger.debug({ peer: peer.name, err: error }, 'peer did not say our last vote'),
    );
  }

  /** Its answer comes before that to `lastVote`, so that a look-back is never complete without it. */
  async #askSession(peer: Peer, validator: Address): Promise<void> {
    const { session } = this.#options;
    if (session === undefined) return;
    const { asking, clock } = this.#deps;
    const askedMs = clock.monotonicMs();
    const answer = await asking.ask(peer, encodeRequest({ type: 'session', session }), MAX_REQUEST_BYTES);
    const decoded = decodeSessionAnswer(answer);
    if (!decoded.ok) throw asking.malformed(peer, decoded.error);
    this.#fence.note(validator, decoded.value.heardAgoMs, askedMs);
  }

  /** Every second, so that peers can tell a second process with this key of us. */
  saySession(): void {
    const { session } = this.#options;
    if (session === undefined || this.signing.isLookingBack() || this.signing.observing() !== null) return;
    this.#deps.network.broadcastConsensus(encodeMessage({ type: 'session', session }));
  }

  /** @returns true when nothing more is in the way of signing */
  #isFenceOpen(): boolean {
    const { logger, loop, signer } = this.#deps;
    const verdict = this.#fence.verdict(loop.state.context.set);
    if (verdict === 'taken')
      loop.halt(
        'KEY_IN_USE',
        `expected no other process to sign with the consensus key of ${signer.address}, found one that validators with more than a third of the power hear now: ` +
          'stop that one or leave this one stopped, because two would sign twice. To move the key here: stop the other, carry its newest signature over with guard export and guard import, then start this one',
      );
    if (verdict === 'wait' && !this.#isWaitNoted) {
      this.#isWaitNoted = true;
      logger.warn('validators heard another process with our key a moment ago: not signing until it is gone');
    }
    return verdict === 'clear';
  }

  async finishLookBack(): Promise<void> {
    if (!this.signing.isLookingBack()) return;
    const { chain, clock, loop } = this.#deps;
    const { set, height } = loop.state.context;
    const nowMs = clock.monotonicMs();
    if (chain.head().block.height >= height || this.#lookBack.isBehind(set, height, nowMs)) return;
    if (!this.#isFenceOpen()) return;
    const guardHeight = this.guard?.state().height ?? 0n;
    if (!this.#lookBack.isComplete({ set, height, guardHeight }, nowMs)) return;
    const newest = this.#lookBack.newest();
    if (newest !== null && this.guard !== null && compareSigningOrder(newest, this.guard.state()) > 0) {
      this.#deps.logger.warn(
        { height: newest.height, round: newest.round, step: newest.step },
        'peers know a newer vote of ours than the sign guard: abstaining from that height',
      );
      this.signing.abstain(newest.height);
      await this.guard.raise({ ...newest, learned: true });
    }
    this.signing.finishLookBack();
  }
}
