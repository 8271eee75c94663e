import fc from 'fast-check';
import { runSimulation, Violation } from '#test/unit/consensus/simulation.ts';

/** `CONSENSUS_SEED=n` replays one run; `CONSENSUS_RUNS=n` tries more. */
const REPLAY = process.env.CONSENSUS_SEED;
const RUNS = Number(process.env.CONSENSUS_RUNS ?? 100);

const seedArbitrary = fc.integer({ min: 0, max: 2 ** 31 - 1 });

const runOrExplain = (seed: number): void => {
  try {
    runSimulation(seed);
  } catch (error) {
    throw new Error(
      `seed ${seed} broke an invariant; replay it with CONSENSUS_SEED=${seed} npm test -- test/unit/consensus/simulation.test.ts`,
      { cause: error },
    );
  }
};

test('up to f Byzantine, loss, duplication, reordering, crashes: one value, and a decision once faults end', () => {
  if (REPLAY !== undefined) {
    runOrExplain(Number(REPLAY));
    return;
  }
  fc.assert(fc.property(seedArbitrary, runOrExplain), { numRuns: RUNS, endOnFailure: true });
});

test('the same seed gives the same run', () => {
  for (const seed of [1, 2, 3]) expect(runSimulation(seed)).toEqual(runSimulation(seed));
});

test('the runs do meet what they are for: Byzantine members, crashes, later rounds, evidence', () => {
  const results = Array.from({ length: 12 }, (_, seed) => runSimulation(seed));
  expect(results.some(({ byzantine }) => byzantine > 0)).toBe(true);
  expect(results.some(({ crashes }) => crashes > 1)).toBe(true);
  expect(results.some(({ highestRound }) => highestRound >= 2)).toBe(true);
  expect(results.some(({ evidence }) => evidence > 0)).toBe(true);
});

test('44 · with more than f Byzantine the checker sees a fork', () => {
  let forks = 0;
  for (let seed = 0; seed < 60 && forks === 0; seed++)
    try {
      runSimulation(seed, { tooManyByzantine: true });
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      if (error.message.startsWith('fork')) forks++;
    }
  expect(forks).toBeGreaterThan(0);
});
