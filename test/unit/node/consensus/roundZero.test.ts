import { RoundZero } from '#node/consensus/roundZero.ts';
import { VirtualClock } from '#test/sim/cluster/virtualClock.ts';

const setUp = () => {
  const clock = new VirtualClock(10_000);
  const started: number[] = [];
  const work = { waiting: false };
  const roundZero = new RoundZero(
    { blockIntervalMs: 500, emptyBlockIntervalMs: 2_000 },
    clock,
    () => work.waiting,
    () => started.push(clock.nowMs()),
  );
  return { clock, started, work, roundZero };
};

test('without work round 0 starts when the empty-block interval has passed, once (RULES 17)', async () => {
  const { clock, started, roundZero } = setUp();
  roundZero.arm(10_000);
  await clock.advance(1_999);
  expect(started).toEqual([]);
  await clock.advance(10_000);
  expect(started).toEqual([12_000]);
});

test('work that waits starts it when the block interval has passed, not before (RULES 17)', async () => {
  const { clock, started, work, roundZero } = setUp();
  roundZero.arm(10_000);
  await clock.advance(100);
  work.waiting = true;
  roundZero.check();
  expect(started).toEqual([]);
  await clock.advance(1_000);
  expect(started).toEqual([10_500]);
});

test('work that comes after the block interval starts it at once', async () => {
  const { clock, started, work, roundZero } = setUp();
  roundZero.arm(10_000);
  await clock.advance(700);
  work.waiting = true;
  roundZero.check();
  expect(started).toEqual([10_700]);
});

test('a message of the height starts it when half the block interval has passed, not before, and once', async () => {
  const { clock, started, roundZero } = setUp();
  roundZero.arm(10_000);
  await clock.advance(10);
  for (let count = 0; count < 3; count++) roundZero.noteMessage();
  await clock.advance(239);
  expect(started).toEqual([]);
  await clock.advance(10_000);
  expect(started).toEqual([10_250]);
  // The next height waits for a message of its own.
  roundZero.arm(clock.nowMs());
  await clock.advance(1_999);
  expect(started).toHaveLength(1);
});

test('a message that comes later than that starts it at once', async () => {
  const { clock, started, roundZero } = setUp();
  roundZero.arm(10_000);
  await clock.advance(300);
  roundZero.noteMessage();
  expect(started).toEqual([10_300]);
});

test('nothing starts once disarmed', async () => {
  const { clock, started, roundZero } = setUp();
  roundZero.arm(10_000);
  roundZero.disarm();
  roundZero.check();
  await clock.advance(10_000);
  expect(started).toEqual([]);
});
