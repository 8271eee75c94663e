/** The execution thread: a BlockExecutor behind messages. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Hash } from '#consensus/primitives.ts';
import type { CommitCertificate, Payload } from '#consensus/types.ts';
import { BlockExecutor, type ExecutorOptions } from '#node/execution/blockExecutor.ts';
import { type PackedKeys, unpackPublicKeys } from '#node/execution/publicKeys.ts';
import { serveCalls } from '#node/execution/workerProtocol.ts';
import type { CertifiedBlock } from '#node/storage/records.ts';
import { countStagesIn, measureAlone } from '#node/telemetry/stages.ts';

export type DeriveArgument = { readonly payload: Payload; readonly publicKeys: PackedKeys | null };
/** `stages`: where this thread counts what it does. */
export type WorkerOptions = ExecutorOptions & { readonly stages: SharedArrayBuffer };
export type CommitArgument = { readonly valueId: Hash; readonly certificate: CommitCertificate };

const port = parentPort;
if (port === null) throw new Error('executionWorker.ts runs as a worker thread');

countStagesIn((workerData as WorkerOptions).stages);
await serveCalls(port, async () => {
  const executor = await BlockExecutor.open(workerData as ExecutorOptions);
  return {
    derive: ({ payload, publicKeys }: DeriveArgument) =>
      measureAlone('execution', () => executor.derive(payload, unpackPublicKeys(publicKeys))),
    commit: ({ valueId, certificate }: CommitArgument) =>
      measureAlone('commit', () => executor.commit(valueId, certificate)),
    importBlock: (block: CertifiedBlock) => executor.importBlock(block),
    keepStateFrom: (height: bigint) => executor.keepStateFrom(height),
    close: async () => {
      await executor.close();
      port.close();
    },
  };
});
