import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CrossingError } from '#bridge/user/errors.ts';
import { type RecordedCrossing, recordCrossing, withRecordedCrossing } from '#cli/bridge/session.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-session-'));
  path = join(folder, 'crossings');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const deposit = { kind: 'deposit' as const, details: { amountWei: '1', recipient: '0xaa' } };

const powerCutAfterSigning = async ({ journal, id }: RecordedCrossing): Promise<never> => {
  await journal.record(id, 'deposit', { nonce: 0, hash: '0x01', raw: '0x02' });
  throw new Error('power cut');
};

test('an unfinished crossing is never overtaken: a second one is refused, naming the first', async () => {
  await expect(withRecordedCrossing(path, deposit, false, powerCutAfterSigning)).rejects.toThrow('power cut');
  await expect(recordCrossing(path, deposit, false)).rejects.toMatchObject({
    code: 'UNFINISHED_CROSSING',
    message: expect.stringContaining('amountWei 1, recipient 0xaa'),
    hint: expect.stringContaining('--resume'),
  });
  await expect(recordCrossing(path, { ...deposit, kind: 'claim' }, true)).rejects.toMatchObject({
    code: 'UNFINISHED_CROSSING',
  });
});

test('--resume goes on with the recorded amounts and the same id, whatever is asked for now', async () => {
  let firstId = '';
  await withRecordedCrossing(path, deposit, false, (crossing) => {
    firstId = crossing.id;
    return powerCutAfterSigning(crossing);
  }).catch(() => undefined);
  const other = { kind: 'deposit' as const, details: { amountWei: '999', recipient: '0xbb' } };
  const resumed = await withRecordedCrossing(path, other, true, async ({ id, details }) => ({ id, details }));
  expect(resumed).toEqual({ id: firstId, details: deposit.details });
  await expect(recordCrossing(path, deposit, true)).rejects.toMatchObject({ code: 'NOTHING_TO_RESUME' });
  await withRecordedCrossing(path, other, false, async ({ details }) => {
    expect(details).toEqual(other.details);
  });
});

test('a crossing of which nothing can happen any more does not stand in the way of the next', async () => {
  const refused = async () => {
    throw new CrossingError('REFUSED', 'amount too small');
  };
  const reverted = async (crossing: RecordedCrossing) => {
    await powerCutAfterSigning(crossing).catch(() => undefined);
    throw new CrossingError('REVERTED', 'nothing moved');
  };
  for (const failing of [refused, reverted]) {
    await expect(withRecordedCrossing(path, deposit, false, failing)).rejects.toThrow(CrossingError);
    await expect(recordCrossing(path, deposit, true)).rejects.toMatchObject({ code: 'NOTHING_TO_RESUME' });
  }
});
