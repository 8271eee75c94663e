/** The benchmark's arithmetic: what is reported follows from what was seen, and nothing is made up. */
import fc from 'fast-check';
import {
  median,
  percentile,
  recoverBound,
  summarise,
  throughputBetween,
} from '#test/perf/bench/arithmetic.ts';
import { compareFigures, type Figure } from '#test/perf/bench/compare.ts';
import { findPeak, keptUp } from '#test/perf/bench/findPeak.ts';
import type { PhaseResult } from '#test/perf/bench/measurePhase.ts';
import { parseOptions, UsageError } from '#test/perf/bench/options.ts';
import { barsToSvg } from '#test/perf/bench/plot.ts';
import { parseMachineBusy, parseStat } from '#test/perf/bench/procStats.ts';
import { addedSince, parseStageMetrics } from '#test/perf/bench/stageSample.ts';
import { mixed } from '#test/perf/bench/workloads.ts';

describe('percentiles', () => {
  it('of nothing are no number', () => {
    expect(percentile([], 0.5)).toBeNaN();
    expect(median([])).toBeNaN();
    expect(summarise([])).toEqual({ p50: Number.NaN, p95: Number.NaN, p99: Number.NaN, count: 0 });
  });

  it('are values that were seen, in the order of numbers and not of texts', () => {
    const values = [9, 10, 100, 2, 1];
    expect(percentile(values, 0)).toBe(1);
    expect(percentile(values, 0.5)).toBe(9);
    expect(percentile(values, 0.8)).toBe(10);
    expect(percentile(values, 0.81)).toBe(100);
    expect(percentile(values, 1)).toBe(100);
    expect(values).toEqual([9, 10, 100, 2, 1]);
  });

  it('leave at least their share of the values at or below them, and less than it strictly below', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1 }),
        fc.constantFrom(0.5, 0.95, 0.99),
        (values, share) => {
          const found = percentile(values, share);
          expect(values.filter((value) => value <= found).length).toBeGreaterThanOrEqual(
            share * values.length,
          );
          expect(values.filter((value) => value < found).length).toBeLessThan(share * values.length);
        },
      ),
    );
  });

  it('meet in the middle for the median of an even number', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([4, 1, 3])).toBe(3);
  });
});

describe('the bound', () => {
  it('is the cores over four recoveries', () => {
    expect(recoverBound(2, 57e-6)).toBeCloseTo(8_772, 0);
    expect(recoverBound(8, 50e-6)).toBe(40_000);
  });
});

describe('throughput', () => {
  const block = (height: number, seenMs: number, transactions: number) => ({
    height,
    seenMs,
    transactions,
    gasUsed: 21_000 * transactions,
  });

  it('is not told of a window without a block before it or in it', () => {
    expect(throughputBetween([], 0, 1_000)).toBeNull();
    expect(throughputBetween([block(1, 500, 9)], 0, 1_000)).toBeNull();
    expect(throughputBetween([block(1, -5, 9), block(2, 1_500, 9)], 0, 1_000)).toBeNull();
  });

  it('counts what came after the last block before the window, over the time since that block', () => {
    const blocks = [
      block(3, 1_000, 30),
      block(1, -500, 1_000),
      block(2, 0, 500),
      block(4, 2_000, 50),
      block(5, 3_000, 7),
    ];
    expect(throughputBetween(blocks, 100, 2_500)).toEqual({
      transactions: 80,
      tps: 40,
      gasPerSecond: 840_000,
      blocks: 2,
      intervalMs: { p50: 1_000, p95: 1_000, p99: 1_000, count: 2 },
    });
  });
});

describe('the search for the peak', () => {
  const resultAt = (offeredTps: number, tps: number, refused = 0): PhaseResult =>
    ({ offeredTps, tps, refused: { full: refused }, transactions: 1_000 }) as unknown as PhaseResult;

  it('does not take refusals for keeping up', () => {
    expect(keptUp(resultAt(100, 100))).toBe(true);
    expect(keptUp(resultAt(100, 100, 11))).toBe(false);
    expect(keptUp(resultAt(100, 92))).toBe(false);
  });

  it('says so when the chain did not keep up with anything', async () => {
    const peak = await findPeak(100, 2, async (tps) => resultAt(tps, 10));
    expect(peak.sustainedTps).toBeNull();
    expect(peak.mostTps).toBe(10);
  });

  it('finds a capacity to within half a step, and ends for any', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 100, max: 5_000 }), async (capacity) => {
        const peak = await findPeak(100, 1.25, async (tps) => resultAt(tps, Math.min(tps, capacity)));
        expect(peak.steps.length).toBeLessThanOrEqual(17);
        if (capacity < 3_000) {
          expect(peak.sustainedTps!).toBeLessThanOrEqual(capacity / 0.93);
          expect(peak.sustainedTps!).toBeGreaterThanOrEqual(capacity / 1.15);
        }
      }),
    );
  });
});

describe('the comparison', () => {
  const figure = (name: string, value: number, better: Figure['better']): Figure => ({ name, value, better });

  it('calls fewer transactions and more milliseconds slower, and the reverse faster', () => {
    const changes = compareFigures(
      [figure('tps', 100, 'higher'), figure('ms', 100, 'lower'), figure('rate', 50, 'higher')],
      [figure('tps', 80, 'higher'), figure('ms', 130, 'lower'), figure('rate', 60, 'higher')],
    );
    expect(changes.map(({ verdict }) => verdict)).toEqual(['slower', 'slower', 'faster']);
  });

  it('calls what is within the tolerance the same', () => {
    const changes = compareFigures([figure('tps', 100, 'higher')], [figure('tps', 91, 'higher')]);
    expect(changes[0]!.verdict).toBe('same');
  });

  it('says nothing of figures that one of the two does not have', () => {
    const old = [figure('gone', 1, 'higher'), figure('odd', Number.NaN, 'lower')];
    expect(compareFigures(old, [figure('new', 1, 'higher'), figure('odd', 2, 'lower')])).toEqual([]);
  });
});

describe('what the kernel and the nodes say', () => {
  it('is read right for a thread whose name has brackets and spaces', () => {
    const stat = '77 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 120 30 0 0 20 0 1 0 5 6 7';
    expect(parseStat(stat)).toEqual({ name: 'a (b) c', ticks: 150 });
  });

  it('leaves idle time and waiting for disks out of what the machine did', () => {
    const busy = parseMachineBusy('cpu  10 1 5 9999 8888 2 3 4 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n');
    expect(busy % 25).toBe(0);
    expect(busy).toBeLessThan(2_600);
  });

  it('gives the difference of two readings of /metrics', () => {
    const text = (count: number) =>
      `# TYPE x counter\ncauseway_stage_total{stage="trie"} ${count}\ncauseway_stage_busy_seconds_total{stage="trie"} ${count / 10}\nother{stage="trie"} 5\n`;
    const { trie, rpc } = addedSince(parseStageMetrics(text(2)), parseStageMetrics(text(5)));
    expect(trie).toEqual({ count: 3, busyMs: 300, elapsedMs: 0 });
    expect(rpc).toEqual({ count: 0, busyMs: 0, elapsedMs: 0 });
  });
});

describe('the options', () => {
  it('refuse what they do not know, saying what they expected', () => {
    expect(() => parseOptions(['--workload', 'nonsense'])).toThrow(UsageError);
    expect(() => parseOptions(['--workload', 'nonsense'])).toThrow('transfer, erc20');
    expect(() => parseOptions(['--seconds', '0'])).toThrow('--seconds');
    expect(() => parseOptions(['--fast'])).toThrow('--fast');
  });

  it('steady for 30 s after a warm-up, unless told', () => {
    expect(parseOptions([])).toMatchObject({ steadyMs: 30_000, accounts: 10_000, transport: 'ws' });
    expect(parseOptions(['--state', '1M', '--seconds', '60'])).toMatchObject({
      steadyMs: 60_000,
      accounts: 1_000_000,
    });
  });
});

describe('the mix and the plot', () => {
  it('has its shares in every hundred', () => {
    const counts: Record<string, number> = {};
    for (let index = 0; index < 100; index++) counts[mixed(index)] = (counts[mixed(index)] ?? 0) + 1;
    expect(counts).toEqual({ transfer: 60, erc20: 30, storage: 5, compute: 5 });
  });

  it('is well-formed whatever the labels are', () => {
    const svg = barsToSvg('a < b', [{ label: '"x" & y', value: 1, note: '1' }], { label: 'bound', value: 4 });
    expect(svg).toContain('a &lt; b');
    expect(svg).toContain('&quot;x&quot; &amp; y');
    expect(svg.match(/<rect /g)).toHaveLength(2);
  });
});
