import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordCrossing, withRecordedCrossing } from '#cli/bridge/session.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-session-'));
  path = join(folder, 'crossings');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const deposit = { kind: 'deposit' as const, details: { amountWei: '1', recipient: '0xaa' } };

test('an unfinished crossing is never overtaken: a second one is refused, naming the first', async () => {
  await expect(
    withRecordedCrossing(path, deposit, false, async () => {
      throw new Error('power cut');
    }),
  ).rejects.toThrow('power cut');
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
  await withRecordedCrossing(path, deposit, false, async ({ id }) => {
    firstId = id;
    throw new Error('power cut');
  }).catch(() => undefined);
  const other = { kind: 'deposit' as const, details: { amountWei: '999', recipient: '0xbb' } };
  const resumed = await withRecordedCrossing(path, other, true, async ({ id, details }) => ({ id, details }));
  expect(resumed).toEqual({ id: firstId, details: deposit.details });
  await expect(recordCrossing(path, deposit, true)).rejects.toMatchObject({ code: 'NOTHING_TO_RESUME' });
  await withRecordedCrossing(path, other, false, async ({ details }) => {
    expect(details).toEqual(other.details);
  });
});
