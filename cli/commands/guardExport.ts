/** `causeway guard export`: what a key signed last, for the machine that it moves to. */
import { defineCommand } from '#cli/command.ts';
import { dataOption } from '#cli/commands/dataFolder.ts';
import { describeGuard, guardToJson, requireGuard } from '#cli/commands/guardText.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { parsePath, requiredOption } from '#cli/options.ts';

export const guardExport = defineCommand({
  path: ['guard', 'export'],
  summary: 'write the sign guard to a file that travels',
  description:
    'Writes what this validator signed last as JSON: no key, only what its votes said. Refuses while the node runs, because such a file is old at once; never replaces a file.',
  examples: ['guard export --data validator-1/data --out validator-1.guard.json'],
  options: {
    data: dataOption,
    out: requiredOption('--out <file>', 'the file to write; it must not exist', parsePath),
  },
  run: async ({ data, out }) => {
    const { withStoppedNode } = await import('#node/consensus/consensusFolder.ts');
    const { formatGuardExchange } = await import('#node/consensus/guardExchange.ts');
    const { createFileDurably } = await import('#node/keys/durableFile.ts');
    await requireGuard(data);
    const guard = await withStoppedNode(data, () => requireGuard(data));
    await createFileDurably(out, formatGuardExchange(guard)).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EEXIST') throw cause;
      throw new CliError(`expected no file at ${out}, found one`, {
        code: 'FILE_EXISTS',
        exitCode: EXIT.usage,
        hint: 'Choose another name: an older export that is imported by mistake knows too little.',
      });
    });
    return {
      data: { file: out, ...guardToJson(guard) },
      text: `${describeGuard(guard)}\nwritten to ${out}; do not start this node again once the file is imported elsewhere`,
    };
  },
});
