/**
 * Makes the devnet's L1 blocks, each only after its parent's snapshot is durable.
 *
 * Invariant: block n + 1 is mined after the snapshot of block n was synced to disk. anvil calls latest − 2 final, so
 * whatever anybody ever saw as final is in a durable snapshot, whatever is killed and when.
 *
 * One block a second while there are transactions and until they are final; one in ten seconds when idle, because
 * every block costs a snapshot of the whole chain.
 */
import type { L1Store } from '#cli/devnet/l1Store.ts';
import { rpcRequest } from '#cli/devnet/rpc.ts';

const BLOCK_TIME_MS = 1_000;
const IDLE_BLOCK_TIME_MS = 10_000;
const LOOK_EVERY_MS = 200;
/** Enough for the last transaction to become final, and one more. */
const BLOCKS_AFTER_WORK = 4;
/** Early snapshots keep past states: a node at height 0 proves the contracts' storage at their block (RULES 33). */
const HISTORY_UNTIL_BLOCK = 64n;

export type Miner = {
  /** Mines one block and makes it durable. */
  mine(): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
};

type PoolStatus = { readonly pending: string };

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const createMiner = (url: string, store: L1Store): Miner => {
  let minedAt = 0;
  let afterWork = 0;

  const persist = async (): Promise<void> => {
    const blockNumber = BigInt(await rpcRequest<string>(url, 'eth_blockNumber'));
    const dump = await rpcRequest<string>(
      url,
      'anvil_dumpState',
      [blockNumber <= HISTORY_UNTIL_BLOCK],
      60_000,
    );
    await store.save(blockNumber, dump);
  };

  const mine = async (): Promise<void> => {
    minedAt = performance.now();
    await rpcRequest(url, 'evm_mine');
    await persist();
  };

  const mineIfDue = async (): Promise<void> => {
    const age = performance.now() - minedAt;
    if (age < BLOCK_TIME_MS) return;
    const { pending } = await rpcRequest<PoolStatus>(url, 'txpool_status');
    if (BigInt(pending) > 0n) afterWork = BLOCKS_AFTER_WORK + 1;
    if (afterWork === 0 && age < IDLE_BLOCK_TIME_MS) return;
    afterWork = Math.max(0, afterWork - 1);
    await mine();
  };

  return {
    mine,
    run: async (signal) => {
      await persist();
      while (!signal.aborted) {
        await mineIfDue();
        await pause(LOOK_EVERY_MS);
      }
    },
  };
};
