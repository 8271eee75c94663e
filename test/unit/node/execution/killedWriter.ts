/**
 * Process to be killed: commits block after block in the folder given, saying each height when it is durable. With
 * `pruned` as the third argument it deletes behind a window of two heights meanwhile.
 */
import { BlockExecutor } from '#node/execution/blockExecutor.ts';
import { COUNTER, deploying } from '#test/unit/node/execution/contracts.ts';
import {
  exampleGenesis,
  FEE_RECIPIENT,
  requireValid,
  sealValue,
  signTransaction,
  USERS,
} from '#test/unit/node/execution/exampleChain.ts';

const genesis = await exampleGenesis();
const isPruned = process.argv[4] === 'pruned';
const executor = await BlockExecutor.open({
  dataDir: process.argv[2]!,
  genesis,
  storage: isPruned
    ? { mode: 'pruned', window: { stateBlocks: 2n, historyBlocks: 2n } }
    : { mode: 'archive' },
});
const [alice, bob] = USERS;
let nonce = Number(process.argv[3]);
for (;;) {
  const { block } = executor.head();
  if (isPruned) await executor.keepStateFrom(block.height);
  const transactions = [
    await signTransaction(alice!, { nonce, data: deploying(COUNTER) }),
    await signTransaction(alice!, { nonce: nonce + 1, to: bob!.address, value: 1n }),
  ];
  nonce += 2;
  const payload = {
    parentHash: block.hash,
    timestamp: block.timestamp + 1n,
    feeRecipient: FEE_RECIPIENT,
    transactions,
  };
  const { valueId, checkpoint } = requireValid(await executor.derive(payload));
  await executor.commit(valueId, sealValue(genesis, checkpoint.height, valueId));
  process.stdout.write(`${checkpoint.height}\n`);
}
