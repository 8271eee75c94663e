/** `causeway db stats`: what the chain database of a node holds, and from which height on. */
import { defineCommand } from '#cli/command.ts';
import { dataOption, runningPid } from '#cli/commands/dataFolder.ts';
import { formatBytes } from '#cli/commands/dbText.ts';
import { formatTable } from '#cli/io.ts';

export const dbStats = defineCommand({
  path: ['db', 'stats'],
  summary: 'show what the chain database holds',
  description:
    'Bytes on disk of each part of the data folder; and, of a stopped node, entries and bytes of each kind of record, the mode, and the oldest heights whose state and transactions are kept. LevelDB belongs to one process, so beside a running node only the bytes on disk are shown. Reads the whole database once.',
  examples: ['db stats --data validator-1/data', 'db stats --data validator-1/data --json'],
  options: { data: dataOption },
  run: async ({ data }) => {
    const { measureFolder, readChainStats } = await import('#node/storage/chainFolder.ts');
    const files = await measureFolder(data);
    const disk = Object.fromEntries(files);
    const diskLines = [...files].map(([name, bytes]) => [`  ${name}`, formatBytes(bytes)]);
    const pid = await runningPid(data);
    if (pid !== null)
      return {
        data: { running: pid, disk, chain: null },
        text: [
          'bytes on disk',
          formatTable(diskLines),
          `process ${pid} runs on this folder: stop it to see what the chain database holds`,
        ].join('\n'),
      };
    const chain = await readChainStats(data);
    return {
      data: { running: null, disk, chain },
      text: [
        `mode            ${chain.mode ?? 'none yet'}`,
        `head            ${chain.head}`,
        `oldest state    ${chain.oldestState}`,
        `oldest history  ${chain.oldestHistory}`,
        `L1 needs from   ${chain.neededFrom ?? 'not known yet: nothing is pruned'}`,
        'bytes on disk',
        formatTable(diskLines),
        'records, keys and values before compression',
        formatTable(
          chain.kinds.map(({ kind, entries, bytes }) => [`  ${kind}`, String(entries), formatBytes(bytes)]),
        ),
      ].join('\n'),
    };
  },
});
