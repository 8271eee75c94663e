/**
 * One sender's transactions by nonce, and which of them could go into the next block.
 *
 * Invariant: the executable ones start at the account's nonce, have no gap, and together cost no more than the
 * account's balance; at most one for an account with a 7702 delegation, whose balance others can move (RULES 17).
 */
import { type DecodedTransaction, maxCostWei, type SenderState } from '#node/execution/transactionChecks.ts';

export type Entry = {
  readonly transaction: DecodedTransaction;
  readonly local: boolean;
  /** Arrival order; earlier wins among equal tips. */
  readonly sequence: number;
  readonly arrivedMs: number;
};

export type SenderQueue = {
  state: SenderState;
  /** Ascending by nonce. */
  readonly entries: Entry[];
};

export const createSenderQueue = (state: SenderState): SenderQueue => ({ state, entries: [] });

export const entryAt = (queue: SenderQueue, nonce: bigint): Entry | null =>
  queue.entries.find(({ transaction }) => transaction.nonce === nonce) ?? null;

export const insertEntry = (queue: SenderQueue, entry: Entry): void => {
  const { nonce } = entry.transaction;
  const at = queue.entries.findIndex(({ transaction }) => transaction.nonce >= nonce);
  if (at < 0) queue.entries.push(entry);
  else queue.entries.splice(at, queue.entries[at]!.transaction.nonce === nonce ? 1 : 0, entry);
};

export const removeEntry = (queue: SenderQueue, entry: Entry): void => {
  const at = queue.entries.indexOf(entry);
  if (at >= 0) queue.entries.splice(at, 1);
};

/** How many entries, from the first on, are executable. */
export const executableCount = (queue: SenderQueue, maxExecutable: number): number => {
  const { state, entries } = queue;
  if (state.code === 'contract') return 0;
  const most = state.code === 'delegation' ? 1 : maxExecutable;
  let cost = 0n;
  let count = 0;
  for (const { transaction } of entries) {
    cost += maxCostWei(transaction);
    if (count === most || transaction.nonce !== state.nonce + BigInt(count) || cost > state.balance) break;
    count++;
  }
  return count;
};

/** What the transactions up to this nonce cost, the one at the nonce itself left out. */
export const costBefore = (queue: SenderQueue, nonce: bigint): bigint =>
  queue.entries.reduce(
    (sum, { transaction }) => (transaction.nonce < nonce ? sum + maxCostWei(transaction) : sum),
    0n,
  );
