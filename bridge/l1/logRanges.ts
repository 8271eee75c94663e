/**
 * Reading logs in bounded ranges of blocks, narrower when the endpoint finds a range too much.
 *
 * Does not judge what it reads: an endpoint may hide or invent logs; callers compare with the contracts' state.
 */
export type LogRangeOptions = {
  readonly fromBlock: bigint;
  readonly toBlock: bigint;
  /** The widest range to ask for. */
  readonly maxBlocks: bigint;
};

/** What providers answer when a range holds too much for one response. */
const TOO_MUCH = /range|too many|limit exceeded|more than \d+|response size|too large|query timeout/i;

/** Providers say "429 Too Many Requests": that is pace, not width. */
const isTooMuch = (fault: unknown): boolean => {
  const { message, details, status } = fault as { message?: string; details?: string; status?: number };
  const text = `${message ?? ''} ${details ?? ''}`;
  return status !== 429 && !/\b429\b|too many requests|rate limit/i.test(text) && TOO_MUCH.test(text);
};

/**
 * Yields the logs of each range in order; a refused range is asked for again in halves.
 * @throws what `read` throws, when it is not about width or the range is one block already
 */
export async function* readLogRanges<Log>(
  { fromBlock, toBlock, maxBlocks }: LogRangeOptions,
  read: (fromBlock: bigint, toBlock: bigint) => Promise<readonly Log[]>,
): AsyncGenerator<{ readonly throughBlock: bigint; readonly logs: readonly Log[] }> {
  let width = maxBlocks;
  let next = fromBlock;
  while (next <= toBlock) {
    const last = next + width - 1n < toBlock ? next + width - 1n : toBlock;
    let logs: readonly Log[];
    try {
      logs = await read(next, last);
    } catch (fault) {
      if (last === next || !isTooMuch(fault)) throw fault;
      width = (last - next + 1n) / 2n;
      continue;
    }
    yield { throughBlock: last, logs };
    next = last + 1n;
    if (width < maxBlocks) width = width * 2n < maxBlocks ? width * 2n : maxBlocks;
  }
}
