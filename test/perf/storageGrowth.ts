/**
 * What pruning saves and costs: the same blocks into an archive and a pruned folder, height by height, in one process.
 *
 *     node test/perf/storageGrowth.ts [blocks] [window]
 *
 * Each block writes 1,200 of 20,000 storage slots, chosen by the block number, and pays two fresh accounts; nothing is
 * random, so every run makes the same chain. Prints bytes on disk as the chain grows, and medians of derive and commit;
 * the order of the two folders alternates, so that neither always goes first.
 */
import { type Hex, parseAddress } from '#consensus/primitives.ts';
import { BlockExecutor } from '#node/execution/blockExecutor.ts';
import { measureFolder } from '#node/storage/chainFolder.ts';
import { deploying } from '#test/unit/node/execution/contracts.ts';
import {
  exampleGenesis,
  FEE_RECIPIENT,
  requireValid,
  sealValue,
  signTransaction,
  temporaryFolder,
  USERS,
  type User,
} from '#test/unit/node/execution/exampleChain.ts';

const BLOCKS = Number(process.argv[2] ?? 300);
const WINDOW = BigInt(process.argv[3] ?? 64);
const SAMPLES = 6;

/** for (i = 0; i < 600; i++) { h = keccak(number, i, caller); sstore(h mod 20000, h) } */
const WRITER: Hex = '0x5f5b435f52806020523360405260605f2080614e209006556001018061025811600157';

const [alice, bob] = USERS as [User, User];
const genesis = await exampleGenesis();
const folders = { archive: await temporaryFolder(), pruned: await temporaryFolder() };
const executors = {
  archive: await BlockExecutor.open({ dataDir: folders.archive.path, genesis }),
  pruned: await BlockExecutor.open({
    dataDir: folders.pruned.path,
    genesis,
    storage: { mode: 'pruned', window: { stateBlocks: WINDOW, historyBlocks: WINDOW } },
  }),
};
type Mode = keyof typeof executors;
const times: Record<Mode, { deriveMs: number[]; commitMs: number[] }> = {
  archive: { deriveMs: [], commitMs: [] },
  pruned: { deriveMs: [], commitMs: [] },
};
const bytesOf = async (mode: Mode): Promise<number> =>
  (await measureFolder(folders[mode].path)).get('chain') ?? 0;
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1).padStart(8);

const write = { gas: 14_500_000n };
const contracts: Record<string, string> = {};
const transactionsOf = async (height: number): Promise<Uint8Array[]> => {
  const fresh = (user: number): string =>
    parseAddress(`0x${(height * 2 + user).toString(16).padStart(40, 'a')}`);
  return Promise.all(
    [alice, bob].flatMap((user, index) => {
      const nonce = 2 * (height - 2) + 1;
      const to = contracts.writer;
      return height === 1
        ? [signTransaction(user, { nonce: 0, data: deploying(WRITER) })]
        : [
            signTransaction(user, { nonce, to, ...write }),
            signTransaction(user, { nonce: nonce + 1, to: fresh(index), value: 1n }),
          ];
    }),
  );
};

console.log('height   archive MiB   pruned MiB');
for (let height = 1; height <= BLOCKS; height++) {
  const transactions = await transactionsOf(height);
  const order: Mode[] = height % 2 === 0 ? ['archive', 'pruned'] : ['pruned', 'archive'];
  for (const mode of order) {
    const executor = executors[mode];
    const { block } = executor.head();
    await executor.keepStateFrom(block.height);
    const payload = {
      parentHash: block.hash,
      timestamp: block.timestamp + 1n,
      feeRecipient: FEE_RECIPIENT,
      transactions,
    };
    const startMs = performance.now();
    const { valueId, checkpoint, included } = requireValid(await executor.derive(payload));
    const derivedMs = performance.now();
    const { receipts } = await executor.commit(valueId, sealValue(genesis, checkpoint.height, valueId));
    times[mode].commitMs.push(performance.now() - derivedMs);
    times[mode].deriveMs.push(derivedMs - startMs);
    if (included !== transactions.length || receipts.some(({ status }) => status !== 1))
      throw new Error(`expected every transaction of height ${height} to succeed`);
    contracts.writer ??= receipts[0]!.contractAddress!;
  }
  if (height % Math.ceil(BLOCKS / SAMPLES) === 0) {
    await executors.pruned.pruned();
    console.log(
      `${String(height).padStart(6)}  ${mib(await bytesOf('archive'))}     ${mib(await bytesOf('pruned'))}`,
    );
  }
}
for (const mode of ['archive', 'pruned'] as const) {
  const { deriveMs, commitMs } = times[mode];
  const p99 = commitMs.toSorted((a, b) => a - b)[Math.floor(commitMs.length * 0.99)]!;
  console.log(
    `${mode.padEnd(8)} derive ${median(deriveMs).toFixed(1)} ms, commit ${median(commitMs).toFixed(1)} ms (p99 ${p99.toFixed(1)})`,
  );
  await executors[mode].close();
  await folders[mode].remove();
}
