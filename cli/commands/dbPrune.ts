/** `causeway db prune`: delete what is behind the window while the node is stopped; an archive becomes a pruned folder. */
import { defineCommand } from '#cli/command.ts';
import { dataOption } from '#cli/commands/dataFolder.ts';
import { formatBytes, historyBlocksOption, stateBlocksOption } from '#cli/commands/dbText.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { switchOption } from '#cli/options.ts';
import type { PruningPlan } from '#node/storage/chainFolder.ts';

const PROGRESS_EVERY_MS = 2_000;

const describe = ({ mode, head, oldestState, neededFrom, states, histories }: PruningPlan): string[] => [
  `states of ${states} heights and transactions of ${histories} heights will be deleted (head ${head}, oldest state ${oldestState})`,
  ...(mode === 'pruned' ? [] : ['the folder becomes a pruned one and can never be an archive again']),
  ...(neededFrom === null
    ? ['no node on this folder has seen the L1 yet, so nothing may go (RULES 42): run the node first']
    : [`everything from height ${neededFrom} on stays, because the L1 may need it (RULES 42)`]),
];

export const dbPrune = defineCommand({
  path: ['db', 'prune'],
  summary: 'delete old states and transactions',
  description:
    'Deletes states, transactions and receipts behind the window, then compacts the database so that the space is free. Never anything from the older of the two newest checkpoints on that the L1 accepted, as the node last knew them. An archive becomes a pruned folder for good. Refuses while the node runs; interrupted, the folder is whole and the next run goes on. --dry-run only says what it would do.',
  examples: ['db prune --data node/data --dry-run', 'db prune --data node/data --state-blocks 1024 --yes'],
  options: {
    data: dataOption,
    stateBlocks: stateBlocksOption,
    historyBlocks: historyBlocksOption,
    dryRun: switchOption('--dry-run', 'say what would be done, and do nothing'),
    yes: switchOption('--yes', 'do it'),
  },
  run: async ({ data, stateBlocks, historyBlocks, dryRun, yes }, io) => {
    const { measureFolder, planPruning, pruneChain } = await import('#node/storage/chainFolder.ts');
    const window = { stateBlocks: BigInt(stateBlocks), historyBlocks: BigInt(historyBlocks) };
    const plan = await planPruning(data, window);
    const lines = describe(plan);
    if (dryRun)
      return {
        data: { applied: false, ...plan },
        text: [...lines, 'nothing was changed (dry run)'].join('\n'),
      };
    if (!yes)
      throw new CliError(`expected --yes to do this, or --dry-run:\n${lines.join('\n')}`, {
        code: 'NOT_CONFIRMED',
        exitCode: EXIT.usage,
        hint: 'Nothing was changed.',
      });
    const sizeOf = async (): Promise<number> => (await measureFolder(data)).get('chain') ?? 0;
    const bytesBefore = await sizeOf();
    let shownAtMs = performance.now();
    const result = await pruneChain(data, window, {
      signal: io.signal,
      onProgress: ({ keys, statesLeft, historiesLeft }) => {
        if (performance.now() - shownAtMs < PROGRESS_EVERY_MS) return;
        shownAtMs = performance.now();
        io.progress(`${keys} records deleted; ${statesLeft} states and ${historiesLeft} blocks to go`);
      },
    });
    const bytesAfter = await sizeOf();
    return {
      data: { applied: true, ...result, bytesBefore, bytesAfter },
      text: [
        ...lines,
        `pruned: ${result.keys} records deleted, oldest state ${result.oldestState}, oldest history ${result.oldestHistory}`,
        `chain on disk: ${formatBytes(bytesBefore)} before, ${formatBytes(bytesAfter)} after`,
      ].join('\n'),
    };
  },
});
