/** A call thread: runs calls, estimates, traces, proofs and simulations on committed state, one at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Hash, ZERO_HASH } from '#consensus/primitives.ts';
import type { ChainSpec } from '#genesis/spec.ts';
import { type CallOutcome, type CallRequest, ChainError } from '#node/chain.ts';
import { createChainCommon } from '#node/execution/chainCommon.ts';
import { loadCryptoLibraries } from '#node/execution/cryptoLibraries.ts';
import { createMachine, type Machine } from '#node/execution/machine.ts';
import { type CallContext, runCall, runEstimate } from '#node/execution/runCall.ts';
import { runSelfTest } from '#node/execution/selfTest.ts';
import { createCodeReader, createTrieReader, type StateReader } from '#node/execution/stateReader.ts';
import { type CallJob, type JobOutcome, JobRefusal, serverRefusal } from '#node/execution/tracing/jobs.ts';
import { performJob } from '#node/execution/tracing/performJob.ts';
import { createTransactionRules } from '#node/execution/transactionChecks.ts';
import { createStoredNodes } from '#node/execution/trieNodes.ts';
import { serveCalls } from '#node/execution/workerProtocol.ts';
import { createChainStore, stateGone } from '#node/storage/chainStore.ts';
import { openDatabase } from '#node/storage/database.ts';

export type CallWorkerOptions = {
  readonly dataDir: string;
  readonly spec: Pick<ChainSpec, 'chainId' | 'feePolicy' | 'blockGasLimit' | 'importGas'>;
};
export type CallArgument = { readonly request: CallRequest; readonly height: bigint };

/** What a client may hear. State that was pruned under a call is its own fault, not this thread's. */
const toOutcome = (error: unknown): CallOutcome => {
  const isPruned = error instanceof ChainError && error.code === 'STATE_PRUNED';
  if (error instanceof ChainError && !isPruned) throw error;
  const message = error instanceof Error ? error.message : String(error);
  return { status: 'error', code: isPruned ? 'STATE_PRUNED' : 'EXECUTION_FAILED', message, gasUsed: 0n };
};

/** geth's, for transactions that were deleted (EIP-4444). */
const HISTORY_GONE = 4444;

const port = parentPort;
if (port === null) throw new Error('callWorker.ts runs as a worker thread');

await serveCalls(port, async () => {
  const { dataDir, spec } = workerData as CallWorkerOptions;
  const database = await openDatabase(dataDir);
  const store = createChainStore(database);
  const nodes = createStoredNodes(store);
  const code = createCodeReader(store);
  const libraries = await loadCryptoLibraries();
  const common = createChainCommon(spec.chainId, libraries.kzg);
  const rules = createTransactionRules(spec, common);
  /** Blocks that exist in a simulation alone; BLOCKHASH of any other height without a block is zero. */
  const simulated = new Map<bigint, Hash>();
  /** A machine remembers hashes for good, so one that was told of such a block is not used again. */
  let isTainted = false;
  const hashAt = (height: bigint): Hash => {
    const pretended = simulated.get(height);
    const committed = pretended === undefined ? store.block(height)?.hash : undefined;
    if (committed === undefined) isTainted = true;
    return pretended ?? committed ?? ZERO_HASH;
  };
  const create = (): Promise<Machine> => createMachine(common, libraries, hashAt);
  let machine = await create();
  const renewMachine = async (): Promise<void> => {
    machine = await create();
    isTainted = false;
  };
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
      const outcome = await execute({ machine, block, reader }, request);
      if (isTainted) await renewMachine();
      return outcome;
    } catch (error) {
      await renewMachine(); // the journal of a machine that threw is in no known state
      return toOutcome(error);
    }
  };
  /** What a client may hear; a fault of this node passes on. */
  const refuse = (error: unknown): JobOutcome => {
    if (error instanceof JobRefusal) {
      const { code: refusalCode, message, data } = error;
      return { status: 'refused', code: refusalCode, message, ...(data === undefined ? {} : { data }) };
    }
    if (error instanceof ChainError && error.code === 'HISTORY_PRUNED')
      return { status: 'refused', code: HISTORY_GONE, message: error.message };
    const outcome = toOutcome(error);
    return refuse(serverRefusal(outcome.status === 'error' ? outcome.message : 'execution failed'));
  };

  const perform = async (job: CallJob): Promise<JobOutcome> => {
    const block = job.height < 0n ? null : store.block(job.height);
    if (block === null) return refuse(serverRefusal('header not found'));
    const readerAt = (height: bigint): StateReader => {
      if (height < store.oldestState()) throw stateGone(height, store.oldestState());
      return createTrieReader(store, nodes, height, code);
    };
    const baseFeePerGas = spec.feePolicy.baseFeeWei;
    const publishHash = (height: bigint, hash: Hash): unknown => simulated.set(height, hash);
    const source = { machine, rules, store, nodes, readerAt, baseFeePerGas, publishHash };
    try {
      const json = await performJob(source, block, job);
      if (isTainted) await renewMachine();
      return { status: 'json', json };
    } catch (error) {
      await renewMachine();
      return refuse(error);
    } finally {
      simulated.clear();
    }
  };
  return {
    perform,
    call: (argument: CallArgument) => run(argument, runCall),
    estimateGas: (argument: CallArgument) => run(argument, runEstimate),
    close: async () => {
      await database.close();
      port.close();
    },
  };
});
