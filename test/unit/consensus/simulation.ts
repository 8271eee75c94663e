/**
 * Some validators of one height in one thread: a virtual clock, a bad network, crashes, and Byzantine members, all
 * drawn from one seed.
 *
 * A validator that loses its WAL and keeps its guard is beyond the fault model, like a Byzantine one above f: such
 * runs must be safe, but need not decide, since the only copy of a vote that others wait for may be gone.
 *
 * The engine is the real one; host, guard, WAL and network are played here by a few lines each. Faults end at
 * `HEAL_MS`; from then on everything arrives and everybody is up, and a decision is required. Agreement, validity
 * and "no honest double-sign" are checked at every step. `trace` is a digest of the whole run: the same seed gives
 * the same trace.
 */
import { checkCertificateMembers } from '#consensus/certificate.ts';
import type { Effect, Evidence, Input } from '#consensus/engine.ts';
import { handle } from '#consensus/heightMachine.ts';
import { createHeight, type HeightState, keptRounds, keptVotes } from '#consensus/heightState.ts';
import type { Hash } from '#consensus/primitives.ts';
import { proposerAt } from '#consensus/proposer.ts';
import type { Lock } from '#consensus/roundMachine.ts';
import { DEFAULT_TIMEOUTS, timeoutDurationMs } from '#consensus/timeouts.ts';
import {
  type CommitCertificate,
  NIL,
  type SignedProposal,
  type SignedVote,
  type Vote,
  type VoteType,
} from '#consensus/types.ts';
import { isHonestMinority, type ValidatorSet } from '#consensus/validatorSet.ts';
import {
  addressOf,
  DOMAIN,
  HEIGHT,
  payload,
  proposal,
  SIGNATURE,
  setOf,
  value,
  vote,
} from '#test/unit/consensus/scenario.ts';

export const HEAL_MS = 15_000;
/** Ample for some capped rounds: after healing a decision is a matter of one round with an honest proposer. */
const DEADLINE_MS = HEAL_MS + 120_000;
const GOSSIP_MS = 500;

export type SimulationOptions = {
  /** More than the algorithm tolerates: the checker must then be able to find a fork. */
  readonly tooManyByzantine?: boolean;
};

export type SimulationResult = {
  readonly seed: number;
  readonly validators: number;
  readonly byzantine: number;
  readonly decidedAtMs: number | null;
  readonly highestRound: number;
  readonly evidence: number;
  readonly crashes: number;
  readonly steps: number;
  readonly trace: number;
};

/** A broken invariant; never an accident of the simulation. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

const createRandom = (seed: number) => {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    chance: (probability: number): boolean => next() < probability,
    below,
    between: (low: number, high: number): number => low + below(high - low + 1),
    pick: <T>(items: readonly T[]): T => items[below(items.length)]!,
  };
};

type Node = {
  readonly index: number;
  state: HeightState;
  isUp: boolean;
  /** Grows at each crash, so that timers and answers of before are void. */
  life: number;
  wal: Input[];
  /** Survives every crash: what was signed, by step; and the last precommit for a value. */
  readonly guard: Map<string, SignedVote>;
  guardStep: number;
  guardVote: SignedVote | null;
  guardLock: Lock | null;
  readonly guardProposals: Map<number, SignedProposal>;
  decided: CommitCertificate | null;
};

/**
 * `noise`: anything. `split`: two proposals, and to each side the votes that it would like. `hiddenCommit`: help one
 * validator to commit, keep the others from it, cut that one off, and propose something else: what locks are for.
 */
type Strategy = 'noise' | 'split' | 'hiddenCommit';

type Event = { readonly atMs: number; readonly order: number; readonly run: () => void };

export const runSimulation = (
  seed: number,
  { tooManyByzantine = false }: SimulationOptions = {},
): SimulationResult => {
  const random = createRandom(seed);
  const count = tooManyByzantine ? 4 : random.between(4, 7);
  const set = setOf(
    Array.from({ length: count }, () => (tooManyByzantine ? 1n : BigInt(random.between(1, 4)))),
  );
  const byzantine = chooseByzantine(random, set, tooManyByzantine);
  const lossy = random.pick([0, 0.1, 0.3, 0.6]);
  const cutting = random.pick([0, 0.3, 0.7]);
  const slowMs = random.pick([50, 400, 3_000]);
  const crashes = random.below(5);
  const losesWals = random.chance(0.3);
  const sharesCertificates = random.chance(0.5);
  const strategy: Strategy = tooManyByzantine ? 'split' : random.pick(['noise', 'split', 'hiddenCommit']);

  let nowMs = 0;
  let order = 0;
  let trace = 0x811c9dc5;
  let evidence = 0;
  let steps = 0;
  let decision: Hash | null = null;
  let built = 0;
  /** Names of all payloads ever made, by the value that they derive to. */
  const names = new Map<Hash, string>();
  const queue: Event[] = [];
  const at = (delayMs: number, run: () => void): void =>
    insert(queue, { atMs: nowMs + delayMs, order: order++, run });
  const isHealed = (): boolean => nowMs >= HEAL_MS;
  const newPayload = (): string => {
    const name = `p${built++}`;
    names.set(value(name), name);
    return name;
  };

  const nodes: Node[] = [];
  for (let index = 0; index < count; index++)
    if (!byzantine.has(index))
      nodes.push({
        index,
        state: createNodeState(set, index, null),
        isUp: true,
        life: 0,
        wal: [],
        guard: new Map(),
        guardStep: -1,
        guardVote: null,
        guardLock: null,
        guardProposals: new Map(),
        decided: null,
      });

  /** Links that are down for a while, each way by itself; Byzantine members have links of their own. */
  let cutLinks: ReadonlySet<string> = new Set();
  const flap = (): void => {
    const links = nodes.flatMap((from) => nodes.map((to) => `${from.index}>${to.index}`));
    cutLinks = new Set(isHealed() ? [] : links.filter(() => random.chance(cutting)));
    if (!isHealed()) at(random.between(100, 3_000), flap);
  };

  const isSilenced = (index: number): boolean =>
    strategy === 'hiddenCommit' && nodes.some((node) => node.index === index && node.decided !== null);

  /** The network: what is sent may be lost, late, or there twice. */
  const send = (from: number, to: Node, input: Input): void => {
    if (!isHealed() && isSilenced(from)) return;
    if (!isHealed() && (random.chance(lossy) || cutLinks.has(`${from}>${to.index}`))) return;
    for (let copies = random.chance(0.05) ? 2 : 1; copies > 0; copies--)
      at(random.between(1, isHealed() ? 50 : slowMs), () => {
        if (to.isUp) give(to, input);
      });
  };
  const broadcast = (from: Node, input: Input): void => {
    for (const to of nodes) if (to !== from) send(from.index, to, input);
  };

  const give = (node: Node, input: Input): void => {
    node.wal.push(input);
    step(node, input);
  };

  const step = (node: Node, input: Input): void => {
    steps++;
    const { state, effects } = handle(node.state, input);
    node.state = state;
    for (const effect of effects) {
      trace = mix(trace, `${nowMs}:${node.index}:${effect.type}:${state.round.round}:${state.round.step}`);
      perform(node, effect);
    }
  };

  /** Gives the answer to the same life of the node only. */
  const answer = (node: Node, delayMs: number, input: () => Input | null): void => {
    const { life } = node;
    at(delayMs, () => {
      const ready = node.isUp && node.life === life ? input() : null;
      if (ready !== null) give(node, ready);
    });
  };

  const derivedInput = (payloadHash: Hash): Input | null => {
    for (const [valueId, name] of names)
      if (payload(name) === payloadHash)
        return { type: 'derived', payloadHash, value: { valid: true, valueId } };
    return { type: 'derived', payloadHash, value: { valid: false, reason: 'undecodable' } };
  };

  const perform = (node: Node, effect: Effect): void => {
    switch (effect.type) {
      case 'build':
        answer(node, random.between(1, 100), () => ({
          type: 'built',
          round: effect.round,
          payloadHash: payload(newPayload()),
        }));
        return;
      case 'signProposal':
        answer(node, random.between(0, 20), () => signOwnProposal(node, effect.proposal));
        return;
      case 'signVote':
        answer(node, random.between(0, 20), () => signOwnVote(node, effect.vote, effect.payloadHash));
        return;
      case 'broadcastProposal':
        broadcast(node, { type: 'proposal', proposal: effect.proposal });
        return;
      case 'broadcastVote':
        broadcast(node, { type: 'vote', vote: effect.vote });
        return;
      case 'schedule':
        answer(node, timeoutDurationMs(DEFAULT_TIMEOUTS, effect.timeout.kind, effect.timeout.round), () => ({
          type: 'timeout',
          timeout: effect.timeout,
        }));
        return;
      case 'derive':
        answer(node, random.between(5, isHealed() ? 100 : slowMs), () => derivedInput(effect.payloadHash));
        return;
      case 'judge':
        answer(node, random.between(0, 20), () => ({
          type: 'judged',
          round: effect.round,
          payloadHash: effect.payloadHash,
          accepted: isHealed() || random.chance(0.9),
          reason: '',
        }));
        return;
      case 'fetchValue':
        fetchValue(node, effect.valueId);
        return;
      case 'evidence':
        noteEvidence(effect.evidence);
        return;
      case 'decide':
        noteDecision(node, effect.certificate, effect.payloadHash);
        return;
      case 'roundStarted':
        return;
    }
  };

  const fetchValue = (node: Node, valueId: Hash): void => {
    const name = names.get(valueId);
    if (name !== undefined) answer(node, random.between(50, 500), () => derivedInput(payload(name)));
  };

  const noteEvidence = (found: Evidence): void => {
    evidence++;
    const offender = offenderOf(found);
    if (nodes.some(({ index }) => addressOf(index) === offender))
      throw new Violation(`evidence against the honest validator ${offender}`);
  };

  const noteDecision = (node: Node, certificate: CommitCertificate, payloadHash: Hash): void => {
    const { valueId } = certificate;
    if (node.decided !== null && node.decided.valueId !== valueId)
      throw new Violation(`validator ${node.index} decided twice`);
    if (decision !== null && decision !== valueId)
      throw new Violation(`fork: validator ${node.index} decided ${valueId} after another ${decision}`);
    if (!checkCertificateMembers(set, certificate).valid) throw new Violation('decided without a quorum');
    const derived = derivedInput(payloadHash);
    if (derived?.type !== 'derived' || !derived.value.valid || derived.value.valueId !== valueId)
      throw new Violation('decided a value that its payload does not derive to');
    decision = valueId;
    node.decided = certificate;
  };

  const signOwnVote = (node: Node, wanted: Vote, payloadHash: Hash | null): Input | null => {
    const key = `${wanted.round}:${wanted.type}`;
    const known = node.guard.get(key);
    const position = wanted.round * 2 + (wanted.type === 'prevote' ? 0 : 1);
    if (known === undefined && position < node.guardStep) return null;
    if (known !== undefined && known.valueId !== wanted.valueId) return null;
    const own = known ?? {
      ...wanted,
      validator: addressOf(node.index),
      signature: SIGNATURE,
      payloadHash,
    };
    node.guard.set(key, own);
    if (position > node.guardStep) node.guardVote = own;
    node.guardStep = Math.max(node.guardStep, position);
    if (wanted.type === 'precommit' && wanted.valueId !== NIL)
      node.guardLock = { round: wanted.round, valueId: wanted.valueId };
    return { type: 'ownVote', vote: own };
  };

  const signOwnProposal = (
    node: Node,
    wanted: SignedProposal | Omit<SignedProposal, 'proposer' | 'signature'>,
  ): Input | null => {
    const known = node.guardProposals.get(wanted.round);
    const signed = known ?? { ...wanted, proposer: addressOf(node.index), signature: SIGNATURE };
    if (signed.payloadHash !== wanted.payloadHash || signed.valueId !== wanted.valueId) return null;
    node.guardProposals.set(wanted.round, signed);
    return { type: 'ownProposal', proposal: signed };
  };

  const crash = (node: Node): void => {
    if (!node.isUp || node.decided !== null) return;
    node.isUp = false;
    node.life++;
    at(random.between(0, 3_000), () => restart(node, losesWals && random.chance(0.5)));
  };

  /**
   * With its WAL a node replays every input. Without, the guard's lock and newest vote are left: nobody else may have
   * got that vote, and no other can be signed in its place, so it is given back to the machine.
   */
  const restart = (node: Node, isWalLost: boolean): void => {
    if (node.isUp) return;
    node.isUp = true;
    node.state = createNodeState(set, node.index, node.guardLock);
    if (isWalLost) {
      node.wal = [];
      give(node, { type: 'start' });
      if (node.guardVote !== null) give(node, { type: 'ownVote', vote: node.guardVote });
    } else for (const input of node.wal) step(node, input);
  };

  /** Everybody passes on what a peer lacks (RULES 16). */
  const gossip = (): void => {
    for (const from of nodes)
      for (const to of nodes) if (from !== to && from.isUp && to.isUp) passOn(from, to);
    at(GOSSIP_MS, gossip);
  };

  const passOn = (from: Node, to: Node): void => {
    if (to.decided !== null) return;
    if (sharesCertificates && from.decided !== null) {
      send(from.index, to, { type: 'certificate', certificate: from.decided });
      return;
    }
    for (const [round, { first }] of from.state.proposals)
      if (!to.state.proposals.has(round)) send(from.index, to, { type: 'proposal', proposal: first });
    for (const round of keptRounds(from.state))
      for (const type of ['prevote', 'precommit'] as const)
        for (const known of keptVotes(from.state, round, type))
          if (!keptVotes(to.state, round, type).some((other) => isSameVote(other, known)))
            send(from.index, to, { type: 'vote', vote: known });
  };

  /** Byzantine members: each says whatever it likes to whomever it likes. */
  const misbehave = (): void => {
    for (const index of byzantine)
      for (const to of nodes)
        if (to.isUp && to.decided === null && random.chance(0.6)) speakFalsely(index, to);
    at(random.between(50, isHealed() ? 1_000 : 300), misbehave);
  };

  /** Each side is shown one fresh payload a round. */
  const shown = new Map<string, string>();
  const shownTo = (to: Node, round: number): string => {
    const side = strategy === 'hiddenCommit' ? 0 : nodes.indexOf(to) % 2;
    const key = `${round}:${side}`;
    const known = shown.get(key) ?? newPayload();
    shown.set(key, known);
    return known;
  };

  const speakFalsely = (index: number, to: Node): void => {
    const isEarly = strategy === 'noise' && random.chance(0.1);
    const round = Math.max(0, to.state.round.round + (isEarly ? random.below(3) : 0));
    if (proposerAt(set, HEIGHT, round) === addressOf(index)) proposeFalsely(index, to, round);
    for (const type of ['prevote', 'precommit'] as const) {
      const valueId = random.chance(0.3) ? null : falseValue(to, round, type);
      if (valueId !== null) send(index, to, { type: 'vote', vote: vote(type, index, round, valueId) });
    }
  };

  const falseValue = (to: Node, round: number, type: VoteType): Hash | null => {
    switch (strategy) {
      case 'noise':
        return random.chance(0.3) ? NIL : random.pick([...names.keys(), value('nothing')]);
      case 'split':
        return proposedTo(to, round);
      case 'hiddenCommit':
        return type === 'prevote' || to === nodes[0] ? proposedTo(to, round) : NIL;
    }
  };

  /** What this node would like to hear: the value of its round's proposal. */
  const proposedTo = (to: Node, round: number): Hash | null => {
    const seen = to.state.proposals.get(round)?.first;
    if (seen === undefined) return null;
    if (seen.valueId !== NIL) return seen.valueId;
    return [...names].find(([, name]) => payload(name) === seen.payloadHash)?.[0] ?? null;
  };

  const proposeFalsely = (index: number, to: Node, round: number): void => {
    const isNoise = strategy === 'noise';
    const polRound = isNoise && round > 0 && random.chance(0.3) ? random.below(round) : -1;
    const name = isNoise && random.chance(0.5) ? `undecodable${round}` : shownTo(to, round);
    const valueId = polRound === -1 ? NIL : random.pick([...names.keys(), value('nothing')]);
    send(index, to, {
      type: 'proposal',
      proposal: proposal(index, round, payload(name), { polRound, valueId }),
    });
  };

  for (const node of nodes) at(random.between(0, 1_000), () => node.isUp && give(node, { type: 'start' }));
  for (let i = 0; i < crashes; i++) at(random.below(HEAL_MS), () => crash(random.pick(nodes)));
  at(HEAL_MS, () => {
    for (const node of nodes) restart(node, false);
  });
  at(0, flap);
  at(HEAL_MS, flap);
  at(GOSSIP_MS, gossip);
  at(10, misbehave);

  while (nodes.some(({ decided }) => decided === null)) {
    const event = queue.pop();
    if (event === undefined || event.atMs > DEADLINE_MS) {
      if (tooManyByzantine || losesWals) break;
      const stuck = nodes.map(({ index, state: { round } }) => `${index}: ${round.round}/${round.step}`);
      throw new Violation(
        `no decision ${DEADLINE_MS - HEAL_MS} ms after the faults ended; ${stuck.join(', ')}`,
      );
    }
    nowMs = event.atMs;
    event.run();
  }
  return {
    seed,
    validators: count,
    byzantine: byzantine.size,
    decidedAtMs: nodes.every(({ decided }) => decided !== null) ? nowMs : null,
    highestRound: Math.max(...nodes.map(({ state }) => state.round.round)),
    evidence,
    crashes,
    steps,
    trace,
  };
};

const createNodeState = (set: ValidatorSet, index: number, lock: Lock | null): HeightState =>
  createHeight({ height: HEIGHT, set, domain: DOMAIN, self: addressOf(index), lock });

/** As many as may be wrong at the same time, or just more. */
const chooseByzantine = (
  random: ReturnType<typeof createRandom>,
  set: ValidatorSet,
  tooMany: boolean,
): ReadonlySet<number> => {
  const chosen = new Set<number>();
  let power = 0n;
  for (let tries = 0; tries < 30 && chosen.size < set.validators.length - 2; tries++) {
    const index = random.below(set.validators.length);
    const more = power + set.validators[index]!.power;
    const isTolerated = 3n * more < set.totalPower;
    if (chosen.has(index) || (!isTolerated && !tooMany)) continue;
    chosen.add(index);
    power = more;
    if (tooMany && isHonestMinority(set, power)) break;
  }
  return chosen;
};

const offenderOf = (evidence: Evidence): string =>
  evidence.type === 'duplicateVote' ? evidence.first.validator : evidence.first.proposer;

const isSameVote = (a: SignedVote, b: SignedVote): boolean =>
  a.validator === b.validator && a.valueId === b.valueId;

/** Latest first, so that the next event is popped from the end. */
const insert = (queue: Event[], event: Event): void => {
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = queue[middle]!;
    if (other.atMs > event.atMs || (other.atMs === event.atMs && other.order > event.order)) low = middle + 1;
    else high = middle;
  }
  queue.splice(low, 0, event);
};

const mix = (hash: number, text: string): number => {
  let mixed = hash;
  for (let i = 0; i < text.length; i++) mixed = Math.imul(mixed ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return mixed;
};
