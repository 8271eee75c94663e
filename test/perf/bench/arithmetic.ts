/** The figures' arithmetic: percentiles, the bound of signatures, throughput between blocks. Pure. */

/** The smallest value that at least this share of the values does not exceed; NaN of nothing. */
export const percentile = (values: readonly number[], share: number): number => {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
};

export const median = (values: readonly number[]): number => {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

export type Summary = {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly count: number;
};

export const summarise = (values: readonly number[]): Summary => ({
  p50: percentile(values, 0.5),
  p95: percentile(values, 0.95),
  p99: percentile(values, 0.99),
  count: values.length,
});

/** Transactions a second that no four nodes on these cores can exceed: each recovers each signature once. */
export const recoverBound = (cores: number, secondsPerRecover: number, nodes = 4): number =>
  cores / (nodes * secondsPerRecover);

export type SeenBlock = {
  readonly height: number;
  readonly seenMs: number;
  readonly transactions: number;
  readonly gasUsed: number;
};

export type Throughput = {
  readonly transactions: number;
  readonly tps: number;
  readonly gasPerSecond: number;
  readonly blocks: number;
  readonly intervalMs: Summary;
};

/**
 * From block to block: what came after the last block before the window up to the last one in it, over the time
 * between these two. A window with fewer than one block on each side has no throughput.
 */
export const throughputBetween = (
  blocks: readonly SeenBlock[],
  fromMs: number,
  toMs: number,
): Throughput | null => {
  const seen = [...blocks].sort((a, b) => a.height - b.height);
  const first = seen.findLastIndex(({ seenMs }) => seenMs <= fromMs);
  const last = seen.findLastIndex(({ seenMs }) => seenMs <= toMs);
  if (first < 0 || last <= first) return null;
  const inside = seen.slice(first + 1, last + 1);
  const seconds = (seen[last]!.seenMs - seen[first]!.seenMs) / 1_000;
  const transactions = inside.reduce((sum, block) => sum + block.transactions, 0);
  const gas = inside.reduce((sum, { gasUsed }) => sum + gasUsed, 0);
  return {
    transactions,
    tps: transactions / seconds,
    gasPerSecond: gas / seconds,
    blocks: inside.length,
    intervalMs: summarise(inside.map(({ seenMs }, i) => seenMs - seen[first + i]!.seenMs)),
  };
};
