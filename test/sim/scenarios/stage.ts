/**
 * What the scenarios are played on: a cluster of real hosts, named faults in some of them, puppets in place of others,
 * and what must hold afterwards.
 */
import { authenticateProposal, authenticateVote } from '#consensus/authenticate.ts';
import { signDigest } from '#consensus/crypto/secp256k1.ts';
import { payloadToHash, proposalDigest, voteDigest } from '#consensus/digests.ts';
import { verifyEvidence } from '#consensus/evidence.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import { proposerAt } from '#consensus/proposer.ts';
import {
  type CommitCertificate,
  type ConsensusDomain,
  NIL,
  type Payload,
  type Proposal,
  type SignedVote,
  type Vote,
  type VoteType,
} from '#consensus/types.ts';
import { CONSENSUS_REQUEST_PROTOCOL } from '#node/consensus/asking.ts';
import {
  type ConsensusMessage,
  decodeMessage,
  decodeRequest,
  encodeLastVoteAnswer,
  encodeMessage,
} from '#node/consensus/messages.ts';
import type { FaultName } from '#test/faults/fault.ts';
import { FAULTS } from '#test/faults/faults.ts';
import { Cluster, type ClusterOptions, DOMAIN, type Key, type Member } from '#test/sim/cluster/cluster.ts';
import { signedTwice } from '#test/sim/cluster/signedTwice.ts';

/** One named fault in one of the validators; the others are honest. */
export const clusterWith = (
  fault: FaultName,
  options: ClusterOptions & { readonly index?: number },
): Cluster => {
  const { index = 1, ...rest } = options;
  return new Cluster({ ...rest, fault: (at) => (at === index ? FAULTS[fault] : null) });
};

export const others = (cluster: Cluster, ...left: readonly Member[]): readonly Member[] =>
  cluster.members.filter((member) => !left.includes(member));

export const honest = (cluster: Cluster): readonly Member[] =>
  cluster.members.filter(({ faulty }) => faulty === null);

/** The members in the order in which they propose in this height's rounds. */
export const proposers = (cluster: Cluster, height: bigint): readonly [Member, Member, Member, Member] => {
  const [a, b, c, d] = [0, 1, 2, 3].map((round) => {
    const address = proposerAt(cluster.set, height, round);
    return cluster.members.find(({ key }) => key.address === address)!;
  });
  return [a!, b!, c!, d!];
};

/** Agreement, nothing signed twice by an honest validator, none of them halted, and none charged by another. */
export const expectSound = (cluster: Cluster, liars: readonly Member[] = []): void => {
  const isLiar = ({ name, faulty }: Member): boolean =>
    faulty !== null || liars.some((liar) => liar.name === name);
  const sound = cluster.members.filter((member) => !isLiar(member));
  const names = sound.map(({ name }) => name);
  const twice = signedTwice(cluster.hub).filter((step) =>
    sound.some(({ key }) => step.startsWith(key.address)),
  );
  expect(cluster.forks()).toEqual([]);
  expect(twice).toEqual([]);
  expect(sound.flatMap(({ halts }) => halts)).toEqual([]);
  expect(cluster.hub.faults.filter(({ by, peerId }) => names.includes(by) && names.includes(peerId))).toEqual(
    [],
  );
};

/** Every piece of evidence that honest nodes have is valid, and it names nobody but these. */
export const expectEvidenceAgainst = (cluster: Cluster, ...offenders: readonly Member[]): void => {
  const found = honest(cluster).flatMap(({ evidence }) => evidence);
  const named = found.map((evidence) => {
    const result = verifyEvidence(DOMAIN, cluster.set, evidence);
    return result.valid ? result.offender : result.code;
  });
  expect(new Set(named)).toEqual(new Set(offenders.map(({ key }) => key.address)));
};

export const roundOf = (member: Member, height: bigint): number | undefined =>
  member.database.blocks[Number(height)]?.certificate?.round;

export const read = (message: Uint8Array): ConsensusMessage | null => {
  const decoded = decodeMessage(message);
  return decoded.ok ? decoded.value : null;
};

/** The author of a vote on the wire, whoever relays it. */
export const voterOf = (message: Uint8Array): (Vote & { readonly validator: Address }) | null => {
  const decoded = read(message);
  return decoded?.type === 'vote'
    ? authenticateVote(DOMAIN, decoded.vote, decoded.vote.signature, null)
    : null;
};

export type VoteMatch = {
  readonly type: VoteType;
  readonly height: bigint;
  readonly round?: number;
  readonly by?: Member;
};

/** For `hub.isLost`: is it this vote, whoever relays it? */
export const isVote = (message: Uint8Array, { type, height, round, by }: VoteMatch): boolean => {
  const vote = voterOf(message);
  return (
    vote !== null &&
    vote.type === type &&
    vote.height === height &&
    (round === undefined || vote.round === round) &&
    (by === undefined || vote.validator === by.key.address)
  );
};

export const isProposalOrPayload = (message: Uint8Array, height: bigint, round?: number): boolean => {
  const decoded = read(message);
  if (decoded?.type === 'proposal')
    return decoded.proposal.height === height && (round === undefined || decoded.proposal.round === round);
  return decoded?.type === 'payload' && decoded.height === height;
};

export type SeenVote = SignedVote & { readonly from: string; readonly to: string };

/** Votes on the wire that this member signed, in order of their sending. */
export const votesBy = (cluster: Cluster, { key }: Member, height: bigint): readonly SeenVote[] =>
  cluster.hub.sent.flatMap(({ from, to, message }) => {
    const decoded = read(message);
    if (decoded?.type !== 'vote' || decoded.vote.height !== height) return [];
    const vote = authenticateVote(DOMAIN, decoded.vote, decoded.vote.signature, decoded.vote.payloadHash);
    return vote?.validator === key.address ? [{ ...vote, from, to }] : [];
  });

export const stepVote = (
  cluster: Cluster,
  member: Member,
  at: { readonly height: bigint; readonly round: number; readonly type: VoteType },
): SeenVote | undefined =>
  votesBy(cluster, member, at.height).find(({ round, type }) => round === at.round && type === at.type);

export const proposalsBy = (cluster: Cluster, { key }: Member): readonly Proposal[] =>
  cluster.hub.sent.flatMap(({ message }) => {
    const decoded = read(message);
    if (decoded?.type !== 'proposal') return [];
    const proposal = authenticateProposal(DOMAIN, decoded.proposal, decoded.proposal.signature);
    return proposal?.proposer === key.address ? [proposal] : [];
  });

export const signVoteWith = (key: Key, vote: Vote, domain: ConsensusDomain = DOMAIN): SignedVote => ({
  ...vote,
  validator: key.address,
  signature: signDigest(voteDigest(domain, vote), key.privateKey),
  payloadHash: null,
});

/** A validator without a host: it says exactly what the scenario wants, to whom it wants. */
export class Puppet {
  readonly member: Member;
  readonly #network: ReturnType<Cluster['hub']['join']>;

  constructor(cluster: Cluster, member: Member) {
    this.member = member;
    this.#network = cluster.hub.join(member.name, member.key.address);
    this.#network.handleRequest(CONSENSUS_REQUEST_PROTOCOL, async (_peer, request) => {
      const decoded = decodeRequest(request);
      if (decoded.ok && decoded.value.type === 'lastVote') return encodeLastVoteAnswer(null);
      throw new Error('a puppet answers nothing else');
    });
  }

  send(to: Member, message: ConsensusMessage): void {
    this.#network.sendConsensus(to.name, encodeMessage(message));
  }

  sendBytes(to: Member, bytes: Uint8Array): void {
    this.#network.sendConsensus(to.name, bytes);
  }

  vote(to: Member, vote: Vote): SignedVote {
    const signed = signVoteWith(this.member.key, vote);
    this.send(to, { type: 'vote', vote: signed });
    return signed;
  }

  propose(to: Member, proposal: Proposal): void {
    const signature = signDigest(proposalDigest(DOMAIN, proposal), this.member.key.privateKey);
    this.send(to, { type: 'proposal', proposal: { ...proposal, signature } });
  }

  /** A fresh proposal on the receiver's head, with its payload. */
  proposeFresh(to: Member, round: number): Payload {
    const { block } = to.chain.head();
    const payload = {
      parentHash: block.hash,
      timestamp: block.timestamp,
      feeRecipient: this.member.key.address,
      transactions: [],
    };
    const height = block.height + 1n;
    this.propose(to, { height, round, polRound: -1, payloadHash: payloadToHash(payload), valueId: NIL });
    this.send(to, { type: 'payload', height, payload });
    return payload;
  }
}

/**
 * One real host among puppets, which has derived the payload of round 0 of height 1 and prevoted for it.
 * @returns the host's member, the puppets, and the value
 */
export const hostAmongPuppets = async (
  seed: number,
  options: Partial<ClusterOptions> = {},
): Promise<{
  readonly cluster: Cluster;
  readonly target: Member;
  readonly puppets: readonly [Puppet, Puppet, Puppet];
  readonly valueId: Hash;
}> => {
  const cluster = new Cluster({ seed, sync: false, emptyBlockIntervalMs: 600_000, ...options });
  const [proposer, target] = proposers(cluster, 1n);
  const [first, second, third] = [proposer, ...others(cluster, proposer, target)].map(
    (member) => new Puppet(cluster, member),
  );
  await cluster.start(target);
  // It signs once it knows where the others are (RULES 14).
  for (const puppet of [first!, second!, third!])
    puppet.send(target, { type: 'summary', height: 1n, round: 0, rounds: [] });
  await cluster.clock.advance(1_200);
  first!.proposeFresh(target, 0);
  const at = { height: 1n, round: 0, type: 'prevote' } as const;
  await cluster.clock.advance(900, () => stepVote(cluster, target, at) !== undefined);
  const { valueId } = stepVote(cluster, target, at)!;
  return { cluster, target, puppets: [first!, second!, third!], valueId };
};

export const certificateOf = (votes: readonly SignedVote[]): CommitCertificate => ({
  height: votes[0]!.height,
  round: votes[0]!.round,
  valueId: votes[0]!.valueId,
  signatures: votes
    .map(({ validator, signature }) => ({ validator, signature }))
    .sort((a, b) => (a.validator < b.validator ? -1 : 1)),
});
