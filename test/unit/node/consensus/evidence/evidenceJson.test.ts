/** The JSON alone convicts: nothing of this repository is used to check it. */
import {
  hashStruct,
  hashTypedData,
  keccak256,
  recoverAddress,
  recoverTypedDataAddress,
  size,
  slice,
} from 'viem';
import { checkpointToValueId } from '#consensus/digests.ts';
import type { Misbehaviour } from '#consensus/evidence.ts';
import { verifyMisbehaviour } from '#consensus/evidence.ts';
import type { Checkpoint } from '#consensus/types.ts';
import { type EvidenceJson, evidenceToJson } from '#node/consensus/evidence/evidenceJson.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { hashOf, KEYS } from '#test/sim/cluster/samples.ts';
import {
  certificateBy,
  NEWCOMER,
  proposalBy,
  SET,
  twoCommits,
  twoProposals,
  twoVotes,
} from '#test/unit/node/consensus/evidence/support.ts';

const CHECKPOINT: Checkpoint = {
  height: 5n,
  blockHash: hashOf(1),
  stateRoot: hashOf(2),
  outboxRoot: hashOf(3),
  outboxCount: 4n,
  importedCount: 5n,
  importedHash: hashOf(6),
  nextValidatorsHash: SET.hash,
};
const COMMITTED = { valueId: checkpointToValueId(CHECKPOINT), checkpoint: CHECKPOINT };

// biome-ignore lint/suspicious/noExplicitAny: what a stranger parses has no types
type Parsed = any;

const shown = (item: Misbehaviour): Parsed => {
  const result = verifyMisbehaviour(DOMAIN, SET, item);
  if (!result.valid) throw new Error(result.code);
  const kept = { item, atSeconds: 1_800_000_000n, key: '', slot: '', offenders: result.offenders };
  const json: EvidenceJson = evidenceToJson(kept, { domain: DOMAIN, set: SET, committed: COMMITTED });
  return JSON.parse(JSON.stringify(json));
};

test.each([
  ['prevotes', twoVotes({ type: 'prevote', round: 7 })],
  ['precommits', twoVotes({ type: 'precommit', height: 2n ** 40n })],
  ['fresh proposals', twoProposals()],
  [
    'proposals of which one is a re-proposal',
    {
      type: 'duplicateProposal' as const,
      first: proposalBy(KEYS[0]!, {
        height: 5n,
        round: 3,
        polRound: -1,
        payloadHash: hashOf(1),
        valueId: hashOf(0),
      }),
      second: proposalBy(KEYS[0]!, {
        height: 5n,
        round: 3,
        polRound: 2,
        payloadHash: hashOf(1),
        valueId: hashOf(9),
      }),
    },
  ],
])('the offender is recovered from the JSON of two %s with viem', async (_what, item) => {
  const json = shown(item);
  expect(json.offender).toBe(KEYS[0]!.address);
  for (const { message, digest, signature } of [json.first, json.second]) {
    const signer = await recoverTypedDataAddress({ ...json.typedData, message, signature });
    expect(signer.toLowerCase()).toBe(json.offender);
    expect(hashTypedData({ ...json.typedData, message })).toBe(digest);
    expect(size(signature)).toBe(65);
  }
  expect(json.first.digest).not.toBe(json.second.digest);
});

test('two certificates come as PegVerifier takes them: packed set, bitmap, signatures in its order, the known checkpoint', async () => {
  const second = certificateBy(KEYS.slice(1), 5n, 2, hashOf(2));
  const first = certificateBy(KEYS.slice(0, 3), 5n, 0, COMMITTED.valueId);
  const json = shown({ type: 'conflictingCommit', first, second });
  expect(json.offenders).toEqual([]);
  expect(json.signersOfBoth).toEqual([KEYS[1]!.address, KEYS[2]!.address]);
  expect(keccak256(json.validators)).toBe(json.validatorsHash);
  for (const { round, valueId, digest, bitmap, signatures } of [json.first, json.second]) {
    const message = { height: String(BigInt(json.height)), round: String(BigInt(round)), valueId };
    expect(hashTypedData({ ...json.typedData, message })).toBe(digest);
    let at = 0;
    for (let index = 0; index < size(json.validators) / 28; index++) {
      if (((BigInt(bitmap) >> BigInt(index)) & 1n) === 0n) continue;
      const signature = slice(signatures, 65 * at, 65 * ++at);
      const signer = await recoverAddress({ hash: digest, signature });
      expect(signer.toLowerCase()).toBe(slice(json.validators, 28 * index, 28 * index + 20));
    }
    expect(size(signatures)).toBe(65 * at);
    expect(at).toBe(3);
  }
  const types = {
    Checkpoint: [
      { name: 'height', type: 'uint64' },
      { name: 'blockHash', type: 'bytes32' },
      { name: 'stateRoot', type: 'bytes32' },
      { name: 'outboxRoot', type: 'bytes32' },
      { name: 'outboxCount', type: 'uint64' },
      { name: 'importedCount', type: 'uint64' },
      { name: 'importedHash', type: 'bytes32' },
      { name: 'nextValidatorsHash', type: 'bytes32' },
    ],
  };
  const struct = hashStruct({ data: json.first.checkpoint, primaryType: 'Checkpoint', types });
  expect(struct).toBe(json.first.valueId);
  expect(json.second.checkpoint).toBeNull();
});

test('two certificates of one round name their offenders', () => {
  expect(shown(twoCommits()).offenders).toEqual([KEYS[1]!.address, KEYS[2]!.address]);
});

test('a set of another height is refused rather than shown', () => {
  const item = twoCommits();
  const stranger = certificateBy([NEWCOMER], 5n, 0, hashOf(9));
  const kept = { item: { ...item, second: stranger }, atSeconds: 0n, key: '', slot: '', offenders: [] };
  expect(() => evidenceToJson(kept, { domain: DOMAIN, set: SET, committed: null })).toThrow(
    /belongs to another set/,
  );
});
