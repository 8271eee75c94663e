/** A chain that grows by blocks with work in them, in a folder of either mode. */

import type { Genesis } from '#genesis/spec.ts';
import { BlockExecutor } from '#node/execution/blockExecutor.ts';
import type { StorageOptions } from '#node/storage/mode.ts';
import { COUNTER, deploying } from '#test/unit/node/execution/contracts.ts';
import {
  FEE_RECIPIENT,
  requireValid,
  sealValue,
  signTransaction,
  USERS,
} from '#test/unit/node/execution/exampleChain.ts';

export const SMALL_WINDOW = { stateBlocks: 4n, historyBlocks: 6n };
export const PRUNED: StorageOptions = { mode: 'pruned', window: SMALL_WINDOW };

export type GrowOptions = {
  readonly genesis: Genesis;
  readonly dataDir: string;
  readonly storage: StorageOptions;
  readonly blocks: number;
  /** What the L1 needs, as the node would say it before each block; null: it is not known. */
  readonly neededFrom: ((head: bigint) => bigint) | null;
};

/** Each block deploys a counter and sends 1 wei; pruning that a commit started is over when the next one begins. */
export const growChain = async ({
  genesis,
  dataDir,
  storage,
  blocks,
  neededFrom,
}: GrowOptions): Promise<void> => {
  const executor = await BlockExecutor.open({ dataDir, genesis, storage });
  const [alice, bob] = USERS;
  try {
    for (let i = 0; i < blocks; i++) {
      const { block } = executor.head();
      if (neededFrom !== null) await executor.keepStateFrom(neededFrom(block.height));
      const nonce = 2 * Number(block.height);
      const payload = {
        parentHash: block.hash,
        timestamp: block.timestamp + 1n,
        feeRecipient: FEE_RECIPIENT,
        transactions: [
          await signTransaction(alice!, { nonce, data: deploying(COUNTER) }),
          await signTransaction(alice!, { nonce: nonce + 1, to: bob!.address, value: 1n }),
        ],
      };
      const { valueId, checkpoint } = requireValid(await executor.derive(payload));
      await executor.commit(valueId, sealValue(genesis, checkpoint.height, valueId));
      await executor.pruned();
    }
  } finally {
    await executor.close();
  }
};
