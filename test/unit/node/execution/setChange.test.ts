/** Scenarios 36 to 38 of the consensus anchors on real hosts and real execution, and RULES 20 to 22. */
import { verifyCommitCertificate } from '#consensus/certificate.ts';
import { proposerAt } from '#consensus/proposer.ts';
import { isQuorum, powerOf, type ValidatorSet } from '#consensus/validatorSet.ts';
import type { BlockRecord } from '#node/storage/records.ts';
import { genesisOf, SetCluster, type SetKey, type SetMember, setKeys, setOf } from './setCluster.ts';

const EPOCH_LENGTH = 12n;
const APPROVE = 0;
const REMOVE = 1;
const UPGRADE = 3;

let cluster: SetCluster;
afterEach(() => cluster?.dispose());

const startCluster = async (keys: readonly SetKey[], initial: readonly SetKey[]): Promise<SetCluster> => {
  cluster = new SetCluster(await genesisOf(initial, EPOCH_LENGTH));
  for (const [index, key] of keys.entries()) await cluster.add(`v${index + 1}`, key);
  return cluster;
};
const blocksOf = ({ executed }: SetMember): readonly BlockRecord[] => executed!.blocks;
const memberOf = (key: SetKey): SetMember => cluster.members.find((member) => member.key === key)!;

/** Each height's certificate is one of exactly the set that votes there, and of no other. */
const expectCertificates = (
  blocks: readonly BlockRecord[],
  setAt: (height: bigint) => ValidatorSet,
  others: readonly ValidatorSet[],
): void => {
  const { spec, genesisHash } = cluster.genesis;
  const domain = { chainId: spec.chainId, genesisHash };
  for (const { height, certificate, valueId } of blocks.slice(1)) {
    const set = setAt(height);
    const verdict = verifyCommitCertificate(domain, set, certificate!, { height, valueId });
    expect({ height, ...verdict }).toMatchObject({ height, valid: true });
    const power = certificate!.signatures.reduce((sum, { validator }) => sum + powerOf(set, validator), 0n);
    expect([height, isQuorum(set, power)]).toEqual([height, true]);
    for (const other of others.filter(({ hash }) => hash !== set.hash))
      expect([height, blocks[Number(height) - 1]!.checkpoint.nextValidatorsHash === other.hash]).toEqual([
        height,
        false,
      ]);
  }
};
const heightsSigned = ({ signed }: SetMember): bigint[] =>
  signed.flatMap((request) =>
    request.kind === 'vote'
      ? [request.vote.height]
      : request.kind === 'proposal'
        ? [request.proposal.height]
        : [],
  );

describe('36 · a validator removed at h + 1 while it is proposer', () => {
  test.each([
    ['of the last height of the old set', EPOCH_LENGTH],
    ['of the first height without it', EPOCH_LENGTH + 1n],
  ])(
    '%s signs h only',
    async (_which, turn) => {
      const keys = setKeys(5);
      const old = setOf(keys);
      const leaving = keys.find(({ address }) => address === proposerAt(old, turn, 0))!;
      const rest = keys.filter((key) => key !== leaving);
      await startCluster(keys, keys);
      await cluster.decide({ action: REMOVE, account: leaving.address });
      await cluster.until(EPOCH_LENGTH + 4n);
      const gone = memberOf(leaving);
      const blocks = blocksOf(memberOf(rest[0]!));
      expectCertificates(blocks, (height) => (height <= EPOCH_LENGTH ? old : setOf(rest)), [
        old,
        setOf(rest),
      ]);
      expect(heightsSigned(gone).every((height) => height <= EPOCH_LENGTH)).toBe(true);
      if (turn === EPOCH_LENGTH) expect(heightsSigned(gone)).toContain(EPOCH_LENGTH);
      // it follows, and knows the same blocks
      expect(blocksOf(gone)[Number(EPOCH_LENGTH) + 4]?.hash).toBe(blocks[Number(EPOCH_LENGTH) + 4]?.hash);
      expect(gone.halts).toEqual([]);
    },
    120_000,
  );
});

describe('37 · a set', () => {
  test('that shrinks from 7 to 4 has the quorum of the 4 from the next height on', async () => {
    const keys = setKeys(7);
    const [old, rest] = [setOf(keys), setOf(keys.slice(0, 4))];
    await startCluster(keys, keys);
    for (const { address } of keys.slice(4)) await cluster.decide({ action: REMOVE, account: address });
    await cluster.until(EPOCH_LENGTH);
    // 3 of the 7: no quorum of the old set
    for (const key of keys.slice(4)) await cluster.stop(memberOf(key));
    const left = keys.slice(0, 4).map(memberOf);
    await cluster.until(EPOCH_LENGTH + 2n, left);
    await cluster.stop(left[3]!);
    await cluster.until(EPOCH_LENGTH + 5n, left.slice(0, 3));
    expectCertificates(blocksOf(left[0]!), (height) => (height <= EPOCH_LENGTH ? old : rest), [old, rest]);
  }, 120_000);

  test('that grows from 4 to 7 has the quorum of the 7 from the next height on, and nobody restarts', async () => {
    const keys = setKeys(7);
    const initial = keys.filter((_, index) => index % 2 === 0);
    const joining = keys.filter((key) => !initial.includes(key));
    const [old, grown] = [setOf(initial), setOf(keys)];
    await startCluster(keys, initial);
    for (const { address } of joining) await cluster.decide({ action: APPROVE, account: address, value: 1n });
    await cluster.until(2n);
    for (const key of joining) await cluster.sayReady(memberOf(key), 1n);
    await cluster.until(EPOCH_LENGTH + 6n);
    for (const key of joining) {
      const heights = heightsSigned(memberOf(key));
      expect(heights.length).toBeGreaterThan(0);
      expect(heights.every((height) => height > EPOCH_LENGTH)).toBe(true);
    }
    // 2 of 7 may be missing: the 5 others include newcomers, without whose votes the old 4 were no quorum
    const [first, second] = initial.map(memberOf);
    await cluster.stop(first!);
    await cluster.stop(second!);
    const others = cluster.members.filter((member) => member !== first && member !== second);
    await cluster.until(EPOCH_LENGTH + 9n, others);
    expectCertificates(blocksOf(others[0]!), (height) => (height <= EPOCH_LENGTH ? old : grown), [
      old,
      grown,
    ]);
  }, 120_000);

  test('does not let in who is approved but not ready', async () => {
    const keys = setKeys(5);
    await startCluster(keys, keys.slice(0, 4));
    await cluster.decide({ action: APPROVE, account: keys[4]!.address, value: 1n });
    await cluster.until(EPOCH_LENGTH + 1n);
    const set = setOf(keys.slice(0, 4));
    expect(blocksOf(cluster.members[0]!).map(({ checkpoint }) => checkpoint.nextValidatorsHash)).toEqual(
      blocksOf(cluster.members[0]!).map(() => set.hash),
    );
    await cluster.sayReady(memberOf(keys[4]!), 2n);
    await cluster.until(2n * EPOCH_LENGTH + 2n);
    const at = (height: bigint) =>
      blocksOf(cluster.members[0]!)[Number(height)]!.checkpoint.nextValidatorsHash;
    expect([at(2n * EPOCH_LENGTH - 1n), at(2n * EPOCH_LENGTH)]).toEqual([set.hash, setOf(keys).hash]);
  }, 120_000);
});

describe('RULES 21: validators that signed twice', () => {
  test('leave at the boundary, less than a third of the power at a time, the rest at the next one', async () => {
    const keys = setKeys(7);
    await startCluster(keys, keys);
    const [first, second, third] = [keys[4]!, keys[0]!, keys[2]!];
    await cluster.until(1n);
    for (const key of [first, second, third]) await cluster.report(key);
    await cluster.until(2n * EPOCH_LENGTH + 3n);
    const without = (...gone: readonly SetKey[]) => setOf(keys.filter((key) => !gone.includes(key)));
    const [all, five, four] = [setOf(keys), without(first, second), without(first, second, third)];
    const setAt = (height: bigint): ValidatorSet =>
      height <= EPOCH_LENGTH ? all : height <= 2n * EPOCH_LENGTH ? five : four;
    expectCertificates(blocksOf(memberOf(keys[1]!)), setAt, [all, five, four]);
    expect(heightsSigned(memberOf(first)).every((height) => height <= EPOCH_LENGTH)).toBe(true);
    expect(heightsSigned(memberOf(third)).every((height) => height <= 2n * EPOCH_LENGTH)).toBe(true);
  }, 120_000);
});

describe('38 · a scheduled upgrade', () => {
  test('with one node not upgraded: it halts before that height and says why, the others proceed', async () => {
    const keys = setKeys(4);
    cluster = new SetCluster(await genesisOf(keys, EPOCH_LENGTH));
    const from = EPOCH_LENGTH + 3n;
    for (const [index, key] of keys.entries()) await cluster.add(`v${index + 1}`, key, index === 0 ? 1n : 2n);
    await cluster.decide({ action: UPGRADE, value: 2n, height: from });
    const [behind, ...others] = cluster.members;
    await cluster.until(from + 4n, others);
    await cluster.until(from - 1n);
    expect(behind!.halts).toMatchObject([{ code: 'UPGRADE_REQUIRED' }]);
    expect(behind!.halts[0]!.message).toMatch(new RegExp(`version 2, in force at height ${from}.*install`));
    expect(behind!.host!.status().waitingFor).toContain('version 2');
    // what it has stays readable, and it signed nothing of that height but perhaps a proposal of what it did not execute
    expect(behind!.executed!.head().block.height).toBe(from - 1n);
    const votes = behind!.signed.flatMap((request) => (request.kind === 'vote' ? [request.vote.height] : []));
    expect(votes.every((height) => height < from)).toBe(true);
    // upgraded, it goes on from where it stopped
    await cluster.stop(behind!);
    await cluster.start(behind!, 2n);
    await cluster.until(from + 8n);
    expect(blocksOf(behind!).at(-1)!.height).toBeGreaterThanOrEqual(from + 8n);
  }, 120_000);
});
