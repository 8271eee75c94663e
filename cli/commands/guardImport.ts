/** `causeway guard import`: take over what the same key signed on another machine; only ever forbids more. */
import { open } from 'node:fs/promises';
import { defineCommand } from '#cli/command.ts';
import { dataOption } from '#cli/commands/dataFolder.ts';
import { describeGuard, guardToJson } from '#cli/commands/guardText.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { parsePath, requiredOption } from '#cli/options.ts';

/** No more than an export can have, whatever the path names. */
const readBounded = async (path: string, maxBytes: number): Promise<string> => {
  const handle = await open(path, 'r').catch((cause: Error) => {
    throw new CliError(`expected the export of a sign guard at ${path}, found: ${cause.message}`, {
      code: 'UNREADABLE',
      exitCode: EXIT.usage,
      cause,
    });
  });
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(maxBytes + 1), 0, maxBytes + 1, 0);
    return new TextDecoder().decode(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
};

export const guardImport = defineCommand({
  path: ['guard', 'import'],
  summary: 'take over the sign guard of this key from a file',
  description:
    'Raises the sign guard to the higher of its own state and the file’s; a height in which the two differ is closed, so nothing more is signed in it. Without a guard it makes one. Refuses the file of another validator or chain (exit code 8), and a folder on which a node runs.',
  examples: ['guard import --data new-host/data --in validator-1.guard.json'],
  options: {
    data: dataOption,
    in: requiredOption('--in <file>', 'what guard export wrote', parsePath),
  },
  run: async ({ data, in: file }) => {
    const { withStoppedNode } = await import('#node/consensus/consensusFolder.ts');
    const { MAX_GUARD_EXCHANGE_BYTES, parseGuardExchange } = await import('#node/consensus/guardExchange.ts');
    const { initialiseGuard, openGuard } = await import('#node/consensus/guard.ts');
    const { mergeGuardStates } = await import('#node/consensus/guardChange.ts');
    const { owner, state: found } = parseGuardExchange(await readBounded(file, MAX_GUARD_EXCHANGE_BYTES));
    const { before, state } = await withStoppedNode(data, async ({ disk }) => {
      const existing = await openGuard(disk, owner);
      const guard = existing ?? (await initialiseGuard(disk, owner, found));
      const before = existing?.state() ?? null;
      try {
        if (existing !== null) await guard.amend((own) => mergeGuardStates(own, found));
        return { before, state: guard.state() };
      } finally {
        await guard.close();
      }
    });
    const outcome =
      before === null ? 'guard made from the file' : before === state ? 'nothing to raise' : 'guard raised';
    return {
      data: { changed: before !== state, created: before === null, ...guardToJson({ owner, state }) },
      text: `${outcome}\n${describeGuard({ owner, state })}`,
    };
  },
});
