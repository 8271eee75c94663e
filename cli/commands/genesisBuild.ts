/** `causeway genesis build`: from a specification to the genesis file that every member starts from. */
import { readFile } from 'node:fs/promises';
import { defineCommand } from '#cli/command.ts';
import { describeGenesis } from '#cli/commands/genesisInspect.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { parsePath, requiredOption, switchOption } from '#cli/options.ts';
import { createFileDurably } from '#node/keys/durableFile.ts';

const readSpec = async (path: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError(`cannot read the specification ${path}: ${(error as Error).message}`, {
      code: 'UNREADABLE',
      exitCode: EXIT.config,
      hint: 'Check the path and its permissions.',
    });
  }
};

const createFile = async (path: string, text: string): Promise<void> => {
  try {
    await createFileDurably(path, text, 0o644);
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw new CliError(
      exists ? `expected no file at ${path}, found one` : `cannot write ${path}: ${(error as Error).message}`,
      {
        code: exists ? 'EXISTS' : 'UNWRITABLE',
        exitCode: EXIT.config,
        hint: exists
          ? 'A genesis is never overwritten: choose another name or move it away.'
          : 'Check the folder.',
      },
    );
  }
};

export const genesisBuild = defineCommand({
  path: ['genesis', 'build'],
  summary: 'build the genesis file from a specification',
  description:
    'Checks the specification (JSON, every number a decimal string, unknown keys are errors), derives block 0 and writes the genesis file. The same inputs give the same hash on any machine.',
  examples: [
    'genesis build --spec spec.json --out genesis.json',
    'genesis build --spec spec.json --out genesis.json --json',
  ],
  options: {
    spec: requiredOption('--spec <file>', 'the specification', parsePath),
    out: requiredOption('--out <file>', 'the genesis file to create', parsePath),
    allowFewValidators: switchOption(
      '--allow-few-validators',
      'accept one to three validators, which tolerate no fault',
    ),
  },
  run: async ({ spec, out, allowFewValidators }) => {
    const { buildGenesis } = await import('#genesis/genesis.ts');
    const { genesisToJson, serialiseGenesis } = await import('#genesis/genesisFile.ts');
    const { parseSpecText } = await import('#genesis/specFile.ts');
    const genesis = await buildGenesis(parseSpecText(await readSpec(spec), { allowFewValidators }));
    await createFile(out, serialiseGenesis(genesis));
    return {
      data: { file: out, ...genesisToJson(genesis) },
      text: `${describeGenesis(genesis)}\nwritten to ${out}`,
    };
  },
});
