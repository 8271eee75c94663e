import type { KeptEvidence } from '#node/consensus/evidence/evidencePool.ts';
import { KEYS } from '#test/sim/cluster/samples.ts';
import { twoVotes } from '#test/unit/node/consensus/evidence/support.ts';
import { startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';

const kept = (index: number, height: bigint, round = 0): KeptEvidence => {
  const { address } = KEYS[index]!;
  const item = twoVotes({ key: KEYS[index]!, height, round });
  return { item, atSeconds: 1_800_000_000n, key: '', slot: '', offenders: [address] };
};
const ALL = [kept(0, 1n), kept(1, 1n, 1), kept(0, 2n), kept(0, 3n)];

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ evidence: () => ALL });
  server.append();
  server.append();
});
afterAll(() => server.stop());

test('a node that keeps no evidence says so, rather than that there is none', async () => {
  const follower = await startServer();
  expect(await follower.error('causeway_evidence')).toEqual({
    code: -32000,
    message: 'this node is no validator and keeps no evidence: ask a validator',
  });
  await follower.stop();
});

test('wrong filters are refused by name', async () => {
  const messageOf = async (filter: unknown): Promise<string> => {
    const { code, message } = await server.error('causeway_evidence', [filter]);
    expect(code).toBe(-32602);
    return message;
  };
  expect(await messageOf({ offender: '0x12' })).toMatch(/offender/);
  expect(await messageOf({ fromHeight: '5' })).toMatch(/fromHeight/);
  expect(await messageOf({ limit: 1_001 })).toMatch(/limit: expected at most 1000/);
  expect(await messageOf('0x1')).toMatch(/expected a filter object/);
});

test('evidence is shown from the height on, by offender, and no more than asked for', async () => {
  const heights = async (...params: unknown[]): Promise<string[]> =>
    (await server.result('causeway_evidence', params)).map(({ height }: { height: string }) => height);
  expect(await heights()).toEqual(['0x1', '0x1', '0x2', '0x3']);
  expect(await heights(null)).toHaveLength(4);
  expect(await heights({ fromHeight: '0x2' })).toEqual(['0x2', '0x3']);
  expect(await heights({ offender: KEYS[1]!.address })).toEqual(['0x1']);
  expect(await heights({ offender: KEYS[0]!.address, limit: 2 })).toEqual(['0x1', '0x2']);
  expect(await heights({ limit: '0x0' })).toEqual([]);
});

test('a piece names its offender, step and both signed messages', async () => {
  const [shown] = await server.result('causeway_evidence', [{ limit: 1 }]);
  expect(shown).toMatchObject({
    kind: 'duplicateVote',
    offender: KEYS[0]!.address,
    height: '0x1',
    round: '0x0',
    typedData: { primaryType: 'Precommit', domain: { name: 'Causeway', version: '1', chainId: '42424' } },
    first: {
      message: { height: '1', round: '0' },
      signature: ALL[0]!.item.type === 'duplicateVote' && ALL[0]!.item.first.signature,
    },
  });
});
