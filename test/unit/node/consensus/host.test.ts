import { keptRounds } from '#consensus/heightState.ts';
import { Cluster } from './cluster.ts';
import { seededRandom } from './virtualClock.ts';

const announced = (fallback: number): number => {
  const seed = Number(process.env.SEED ?? fallback);
  process.stdout.write(
    `seed ${seed}; replay: SEED=${seed} node_modules/.bin/node --experimental-vm-modules node_modules/.bin/jest test/unit/node/consensus/host.test.ts\n`,
  );
  return seed;
};

void keptRounds;

test('four validators lose a third of their messages and one its power, and commit one block per height', async () => {
  const seed = announced(7);
  const random = seededRandom(seed);
  const cluster = new Cluster({ seed, network: { loss: 0.3, maxLatencyMs: 80 } });
  await cluster.startAll();
  const victim = cluster.members[1]!;
  expect(await cluster.until(4n, 120_000)).toBe(true);
  await cluster.clock.advance(Math.floor(random() * 400));
  cluster.crash(victim, random());
  expect(
    await cluster.until(
      9n,
      240_000,
      cluster.members.filter((member) => member !== victim),
    ),
  ).toBe(true);
  await cluster.start(victim);
  expect(await cluster.until(16n, 240_000)).toBe(true);
  expect(cluster.forks()).toEqual([]);
  expect(cluster.members.flatMap((member) => member.halts)).toEqual([]);
  expect(cluster.hub.faults).toEqual([]);
  await cluster.stopAll();
});
