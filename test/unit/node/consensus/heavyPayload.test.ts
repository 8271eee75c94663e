/** What makes a node execute a full block, and what does not (RULES 4): one validator and what three others send it. */
import { payloadToHash } from '#consensus/digests.ts';
import type { Hash } from '#consensus/primitives.ts';
import { proposerAt } from '#consensus/proposer.ts';
import { NIL, type Payload } from '#consensus/types.ts';
import { CONSENSUS_REQUEST_PROTOCOL } from '#node/consensus/asking.ts';
import {
  type ConsensusMessage,
  decodeRequest,
  encodeLastVoteAnswer,
  encodeMessage,
  encodeSessionAnswer,
  encodeValueAnswer,
  encodeVotesAnswer,
  type ValueAnswer,
} from '#node/consensus/messages.ts';
import { encodeRlp } from '#node/consensus/rlp.ts';
import { Cluster, type Member } from '#test/sim/cluster/cluster.ts';
import type { LossyNetwork } from '#test/sim/cluster/lossyNetwork.ts';
import { hashOf, signedProposal, signedVote } from '#test/sim/cluster/samples.ts';
import { sentVotes } from '#test/sim/cluster/signedTwice.ts';

const EMPTY = new Uint8Array(0);
/** A legacy transaction but for its signature, which nothing here looks at; 14,680,063 gas each. */
const heavyTransaction = (nonce: number): Uint8Array =>
  encodeRlp([
    Uint8Array.of(nonce),
    EMPTY,
    Uint8Array.of(0xdf, 0xff, 0xff),
    new Uint8Array(20).fill(1),
    EMPTY,
    EMPTY,
  ]);

class Siege {
  readonly cluster = new Cluster({ seed: 31, sync: false });
  readonly executed: Hash[] = [];
  target!: Member;
  networks: (LossyNetwork | null)[] = [];
  /** What a validator that the test plays gives for a value. */
  answerValue: (index: number, valueId: Hash) => ValueAnswer | null = () => null;

  /** The last in the round's order is the target; the others are played by the test. */
  async begin(): Promise<void> {
    const { cluster } = this;
    const proposers = [0, 1, 2, 3].map((round) => proposerAt(cluster.set, 1n, round));
    this.target = cluster.members.find(({ key }) => key.address === proposers[3])!;
    await cluster.start(this.target);
    const derive = this.target.chain.derive.bind(this.target.chain);
    this.target.chain.derive = (payload) => {
      this.executed.push(payloadToHash(payload));
      return derive(payload);
    };
    this.networks = cluster.members.map((member, index) => {
      if (member === this.target) return null;
      const network = cluster.hub.join(member.name, member.key.address);
      network.handleRequest(CONSENSUS_REQUEST_PROTOCOL, async (_peer, bytes) => this.#answer(index, bytes));
      return network;
    });
    // It signs once it knows where the others are (RULES 14).
    for (const index of this.indexesOfOthers())
      await this.send(index, { type: 'summary', height: 1n, round: 0, rounds: [] });
  }

  #answer(index: number, bytes: Uint8Array): Uint8Array {
    const decoded = decodeRequest(bytes);
    if (!decoded.ok) throw decoded.error;
    switch (decoded.value.type) {
      case 'lastVote':
        return encodeLastVoteAnswer(null);
      case 'session':
        return encodeSessionAnswer(null);
      case 'polka':
        return encodeVotesAnswer([]);
      case 'valueByPayload':
        return encodeValueAnswer(null);
      case 'valueById':
        return encodeValueAnswer(this.answerValue(index, decoded.value.valueId));
    }
  }

  payload(...nonces: number[]): Payload {
    const { block } = this.target.chain.head();
    return {
      parentHash: block.hash,
      timestamp: block.timestamp,
      feeRecipient: this.target.key.address,
      transactions: nonces.map(heavyTransaction),
    };
  }

  indexOfProposer(round: number): number {
    const proposer = proposerAt(this.cluster.set, 1n, round);
    return this.cluster.members.findIndex(({ key }) => key.address === proposer);
  }

  indexesOfOthers(): readonly number[] {
    return this.networks.flatMap((network, index) => (network === null ? [] : [index]));
  }

  async send(index: number, message: ConsensusMessage): Promise<void> {
    this.networks[index]!.sendConsensus(this.target.name, encodeMessage(message));
    await this.cluster.clock.advance(30);
  }

  async propose(round: number, payload: Payload, polRound = -1, valueId: Hash = NIL): Promise<Hash> {
    const index = this.indexOfProposer(round);
    const payloadHash = payloadToHash(payload);
    const proposal = { height: 1n, round, polRound, payloadHash, valueId };
    await this.send(index, { type: 'proposal', proposal: signedProposal(proposal, index) });
    await this.send(index, { type: 'payload', height: 1n, payload });
    return payloadHash;
  }

  async prevote(index: number, round: number, valueId: Hash, payloadHash: Hash | null): Promise<void> {
    const vote = { type: 'prevote', height: 1n, round, valueId } as const;
    await this.send(index, { type: 'vote', vote: signedVote(vote, index, payloadHash) });
  }
}

const siege = async (): Promise<Siege> => {
  const begun = new Siege();
  await begun.begin();
  return begun;
};

test('a fresh payload above its round’s gas is not executed because of its proposal, and the vote is nil', async () => {
  const it = await siege();
  await it.cluster.clock.advance(2_000);
  const payloadHash = await it.propose(1, it.payload(1, 2));
  for (const index of it.indexesOfOthers().slice(0, 2)) await it.prevote(index, 1, NIL, null);
  await it.cluster.clock.advance(2_500);
  const step = `${it.target.key.address} prevote 1/1`;
  expect(sentVotes(it.cluster.hub)).toContainEqual(expect.objectContaining({ step, valueId: NIL }));
  expect(it.executed).not.toContain(payloadHash);
  await it.cluster.stopAll();
});

test('a fresh payload within its round’s gas is executed at once', async () => {
  const it = await siege();
  const payloadHash = await it.propose(1, it.payload(1));
  expect(it.executed).toContain(payloadHash);
  await it.cluster.stopAll();
});

test('a payload too heavy for round 1 is executed when round 0 proposes it', async () => {
  const it = await siege();
  const payload = it.payload(1, 2);
  const payloadHash = await it.propose(1, payload);
  expect(it.executed).not.toContain(payloadHash);
  await it.propose(0, payload);
  expect(it.executed).toContain(payloadHash);
  await it.cluster.stopAll();
});

test('a heavy payload is executed once more than a third voted for a value of it, not for one voter', async () => {
  const it = await siege();
  const payloadHash = await it.propose(1, it.payload(1, 2));
  const [first, second] = it.indexesOfOthers();
  await it.prevote(first!, 1, hashOf(0x77), payloadHash);
  expect(it.executed).not.toContain(payloadHash);
  await it.prevote(second!, 1, hashOf(0x77), payloadHash);
  expect(it.executed).toContain(payloadHash);
  await it.cluster.stopAll();
});

test('a heavy payload of a re-proposal is executed with the polka that it names, not before', async () => {
  const it = await siege();
  const valueId = hashOf(0x78);
  const payloadHash = await it.propose(1, it.payload(1, 2), 0, valueId);
  await it.prevote(it.indexesOfOthers()[0]!, 0, valueId, null);
  await it.prevote(it.indexesOfOthers()[1]!, 1, NIL, null);
  await it.prevote(it.indexesOfOthers()[2]!, 1, NIL, null);
  await it.cluster.clock.advance(500);
  expect(it.target.host!.status().round).toBe(1);
  expect(it.executed).not.toContain(payloadHash);
  for (const index of it.indexesOfOthers()) await it.prevote(index, 0, valueId, null);
  expect(it.executed).toContain(payloadHash);
  await it.cluster.stopAll();
});

test('a peer that answers with a payload of another value pays for it, and is not asked again', async () => {
  const it = await siege();
  const valueId = hashOf(0x79);
  const [liar, second, third] = it.indexesOfOthers();
  let asked = 0;
  it.answerValue = (index) => (index === liar ? { payload: it.payload(++asked, 100), derived: null } : null);
  for (const index of [second!, third!]) await it.prevote(index, 0, valueId, null);
  await it.cluster.clock.advance(30_000);
  expect(asked).toBe(1);
  expect(it.executed).toContain(payloadToHash(it.payload(1, 100)));
  expect(it.cluster.hub.faults).toEqual([
    expect.objectContaining({
      peerId: it.cluster.members[liar!]!.name,
      fault: 'invalid',
      detail: expect.stringMatching(/does not derive to 0x79/),
    }),
  ]);
  // Another value is another question.
  for (const index of [second!, third!]) await it.prevote(index, 1, hashOf(0x7a), null);
  await it.cluster.clock.advance(5_000);
  expect(asked).toBe(2);
  await it.cluster.stopAll();
});

test('a peer that says that its payload is of another value than its checkpoint is not asked again', async () => {
  const it = await siege();
  const { checkpoint } = it.target.chain.head().block;
  let asked = 0;
  it.answerValue = () => ({ payload: it.payload(++asked), derived: { checkpoint, receiptHashes: [] } });
  for (const index of it.indexesOfOthers().slice(0, 2)) await it.prevote(index, 0, hashOf(0x79), null);
  await it.cluster.clock.advance(30_000);
  expect(asked).toBe(3);
  expect(it.cluster.hub.faults).toHaveLength(3);
  expect(it.executed).not.toContain(payloadToHash(it.payload(1)));
  await it.cluster.stopAll();
});

test('a heavy payload given for a value that nobody voted for is not executed, until somebody does', async () => {
  const it = await siege();
  const valueId = hashOf(0x7b);
  const [liar, second, third] = it.indexesOfOthers();
  let asked = 0;
  it.answerValue = (index) => {
    if (index === liar) asked++;
    return index === liar ? { payload: it.payload(1, 2), derived: null } : null;
  };
  await it.propose(1, it.payload(3), 0, valueId);
  for (const index of [second!, third!]) await it.prevote(index, 1, NIL, null);
  await it.cluster.clock.advance(8_000);
  expect(asked).toBe(1);
  const given = payloadToHash(it.payload(1, 2));
  expect(it.executed).not.toContain(given);
  for (const index of [second!, third!]) await it.prevote(index, 0, valueId, null);
  expect(it.executed).toContain(given);
  await it.cluster.stopAll();
});
