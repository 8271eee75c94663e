/** Samples of a processor profile fall to the stage of the nearest caller that has one. */
import { type CpuProfile, profileByStage } from '#test/perf/bench/cpuProfile.ts';

const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 6 });
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 6] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('add', 'file:///x/node/mempool/pool.ts'), children: [4] },
    { id: 4, callFrame: frame('decode', 'file:///x/node_modules/@ethereumjs/rlp/index.js'), children: [5] },
    { id: 5, callFrame: frame('ecdsaRecover') },
    { id: 6, callFrame: frame('tick', 'node:internal/timers') },
  ],
  startTime: 1_000_000,
  samples: [5, 5, 2, 6, 3],
  timeDeltas: [1_000, 1_000, 2_000, 1_000, 1_000],
};

describe('a processor profile', () => {
  it('gives native code and libraries to whoever called them', () => {
    const { stages, totalMs } = profileByStage(profile, 0, Number.POSITIVE_INFINITY);
    expect(stages).toEqual({ admission: 3, idle: 2, other: 1 });
    expect(totalMs).toBe(6);
  });

  it('counts only what was sampled in the window', () => {
    const { stages } = profileByStage(profile, 1_001_500, 1_004_500);
    expect(stages).toEqual({ admission: 1, idle: 2 });
  });

  it('names functions by their own time, without where the repository is', () => {
    const { functions } = profileByStage(profile, 0, Number.POSITIVE_INFINITY);
    expect(functions.map(({ name }) => name)).toContain('add node/mempool/pool.ts:7');
    expect(functions[0]!.selfMs).toBe(2);
  });
});
