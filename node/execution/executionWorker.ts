/** The execution thread: a BlockExecutor behind messages. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Hash } from '#consensus/primitives.ts';
import type { CommitCertificate, Payload } from '#consensus/types.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import {
  BlockExecutor,
  type Committed,
  type EncodedHeight,
  type ExecutorOptions,
} from '#node/execution/blockExecutor.ts';
import { type PackedKeys, unpackPublicKeys } from '#node/execution/publicKeys.ts';
import { serveCalls } from '#node/execution/workerProtocol.ts';
import type { CertifiedBlock } from '#node/storage/records.ts';
import { countStagesIn, measureAlone } from '#node/telemetry/stages.ts';

/** The transactions of a payload one after another, and where each ends: a message of many small arrays is dear. */
export type PackedPayload = Omit<Payload, 'transactions'> & {
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
};
export type DeriveArgument = { readonly payload: PackedPayload; readonly publicKeys: PackedKeys | null };
/** What a commit made visible, as bytes. */
export type CommitAnswer = EncodedHeight & { readonly nextValidators: ValidatorSet };
/** `stages`: where this thread counts what it does. */
export type WorkerOptions = ExecutorOptions & { readonly stages: SharedArrayBuffer };
export type CommitArgument = { readonly valueId: Hash; readonly certificate: CommitCertificate };

const unpackPayload = ({ bytes, ends, ...payload }: PackedPayload): Payload => ({
  ...payload,
  transactions: Array.from(ends, (end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1]!, end)),
});

const toAnswer = ({ encoded, nextValidators }: Committed): CommitAnswer => ({ ...encoded, nextValidators });

const port = parentPort;
if (port === null) throw new Error('executionWorker.ts runs as a worker thread');

countStagesIn((workerData as WorkerOptions).stages);
await serveCalls(port, async () => {
  const executor = await BlockExecutor.open(workerData as ExecutorOptions);
  return {
    derive: ({ payload, publicKeys }: DeriveArgument) =>
      measureAlone('execution', () => executor.derive(unpackPayload(payload), unpackPublicKeys(publicKeys))),
    commit: ({ valueId, certificate }: CommitArgument) =>
      measureAlone('commit', async () => toAnswer(await executor.commit(valueId, certificate))),
    importBlock: async (block: CertifiedBlock) => toAnswer(await executor.importBlock(block)),
    keepStateFrom: (height: bigint) => executor.keepStateFrom(height),
    close: async () => {
      await executor.close();
      port.close();
    },
  };
});
