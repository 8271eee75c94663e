/** eth_getLogs over many blocks, straight from the database: a header for each block, receipts where the bloom allows. */
import { type CallJob, JobRefusal } from '#node/execution/tracing/jobs.ts';
import { RpcError } from '#node/rpc/errors.ts';
import { findLogs } from '#node/rpc/logScan.ts';
import type { ChainStore } from '#node/storage/chainStore.ts';
import { historyGone } from '#node/storage/codec.ts';
import { blockKey } from '#node/storage/schema.ts';
import { headerOfStoredBlock } from '#node/storage/storedHeader.ts';

/** @throws JobRefusal, ChainError HISTORY_PRUNED */
export const readLogs = async (
  store: ChainStore,
  { height: from, toHeight, criteria, bounds }: Extract<CallJob, { kind: 'logs' }>,
): Promise<string> => {
  const source = {
    header: (height: bigint) => {
      const stored = store.get(blockKey(height));
      return stored === null ? null : headerOfStoredBlock(stored);
    },
    block: (height: bigint) => store.block(height),
    receipts: (height: bigint) => {
      const receipts = store.receipts(height);
      if (receipts === null && height < store.oldestHistory()) throw historyGone(height, 'receipts');
      return receipts;
    },
  };
  try {
    return JSON.stringify(await findLogs(source, criteria, from, toHeight, bounds));
  } catch (error) {
    if (error instanceof RpcError) throw new JobRefusal(error.code, error.message);
    throw error;
  }
};
