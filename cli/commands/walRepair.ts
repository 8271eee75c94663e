/** `causeway wal repair`: cut off what a crash left, move aside what the disk damaged. Nothing is deleted. */
import { defineCommand } from '#cli/command.ts';
import { dataOption } from '#cli/commands/dataFolder.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { switchOption } from '#cli/options.ts';
import type { StoppedFolder } from '#node/consensus/consensusFolder.ts';
import type { GuardOwner, GuardState } from '#node/consensus/guard.ts';
import type { WalRepair } from '#node/consensus/walRepair.ts';

const describe = (repair: WalRepair): readonly string[] => {
  switch (repair.action) {
    case 'none':
      return [`${repair.name}: whole, nothing to do`];
    case 'truncate':
      return [
        `${repair.name}: torn by a crash; cut from ${repair.toBytes + repair.lostBytes} to ${repair.toBytes} bytes`,
      ];
    case 'moveAside':
      return [
        `${repair.name}: corrupt; renamed to ${repair.to}, which is never read or deleted by a node`,
        repair.closesHeight
          ? `sign guard: closed up to height ${repair.height}; this validator abstains there and votes from the next height on`
          : `sign guard: unchanged; its lock stays, and height ${repair.height} is learned again from the peers`,
      ];
  }
};

const freeName = (name: string, taken: readonly string[]): string => {
  for (let number = 1; ; number++) {
    const candidate = `${name}.corrupt-${number}`;
    if (!taken.includes(candidate)) return candidate;
  }
};

const planAll = async (
  data: string,
  { names }: StoppedFolder,
  guard: { readonly owner: GuardOwner; readonly state: GuardState } | null,
  trustGuard: boolean,
): Promise<readonly WalRepair[]> => {
  const { listWalFiles, readWalFile } = await import('#node/consensus/consensusFolder.ts');
  const { scanWal } = await import('#node/consensus/walScan.ts');
  const { planWalRepair } = await import('#node/consensus/walRepair.ts');
  const plans: WalRepair[] = [];
  for (const file of await listWalFiles(data)) {
    const { name, height } = file;
    const asideName = freeName(name, names);
    plans.push(
      planWalRepair(scanWal(await readWalFile(data, file)), { name, height, asideName, guard, trustGuard }),
    );
  }
  return plans;
};

export const walRepair = defineCommand({
  path: ['wal', 'repair'],
  summary: 'repair damaged write-ahead logs',
  description:
    'A torn end is cut off. A corrupt log is renamed, and the sign guard closes its height, so that nothing is signed in it that the lost records could contradict. With --trust-guard the guard alone decides: for the case that more than a third of the validators lost logs of the same height, which could not be decided otherwise; never after the guard lost data as well. Nothing is deleted. Refuses while the node runs; --dry-run only says what it would do.',
  examples: ['wal repair --data validator-1/data --dry-run', 'wal repair --data validator-1/data --yes'],
  options: {
    data: dataOption,
    dryRun: switchOption('--dry-run', 'say what would be done, and do nothing'),
    yes: switchOption('--yes', 'do it'),
    trustGuard: switchOption(
      '--trust-guard',
      'go on voting in a height whose log is lost, by the guard alone',
    ),
  },
  run: async ({ data, dryRun, yes, trustGuard }) => {
    const { readGuard, withStoppedNode } = await import('#node/consensus/consensusFolder.ts');
    const { openGuard } = await import('#node/consensus/guard.ts');
    const { applyWalRepair } = await import('#node/consensus/walRepair.ts');
    const { repairs, isApplied, notes } = await withStoppedNode(data, async (folder) => {
      const found = await readGuard(data);
      const known = found === 'missing' ? null : found;
      const repairs = await planAll(data, folder, known, trustGuard);
      const isDue = repairs.some(({ action }) => action !== 'none');
      const isApplied = isDue && yes && !dryRun;
      if (isApplied) {
        const guard = known === null ? null : await openGuard(folder.disk, known.owner);
        try {
          for (const repair of repairs) await applyWalRepair(repair, guard, folder.files);
        } finally {
          await guard?.close();
        }
      }
      const notes = known === null ? ['there is no usable sign guard: the node will observe, not vote'] : [];
      return { repairs, isApplied, notes };
    });
    const isDue = repairs.some(({ action }) => action !== 'none');
    const lines = [...repairs.flatMap(describe), ...notes];
    if (isDue && !yes && !dryRun)
      throw new CliError(`expected --yes to do this, or --dry-run:\n${lines.join('\n')}`, {
        code: 'NOT_CONFIRMED',
        exitCode: EXIT.usage,
        hint: 'Nothing was changed.',
      });
    const outcome = isApplied ? 'repaired' : isDue ? 'nothing was changed (dry run)' : 'nothing to repair';
    return { data: { applied: isApplied, repairs }, text: [...lines, outcome].join('\n') };
  },
});
