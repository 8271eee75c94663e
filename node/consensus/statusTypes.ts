/**
 * What a node says of consensus: each validator, the votes that are missing, the margin, and why nothing commits.
 *
 * Owns the shapes only. `causeway_status` shows them as they are (node/rpc/README.md), so a change here changes what
 * operators' scripts read. Milliseconds are whole numbers, counted back from the moment of asking.
 */
import type { Address, Hash } from '#consensus/primitives.ts';
import type { VoteType } from '#consensus/types.ts';
import type { Halt } from '#node/consensus/hostPorts.ts';

/**
 * `committing`: blocks come, or none is due. `behind`: others are heights ahead and this node catches up. `stalled`:
 * no block comes. `halted`: this node has stopped for good.
 */
export type ProgressState = 'committing' | 'behind' | 'stalled' | 'halted';

/** Stable: scripts and alerts may rely on them. */
export type ProgressCode =
  | 'IDLE'
  | 'BLOCK_INTERVAL'
  | 'BUILDING'
  | 'PROPOSER_SILENT'
  | 'PAYLOAD_MISSING'
  | 'POLKA_MISSING'
  | 'DERIVING'
  | 'JUDGING'
  | 'NO_PREVOTE_QUORUM'
  | 'NO_PRECOMMIT_QUORUM'
  | 'NO_AGREEMENT'
  | 'LOCKED'
  | 'L1_BEHIND'
  | 'CLOCK'
  | 'PROPOSAL_REFUSED'
  | 'STORING'
  | 'NOT_SIGNING'
  | 'QUORUM_LOST'
  | 'NO_PEERS'
  | 'SYNCING'
  | 'L1_NOT_READY'
  | 'HALTED'
  | 'FOLLOWING'
  | 'NO_BLOCKS'
  | 'STARTING'
  | 'UNKNOWN';

export type Progress = {
  readonly state: ProgressState;
  readonly code: ProgressCode;
  /** One sentence for a person. */
  readonly sentence: string;
  /** What an operator can do, null when there is nothing to do. */
  readonly remedy: string | null;
  /** How long this has been so. */
  readonly sinceMs: number;
};

export type LastVote = {
  readonly height: bigint;
  readonly round: number;
  readonly type: VoteType;
  /** Null: nil. */
  readonly valueId: Hash | null;
  readonly agoMs: number;
};

/**
 * Why a validator does not count as alive. `disconnected`: no link, and nothing relayed. `silent`: a link, but nothing
 * comes. `notSigning`: it says itself that it only observes, or its votes have been missing for heights. `mute`: it
 * takes part in the height, but its vote is missing in a round that waits for it.
 */
export type Absence = 'disconnected' | 'silent' | 'notSigning' | 'mute';

export type ValidatorStatus = {
  readonly address: Address;
  readonly name: string;
  readonly power: bigint;
  readonly self: boolean;
  readonly connected: boolean;
  /** Null: alive, as far as this node can tell. */
  readonly absence: Absence | null;
  /** Where it was at its newest word, null before the first. The step is `unknown` when no vote of the round tells. */
  readonly height: bigint | null;
  readonly round: number | null;
  readonly step: string | null;
  readonly lastVote: LastVote | null;
  /** Since its newest word, null before the first. */
  readonly heardAgoMs: number | null;
  /** Of a question to it and its answer, null for this node and where nothing was measured. */
  readonly roundTripMs: number | null;
};

export type Margin = {
  readonly totalPower: bigint;
  /** The least power that is a quorum. */
  readonly quorumPower: bigint;
  readonly alivePower: bigint;
  /** How many more validators may fail, the heaviest first, before no quorum is left. */
  readonly failuresTolerated: number;
  /** The failure that halts the chain: one more than tolerated; 0 when it is halted already. */
  readonly failuresUntilHalt: number;
  readonly halted: boolean;
};

export type MissingVote = {
  readonly address: Address;
  readonly name: string;
  readonly power: bigint;
  /** For a person: connected or not, last heard when. */
  readonly why: string;
};

export type VotesOfStep = { readonly power: bigint; readonly missing: readonly MissingVote[] };

/** Of the current round. */
export type RoundVotesStatus = { readonly prevotes: VotesOfStep; readonly precommits: VotesOfStep };

export type Signing =
  | { readonly state: 'signing' | 'halted'; readonly reason: null }
  | { readonly state: 'observing' | 'lookingBack' | 'abstaining' | 'syncing'; readonly reason: string };

export type HostStatus = {
  readonly height: bigint;
  /** −1 before round 0 has begun. */
  readonly round: number;
  readonly step: string;
  readonly proposer: Address | null;
  readonly validators: readonly ValidatorStatus[];
  readonly margin: Margin;
  /** Null before round 0 has begun and once the height is decided: no vote is due. */
  readonly votes: RoundVotesStatus | null;
  readonly progress: Progress;
  /** Whether this validator signs, and why not. */
  readonly signing: Signing;
  /** One sentence for a person; null while nothing is amiss. */
  readonly waitingFor: string | null;
  /** Why this node does not sign, null when it does. */
  readonly observing: string | null;
  readonly halted: Halt | null;
};

export type NameOf = (address: Address) => string;
