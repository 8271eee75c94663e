import { WorkQueue } from '#node/consensus/workQueue.ts';

const queueOf = (maxLength: number, isRunning = () => true) => {
  const faults: unknown[] = [];
  const queue = new WorkQueue({ maxLength }, { isRunning, onFault: (error) => faults.push(error) });
  return { queue, faults };
};

test('a full queue drops what peers offer, never this node’s own work', async () => {
  const { queue } = queueOf(3);
  const done: string[] = [];
  for (let i = 0; i < 10; i++) queue.offer(() => void done.push(`peer ${i}`));
  for (let i = 0; i < 10; i++) queue.push(() => void done.push(`own ${i}`));
  queue.offer(() => void done.push('too late'));
  await queue.idle();
  expect(done.filter((name) => name.startsWith('peer'))).toEqual(['peer 0', 'peer 1', 'peer 2']);
  expect(done.filter((name) => name.startsWith('own'))).toHaveLength(10);
  expect(done).not.toContain('too late');
  queue.offer(() => void done.push('room again'));
  await queue.idle();
  expect(done.at(-1)).toBe('room again');
});

test('a fault is reported and the work behind it still runs, one at a time and never in the caller', async () => {
  const { queue, faults } = queueOf(10);
  const done: string[] = [];
  queue.push(async () => {
    await Promise.resolve();
    queue.push(() => void done.push('inner'));
    done.push('outer');
  });
  queue.push(() => {
    throw new Error('broken');
  });
  queue.push(() => void done.push('last'));
  expect(done).toEqual([]);
  await queue.idle();
  expect(done).toEqual(['outer', 'last', 'inner']);
  expect(faults).toEqual([new Error('broken')]);
});

test('after the end what waits is discarded and nothing is taken in', async () => {
  let isRunning = true;
  const { queue } = queueOf(10, () => isRunning);
  const done: string[] = [];
  queue.push(() => {
    done.push('first');
    isRunning = false;
  });
  queue.push(() => void done.push('second'));
  await queue.idle();
  queue.push(() => void done.push('third'));
  await queue.idle();
  expect(done).toEqual(['first']);
});
