/** Evidence to judge, and a chain that knows nothing but heights, times and sets. */
import { privateKeyToAddress, signDigest } from '#consensus/crypto/secp256k1.ts';
import { proposalDigest, voteDigest } from '#consensus/digests.ts';
import type { ConflictingCommit, Misbehaviour } from '#consensus/evidence.ts';
import type { Hash, Signature } from '#consensus/primitives.ts';
import {
  type CommitCertificate,
  type ConsensusDomain,
  NIL,
  type Proposal,
  type SignedProposal,
  type SignedVote,
  type Vote,
  type VoteType,
} from '#consensus/types.ts';
import { createValidatorSet, type ValidatorSet } from '#consensus/validatorSet.ts';
import type { ChainReader } from '#node/chain.ts';
import type { EvidencePoolDependencies } from '#node/consensus/evidence/evidencePool.ts';
import type { HostLogger } from '#node/consensus/hostPorts.ts';
import { DOMAIN, type Key } from '#test/sim/cluster/cluster.ts';
import { hashOf, KEYS } from '#test/sim/cluster/samples.ts';

export const setOf = (keys: readonly Key[]): ValidatorSet =>
  createValidatorSet(keys.map(({ address }) => ({ address, power: 1n })));
export const SET = setOf(KEYS);
const NEWCOMER_KEY = new Uint8Array(32).fill(0x77);
export const NEWCOMER: Key = { privateKey: NEWCOMER_KEY, address: privateKeyToAddress(NEWCOMER_KEY) };

export const voteBy = (key: Key, vote: Vote, domain: ConsensusDomain = DOMAIN): SignedVote => ({
  ...vote,
  validator: key.address,
  signature: signDigest(voteDigest(domain, vote), key.privateKey),
  payloadHash: null,
});

export const proposalBy = (key: Key, proposal: Proposal): SignedProposal => ({
  ...proposal,
  proposer: key.address,
  signature: signDigest(proposalDigest(DOMAIN, proposal), key.privateKey),
});

export type PairOptions = {
  readonly key?: Key;
  readonly type?: VoteType;
  readonly height?: bigint;
  readonly round?: number;
  readonly values?: readonly [Hash, Hash];
  readonly domain?: ConsensusDomain;
};

export const twoVotes = (options: PairOptions = {}): Misbehaviour => {
  const { key = KEYS[0]!, type = 'precommit', height = 5n, round = 0, domain = DOMAIN } = options;
  const [first, second] = options.values ?? [hashOf(1), hashOf(2)];
  return {
    type: 'duplicateVote',
    first: voteBy(key, { type, height, round, valueId: first }, domain),
    second: voteBy(key, { type, height, round, valueId: second }, domain),
  };
};

export const twoProposals = ({ key = KEYS[0]!, height = 5n, round = 0 }: PairOptions = {}): Misbehaviour => {
  const fresh = { height, round, polRound: -1, valueId: NIL };
  return {
    type: 'duplicateProposal',
    first: proposalBy(key, { ...fresh, payloadHash: hashOf(3) }),
    second: proposalBy(key, { ...fresh, payloadHash: hashOf(4) }),
  };
};

export const certificateBy = (
  keys: readonly Key[],
  height: bigint,
  round: number,
  valueId: Hash,
): CommitCertificate => ({
  height,
  round,
  valueId,
  signatures: keys.map((key) => ({
    validator: key.address,
    signature: voteBy(key, { type: 'precommit', height, round, valueId }).signature,
  })),
});

export const twoCommits = (secondRound = 0, height = 5n): ConflictingCommit => ({
  type: 'conflictingCommit',
  first: certificateBy(KEYS.slice(0, 3), height, 0, hashOf(1)),
  second: certificateBy(KEYS.slice(1), height, secondRound, hashOf(2)),
});

export const FORGED = `0x${'33'.repeat(64)}1b` as Signature;

export type LogLine = { readonly level: string; readonly fields: unknown; readonly message: string };

export const recordingLogger = (): { logger: HostLogger; lines: LogLine[] } => {
  const lines: LogLine[] = [];
  const at =
    (level: string) =>
    (fields: unknown, message: string): void =>
      void lines.push({ level, fields, message });
  return {
    lines,
    logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } as HostLogger,
  };
};

/** Moves when the test says so: a block a second, another set from `change` on. */
export class Timeline {
  height: bigint;
  readonly change: { readonly from: bigint; readonly set: ValidatorSet } | null;

  constructor(height: bigint, change: Timeline['change'] = null) {
    this.height = height;
    this.change = change;
  }

  #setAt(height: bigint): ValidatorSet {
    return this.change !== null && height >= this.change.from ? this.change.set : SET;
  }

  chain(): EvidencePoolDependencies['chain'] {
    const blockAt = (height: bigint) => ({ height, timestamp: 1_800_000_000n + height });
    return {
      head: () => ({ block: blockAt(this.height), nextValidators: this.#setAt(this.height + 1n) }),
      blockAt: async (height: bigint) => (height <= this.height ? blockAt(height) : null),
      validatorsAt: async (height: bigint) => (height <= this.height ? this.#setAt(height) : null),
    } as Pick<ChainReader, 'head' | 'blockAt' | 'validatorsAt'>;
  }
}
