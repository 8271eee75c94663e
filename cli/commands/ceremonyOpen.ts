/** `causeway ceremony open`: fixes the plan and gives the ceremony its hash. */
import { randomBytes } from 'node:crypto';
import { folderOption, nowInstant } from '#cli/ceremony/options.ts';
import { defineCommand } from '#cli/command.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { parsePath, requiredOption } from '#cli/options.ts';
import { bytesToHash } from '#consensus/primitives.ts';

export const ceremonyOpen = defineCommand({
  path: ['ceremony', 'open'],
  summary: 'begin a ceremony from the plan that the organisations agreed on',
  description:
    'Judges the plan (JSON: the network, the organisations with the addresses of their governance keys, the seats, the balances) and writes open.json into a new ceremony folder. Everything that follows is signed for its hash. Each organisation makes its governance key before: causeway key new --kind signing --out KEYS/governance.json.',
  examples: ['ceremony open --plan plan.json --folder ceremony'],
  options: {
    plan: requiredOption('--plan <file>', 'what the organisations agreed on', parsePath),
    folder: folderOption,
  },
  run: async ({ plan: planPath, folder }) => {
    const { ceremonyFiles, hasFile, readText, writeOnce } = await import('#cli/ceremony/folder.ts');
    const { openCeremony, writeOpening } = await import('#genesis/ceremony/open.ts');
    const { parsePlan } = await import('#genesis/ceremony/plan.ts');
    const { describeOpening, planWarnings, sectionsToText, wordsSection } = await import(
      '#genesis/ceremony/summary.ts'
    );
    const { hashToWords } = await import('#genesis/ceremony/words.ts');
    const files = ceremonyFiles(folder);
    if (await hasFile(files.open))
      throw new CliError(`expected no ceremony in ${folder}, found one`, {
        code: 'EXISTS',
        exitCode: EXIT.config,
        hint: 'Each ceremony has a folder of its own. Choose another with --folder.',
      });
    const plan = await parsePlan(await readText(planPath, 'Check the path and its permissions.'));
    const opening = openCeremony(plan, bytesToHash(randomBytes(32)), nowInstant());
    await writeOnce(files.open, writeOpening(opening));
    const warnings = planWarnings(plan);
    return {
      data: {
        file: files.open,
        openHash: opening.openHash,
        words: hashToWords(opening.openHash),
        warnings,
        organisations: plan.organisations.map(({ name }) => name),
      },
      text: [
        sectionsToText(describeOpening(opening)),
        ...warnings.map((warning) => `WARNING: ${warning}`),
        wordsSection('Words of the opening, for everyone to compare', opening.openHash),
        `Give ${files.open} to: ${plan.organisations.map(({ name }) => name).join(', ')}`,
      ].join('\n\n'),
    };
  },
});
