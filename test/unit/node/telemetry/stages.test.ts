/** Stage counters: they count what is measured, change nothing, and read as Prometheus text. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import {
  measureAlone,
  measureOften,
  measurePiece,
  measureWait,
  readStages,
  STAGES,
  stageBuffer,
  stageMetrics,
} from '#node/telemetry/stages.ts';

describe('stage counters', () => {
  it('hand on the error of what they measure, and count it all the same', async () => {
    const before = readStages();
    const fail = (): never => {
      throw new Error('as it was');
    };
    expect(() => measureOften('rpc', fail)).toThrow('as it was');
    expect(() => measurePiece('payload', fail)).toThrow('as it was');
    await expect(measureAlone('commit', async () => fail())).rejects.toThrow('as it was');
    await expect(measureWait('wal', async () => fail())).rejects.toThrow('as it was');
    const after = readStages();
    for (const stage of ['rpc', 'payload', 'commit', 'wal'] as const)
      expect(after[stage].count).toBe(before[stage].count + 1);
  });

  it('hand on the result, and touch no other stage', async () => {
    const before = readStages();
    expect(measurePiece('admission', () => 7)).toBe(7);
    expect(await measureAlone('execution', async () => 8)).toBe(8);
    expect(await measureWait('wal', async () => 9)).toBe(9);
    const after = readStages();
    const moved = STAGES.filter((stage) => after[stage].count !== before[stage].count);
    expect(moved).toEqual(['admission', 'wal', 'execution']);
  });

  it('count each call of what is done often, though not each is read', () => {
    const before = readStages().rpc;
    for (let i = 0; i < 64; i++) measureOften('rpc', () => Math.sqrt(i));
    const after = readStages().rpc;
    expect(after.count - before.count).toBe(64);
    expect(after.elapsedMs).toBeGreaterThan(before.elapsedMs);
    expect(after.busyMs).toBeGreaterThanOrEqual(before.busyMs);
  });

  it('count waiting as elapsed and never as busy', async () => {
    const before = readStages().wal;
    await measureWait('wal', () => once(new Worker('', { eval: true }), 'exit'));
    const after = readStages().wal;
    expect(after.elapsedMs).toBeGreaterThan(before.elapsedMs);
    expect(after.busyMs).toBe(before.busyMs);
  });

  it('take in what a worker thread counts', async () => {
    const before = readStages().trie;
    const url = new URL('../../../../node/telemetry/stages.ts', import.meta.url).href;
    const worker = new Worker(
      `import(${JSON.stringify(url)}).then(({ countStagesIn, measurePiece }) => {
        countStagesIn(require('node:worker_threads').workerData);
        for (let i = 0; i < 3; i++) measurePiece('trie', () => {});
      });`,
      { eval: true, workerData: stageBuffer() },
    );
    await once(worker, 'exit');
    expect(readStages().trie.count).toBe(before.count + 3);
  });

  it('read as Prometheus text with three counters for each stage', () => {
    measurePiece('gossip', () => undefined);
    const text = stageMetrics();
    const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(samples).toHaveLength(3 * STAGES.length);
    for (const sample of samples)
      expect(sample).toMatch(/^causeway_stage_\w+\{stage="\w+"\} \d+(\.\d+)?(e-\d+)?$/);
    expect(text).toContain('# TYPE causeway_stage_busy_seconds_total counter');
    expect(text.endsWith('\n')).toBe(true);
  });
});
