/**
 * Why is nothing committed? One precise sentence for a person, and what to do about it (besu #7271).
 *
 * Pure: reads the engine's state and what the keeper gathered (statusKeeper.ts). Owns the order in which causes count:
 * what stops this node, then what stops the chain, then what the current round waits for. The round's part is in
 * statusRound.ts.
 */
import type { L1Status } from '#bridge/l1/view.ts';
import type { HeightState } from '#consensus/heightState.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import type { Refusal } from '#node/consensus/heightLife.ts';
import type { Halt, HaltCode } from '#node/consensus/hostPorts.ts';
import { SILENCE_MS } from '#node/consensus/statusRoster.ts';
import { explainRound } from '#node/consensus/statusRound.ts';
import type { Margin, NameOf, Progress, Signing, ValidatorStatus } from '#node/consensus/statusTypes.ts';
import { describeEach, formatDuration, listNames } from '#node/consensus/statusWords.ts';

/** What is known of a payload that the round needs. */
export type PayloadFacts = {
  readonly here: boolean;
  /** Since when it is being executed, host milliseconds; null when it is not. */
  readonly derivingSinceMs: number | null;
  /** Peers that were asked for what is missing, by name. */
  readonly asked: readonly string[];
};

export type ProgressFacts = {
  readonly nowMs: number;
  readonly state: HeightState;
  readonly self: Address;
  readonly nameOf: NameOf;
  readonly validators: readonly ValidatorStatus[];
  readonly margin: Margin;
  readonly signing: Signing;
  readonly halt: Halt | null;
  /** Not null while height 1 waits for the L1 (RULES 33). */
  readonly gate: L1Status | null;
  /** Heights that more than 1/3 of the power say they are at, above the next one. */
  readonly ahead: { readonly height: bigint; readonly by: readonly string[] } | null;
  readonly hasWork: boolean;
  /** When round 0 is due. */
  readonly dueMs: number;
  /** When this run of the node entered its first height. */
  readonly nodeSinceMs: number;
  readonly heightSinceMs: number;
  readonly roundSinceMs: number;
  readonly stepSinceMs: number;
  /** Since when the height has had a round; null before. */
  readonly startedMs: number | null;
  /** @param hashes of the payload, or of values that it gives */
  readonly payloadFacts: (hashes: readonly Hash[]) => PayloadFacts;
  /** The newest proposal of this height that this node did not accept. */
  readonly refusal: Refusal | null;
};

/** A height that takes longer than this from the beginning of round 0 is stalled. */
export const STALL_MS = 10_000;

const HALT_REMEDIES: Readonly<Record<HaltCode, string>> = {
  DIVERGENCE:
    'Compare the block hash and the versions with the other operators; a node that computes otherwise must not be restarted before that.',
  L1_CONTRADICTION:
    'Compare block hashes with the other operators: this node, or the majority, is on a fork.',
  EXECUTION_FAULT: 'Check the disk and the data folder, then restart; the log has the fault.',
  UPGRADE_REQUIRED:
    'Install the release with the rules that the message names, then start the node again: it catches up by itself.',
  HOST_FAULT: 'Restart the node and report the fault with its log.',
  KEY_IN_USE: 'Stop one of the two processes: two with one key would double-sign.',
};

export const explainProgress = (facts: ProgressFacts): Progress =>
  explainNode(facts) ?? explainQuorum(facts) ?? explainHeight(facts);

const explainNode = ({ halt, gate, ahead, nowMs, heightSinceMs, state }: ProgressFacts): Progress | null => {
  const sinceMs = nowMs - heightSinceMs;
  if (halt !== null)
    return {
      state: 'halted',
      code: 'HALTED',
      sentence: `This node halted (${halt.code}): ${halt.message}`,
      remedy: HALT_REMEDIES[halt.code] ?? null,
      sinceMs,
    };
  if (gate !== null)
    return {
      state: 'stalled',
      code: 'L1_NOT_READY',
      sentence: `Waits for the L1 before height 1: ${gate.state}${'reason' in gate ? ` (${gate.reason})` : ''}`,
      remedy:
        'Check the L1 endpoints of the configuration, and that the peg’s contracts are deployed and final.',
      sinceMs,
    };
  if (ahead === null) return null;
  const { height } = state.context;
  return {
    state: 'behind',
    code: 'SYNCING',
    sentence: `This node is ${ahead.height - height} heights behind ${listNames(ahead.by)}, which are at height ${ahead.height}, and fetches the blocks from its peers`,
    remedy: sinceMs > STALL_MS ? 'If its height does not grow, look in its log for refused blocks.' : null,
    sinceMs,
  };
};

/** With too little power alive no round can end, whatever step it is in. */
const explainQuorum = (facts: ProgressFacts): Progress | null => {
  const { margin, validators, signing, nowMs, heightSinceMs } = facts;
  if (!margin.halted) return null;
  const sinceMs = nowMs - heightSinceMs;
  const others = validators.filter(({ self }) => !self);
  const absent = validators.filter(({ absence }) => absence !== null);
  if (nowMs - facts.nodeSinceMs < SILENCE_MS)
    return {
      state: 'stalled',
      code: 'STARTING',
      sentence: `Started ${formatDuration(nowMs - facts.nodeSinceMs)} ago, and has not heard from a quorum yet: ${margin.alivePower} of ${margin.totalPower} power`,
      remedy: null,
      sinceMs,
    };
  const power = `${margin.alivePower} of ${margin.totalPower} power, and a quorum is ${margin.quorumPower}`;
  if (others.length > 0 && others.every(({ connected, absence }) => !connected && absence !== null))
    return {
      state: 'stalled',
      code: 'NO_PEERS',
      sentence: `Connected to no validator: this node sees ${power}; missing ${describeEach(absent, validators)}`,
      remedy: 'Check this node’s network, its listen address and the addresses in p2p.peers.',
      sinceMs,
    };
  const own = signing.reason === null ? '' : `; this validator does not sign: ${signing.reason}`;
  return {
    state: 'stalled',
    code: 'QUORUM_LOST',
    sentence: `The chain is halted: this node sees only ${power}; missing ${describeEach(absent, validators)}${own}`,
    remedy:
      'Start the missing validators or restore their links; the chain goes on by itself when a quorum is back.',
    sinceMs,
  };
};

const explainHeight = (facts: ProgressFacts): Progress => {
  const { state, nowMs, stepSinceMs, dueMs, hasWork, startedMs, heightSinceMs } = facts;
  const sinceMs = nowMs - stepSinceMs;
  const { height } = state.context;
  if (state.round.step === 'waiting') {
    const due = formatDuration(dueMs - nowMs);
    return {
      state: dueMs + STALL_MS < nowMs ? 'stalled' : 'committing',
      code: hasWork ? 'BLOCK_INTERVAL' : 'IDLE',
      sentence: hasWork
        ? `Transactions wait for block ${height}, which is due in ${due}`
        : `Waits for transactions: without any, the next empty block is due in ${due}`,
      remedy: null,
      sinceMs: nowMs - heightSinceMs,
    };
  }
  const isSlow = nowMs - (startedMs ?? heightSinceMs) > STALL_MS;
  const { code, sentence, remedy } = explainRound(facts);
  return { state: isSlow ? 'stalled' : 'committing', code, sentence, remedy, sinceMs };
};
