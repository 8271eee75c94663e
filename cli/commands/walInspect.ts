/** `causeway wal inspect`: what the write-ahead log of a height says, record by record. */
import { defineCommand } from '#cli/command.ts';
import { dataOption, runningNote, runningPid } from '#cli/commands/dataFolder.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { optionalOption, parseWholeNumber } from '#cli/options.ts';
import type { WalEntry, WalScan } from '#node/consensus/walScan.ts';

type Describe = typeof import('#node/consensus/walDescribe.ts');

const entryText = ({ at, end, record }: WalEntry, { describeWalRecord }: Describe): string =>
  `${String(at).padStart(9)}  ${String(end - at).padStart(8)}  ${record === null ? 'a record of another format' : describeWalRecord(record)}`;

const entryJson = (
  { at, end, durable, record }: WalEntry,
  { describeWalRecord, walRecordToJson }: Describe,
) => ({
  at,
  sizeBytes: end - at,
  durable,
  meaning: record === null ? null : describeWalRecord(record),
  record: record === null ? null : walRecordToJson(record),
});

const damageText = ({ damage, sizeBytes, behind }: WalScan, isRunning: boolean): readonly string[] => {
  if (damage === null) return ['whole'];
  const where = `at byte ${damage.at} of ${sizeBytes}`;
  if (damage.kind === 'corrupt')
    return [
      `CORRUPT ${where}: synced records are gone, so the disk lost data; the node does not vote on this log`,
      `${behind.length} whole records behind it, which a node does not read; causeway wal repair says what to do`,
    ];
  return [
    isRunning
      ? `the last record is not whole ${where}: the node is writing it, or a crash left it`
      : `TORN ${where}: a crash explains it; the node cuts it off by itself when it starts`,
  ];
};

export const walInspect = defineCommand({
  path: ['wal', 'inspect'],
  summary: 'show a write-ahead log, record by record',
  description:
    'Shows what the consensus engine was told in a height and what was signed here, one record a line: offset, size, meaning. Says where a log is torn (a crash; harmless) or corrupt (the disk lost data). Read-only; works while the node runs. By default the newest height.',
  examples: [
    'wal inspect --data validator-1/data',
    'wal inspect --data validator-1/data --height 120 --json',
  ],
  options: {
    data: dataOption,
    height: optionalOption('--height <number>', 'which height’s log', parseWholeNumber),
  },
  run: async ({ data, height }) => {
    const { listWalFiles, readWalFile } = await import('#node/consensus/consensusFolder.ts');
    const { scanWal } = await import('#node/consensus/walScan.ts');
    const describe = await import('#node/consensus/walDescribe.ts');
    const files = await listWalFiles(data);
    const file = height === undefined ? files.at(-1) : files.find((one) => one.height === BigInt(height));
    if (file === undefined)
      throw new CliError(
        `expected a log${height === undefined ? '' : ` of height ${height}`} in ${data}, found none`,
        {
          code: 'NO_WAL',
          exitCode: EXIT.usage,
          hint:
            files.length === 0
              ? 'Logs are kept for the current height and the one before.'
              : `There are logs of the heights ${files.map((one) => one.height).join(', ')}.`,
        },
      );
    const pid = await runningPid(data);
    const scan = scanWal(await readWalFile(data, file));
    const lines = [
      `${file.name}: height ${file.height}, ${scan.header === null ? 'header broken or of another format' : `chain ${scan.header.genesisHash}`}, ${scan.sizeBytes} bytes, ${scan.entries.length} records`,
      ...scan.entries.map((entry) => entryText(entry, describe)),
      ...damageText(scan, pid !== null),
      ...scan.behind.map((entry) => entryText(entry, describe)),
      ...runningNote(pid),
    ];
    return {
      data: {
        file: file.name,
        height: file.height,
        genesisHash: scan.header?.genesisHash ?? null,
        sizeBytes: scan.sizeBytes,
        damage: scan.damage,
        records: scan.entries.map((entry) => entryJson(entry, describe)),
        behindDamage: scan.behind.map((entry) => entryJson(entry, describe)),
        runningPid: pid,
      },
      text: lines.join('\n'),
    };
  },
});
