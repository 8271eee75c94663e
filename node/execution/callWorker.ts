/** A call thread: runs calls and estimates on committed state, one at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import { type CallOutcome, type CallRequest, ChainError } from '#node/chain.ts';
import { createChainCommon } from '#node/execution/chainCommon.ts';
import { loadCryptoLibraries } from '#node/execution/cryptoLibraries.ts';
import { createMachine, type Machine } from '#node/execution/machine.ts';
import { type CallContext, runCall, runEstimate } from '#node/execution/runCall.ts';
import { runSelfTest } from '#node/execution/selfTest.ts';
import { createCodeReader, createTrieReader } from '#node/execution/stateReader.ts';
import { createStoredNodes } from '#node/execution/trieNodes.ts';
import { serveCalls } from '#node/execution/workerProtocol.ts';
import { createChainStore, stateGone } from '#node/storage/chainStore.ts';
import { openDatabase } from '#node/storage/database.ts';

export type CallWorkerOptions = { readonly dataDir: string; readonly chainId: bigint };
export type CallArgument = { readonly request: CallRequest; readonly height: bigint };

/** What a client may hear. State that was pruned under a call is its own fault, not this thread's. */
const toOutcome = (error: unknown): CallOutcome => {
  const isPruned = error instanceof ChainError && error.code === 'STATE_PRUNED';
  if (error instanceof ChainError && !isPruned) throw error;
  const message = error instanceof Error ? error.message : String(error);
  return { status: 'error', code: isPruned ? 'STATE_PRUNED' : 'EXECUTION_FAILED', message, gasUsed: 0n };
};

const port = parentPort;
if (port === null) throw new Error('callWorker.ts runs as a worker thread');

await serveCalls(port, async () => {
  const { dataDir, chainId } = workerData as CallWorkerOptions;
  const database = await openDatabase(dataDir);
  const store = createChainStore(database);
  const nodes = createStoredNodes(store);
  const code = createCodeReader(store);
  const libraries = await loadCryptoLibraries();
  const common = createChainCommon(chainId, libraries.kzg);
  const create = (): Promise<Machine> =>
    createMachine(common, libraries, (height) => store.block(height)?.hash ?? null);
  let machine = await create();
  await runSelfTest(machine);

  const run = async (
    { request, height }: CallArgument,
    execute: (context: CallContext, request: CallRequest) => Promise<CallOutcome>,
  ): Promise<CallOutcome> => {
    const block = height < 0n ? null : store.block(height);
    if (block === null)
      return { status: 'error', code: 'UNKNOWN_BLOCK', message: `header not found: ${height}`, gasUsed: 0n };
    if (height < store.oldestState()) return toOutcome(stateGone(height, store.oldestState()));
    try {
      const reader = createTrieReader(store, nodes, height, code);
      return await execute({ machine, block, reader }, request);
    } catch (error) {
      machine = await create(); // the journal of a machine that threw is in no known state
      return toOutcome(error);
    }
  };
  return {
    call: (argument: CallArgument) => run(argument, runCall),
    estimateGas: (argument: CallArgument) => run(argument, runEstimate),
    close: async () => {
      await database.close();
      port.close();
    },
  };
});
