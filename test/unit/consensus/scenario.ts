/**
 * A small language for one height machine: feed it what others say, look at what it does.
 *
 * Height 4 with powers 1,1,1,1: validator r mod 4 proposes in round r; the machine under test is validator 3 unless
 * said otherwise. Signatures are place-holders: the machine takes authenticated messages.
 */
import type { Effect, Evidence, Input } from '#consensus/engine.ts';
import { handle } from '#consensus/heightMachine.ts';
import { createHeight, type HeightState } from '#consensus/heightState.ts';
import { type Address, type Hash, type Signature, ZERO_HASH } from '#consensus/primitives.ts';
import type { Lock, Step } from '#consensus/roundMachine.ts';
import {
  type ConsensusDomain,
  NIL,
  type SignedProposal,
  type SignedVote,
  type VoteType,
} from '#consensus/types.ts';
import { createValidatorSet, type ValidatorSet } from '#consensus/validatorSet.ts';

export const DOMAIN: ConsensusDomain = { chainId: 42424n, genesisHash: `0x${'9e'.repeat(32)}` as Hash };
export const HEIGHT = 4n;

const numbered = (prefix: string, index: number, sizeBytes: number): string =>
  `0x${prefix}${index.toString(16).padStart(2 * sizeBytes - prefix.length, '0')}`;
export const addressOf = (index: number): Address => numbered('a0', index + 1, 20) as Address;
const letter = (name: string): number =>
  name.split('').reduce((code, char) => code * 256 + char.charCodeAt(0), 0);
/** The payload called `name` … */
export const payload = (name: string): Hash => numbered('fa', letter(name), 32) as Hash;
/** … derives to the value called `name`. */
export const value = (name: string): Hash => numbered('ea', letter(name), 32) as Hash;
export const SIGNATURE = `0x${'51'.repeat(65)}` as Signature;

export const setOf = (powers: readonly bigint[]): ValidatorSet =>
  createValidatorSet(powers.map((power, index) => ({ address: addressOf(index), power })));

export const vote = (
  type: VoteType,
  validator: number,
  round: number,
  valueId: Hash,
  { height = HEIGHT, payloadHash = null as Hash | null } = {},
): SignedVote => ({
  type,
  height,
  round,
  valueId,
  validator: addressOf(validator),
  signature: SIGNATURE,
  payloadHash,
});

export const proposal = (
  proposer: number,
  round: number,
  payloadHash: Hash,
  { height = HEIGHT, polRound = -1, valueId = NIL } = {},
): SignedProposal => ({
  height,
  round,
  polRound,
  payloadHash,
  valueId,
  proposer: addressOf(proposer),
  signature: SIGNATURE,
});

export type Scenario = {
  state(): HeightState;
  position(): { round: number; step: Step };
  /** @returns the effects of these inputs, in order */
  feed(...inputs: readonly Input[]): readonly Effect[];
  start(): readonly Effect[];
  propose(round: number, name: string): readonly Effect[];
  repropose(round: number, name: string, polRound: number): readonly Effect[];
  derive(name: string): readonly Effect[];
  judge(round: number, name: string, accepted?: boolean): readonly Effect[];
  /** Proposal, derivation and verdict of a fresh payload in the round of its proposer. */
  accept(round: number, name: string): readonly Effect[];
  prevotes(round: number, valueId: Hash, ...validators: readonly number[]): readonly Effect[];
  precommits(round: number, valueId: Hash, ...validators: readonly number[]): readonly Effect[];
  timeout(kind: 'propose' | 'prevote' | 'precommit', round: number): readonly Effect[];
  /** Signs what the effects ask for, as guard and signer would, and feeds it back. */
  sign(effects: readonly Effect[]): readonly Effect[];
};

export type ScenarioOptions = {
  readonly powers?: readonly bigint[];
  readonly self?: number | null;
  readonly lock?: Lock;
};

export const createScenario = ({
  powers = [1n, 1n, 1n, 1n],
  self = 3,
  lock,
}: ScenarioOptions = {}): Scenario => {
  let state = createHeight({
    height: HEIGHT,
    set: setOf(powers),
    domain: DOMAIN,
    self: self === null ? null : addressOf(self),
    lock: lock ?? null,
  });
  const feed: Scenario['feed'] = (...inputs) =>
    inputs.flatMap((input) => {
      const { state: next, effects } = handle(state, input);
      state = next;
      return effects;
    });
  const proposerOf = (round: number): number => round % powers.length;
  const votes =
    (type: VoteType) =>
    (round: number, valueId: Hash, ...validators: readonly number[]) =>
      feed(...validators.map((index): Input => ({ type: 'vote', vote: vote(type, index, round, valueId) })));
  const scenario: Scenario = {
    state: () => state,
    position: () => ({ round: state.round.round, step: state.round.step }),
    feed,
    start: () => feed({ type: 'start' }),
    propose: (round, name) =>
      feed({ type: 'proposal', proposal: proposal(proposerOf(round), round, payload(name)) }),
    repropose: (round, name, polRound) =>
      feed({
        type: 'proposal',
        proposal: proposal(proposerOf(round), round, payload(name), { polRound, valueId: value(name) }),
      }),
    derive: (name) =>
      feed({
        type: 'derived',
        payloadHash: payload(name),
        value: { valid: true, valueId: value(name) },
      }),
    judge: (round, name, accepted = true) =>
      feed({ type: 'judged', round, payloadHash: payload(name), accepted, reason: '' }),
    accept: (round, name) => [
      ...scenario.propose(round, name),
      ...scenario.derive(name),
      ...scenario.judge(round, name),
    ],
    prevotes: votes('prevote'),
    precommits: votes('precommit'),
    timeout: (kind, round) => feed({ type: 'timeout', timeout: { kind, height: HEIGHT, round } }),
    sign: (effects) =>
      feed(
        ...effects.flatMap((effect): Input[] => {
          if (effect.type === 'signVote')
            return [
              {
                type: 'ownVote',
                vote: {
                  ...effect.vote,
                  validator: addressOf(self ?? 0),
                  signature: SIGNATURE,
                  payloadHash: effect.payloadHash,
                },
              },
            ];
          if (effect.type === 'signProposal')
            return [
              {
                type: 'ownProposal',
                proposal: { ...effect.proposal, proposer: addressOf(self ?? 0), signature: SIGNATURE },
              },
            ];
          return [];
        }),
      ),
  };
  return scenario;
};

/** The votes that the effects ask to sign: `prevote 0 0xea…`. */
export const signed = (effects: readonly Effect[]): readonly string[] =>
  effects.flatMap((effect) =>
    effect.type === 'signVote' ? [`${effect.vote.type} ${effect.vote.round} ${effect.vote.valueId}`] : [],
  );
export const prevote = (round: number, valueId: Hash = ZERO_HASH): string => `prevote ${round} ${valueId}`;
export const precommit = (round: number, valueId: Hash = ZERO_HASH): string =>
  `precommit ${round} ${valueId}`;

export const scheduled = (effects: readonly Effect[]): readonly string[] =>
  effects.flatMap((effect) =>
    effect.type === 'schedule' ? [`${effect.timeout.kind} ${effect.timeout.round}`] : [],
  );
export const ofType = <T extends Effect['type']>(
  effects: readonly Effect[],
  type: T,
): readonly Extract<Effect, { type: T }>[] =>
  effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
export const evidenceIn = (effects: readonly Effect[]): readonly Evidence[] =>
  ofType(effects, 'evidence').map(({ evidence }) => evidence);
