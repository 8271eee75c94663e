/** `causeway ceremony audit`: judges a sealed ceremony from its transcript alone. */
import { defineCommand } from '#cli/command.ts';
import { optionalOption, parsePath } from '#cli/options.ts';

export const ceremonyAudit = defineCommand({
  path: ['ceremony', 'audit'],
  summary: 'judge a sealed ceremony from its transcript alone',
  description:
    'Needs no network and no other file. Checks the chain of lines, every signature and proof, rebuilds the draft and the genesis, and names what was tampered with (exit code 5). With --genesis it also compares a genesis file, and with --report it writes the printable report, report.html and report.txt.',
  examples: [
    'ceremony audit transcript.jsonl',
    'ceremony audit transcript.jsonl --genesis genesis.json --report minutes',
  ],
  argument: { name: 'transcript', help: 'the transcript', parse: parsePath },
  options: {
    genesis: optionalOption('--genesis <file>', 'a genesis file that must be the sealed one', parsePath),
    report: optionalOption('--report <dir>', 'where to write the printable report', parsePath),
  },
  run: async ({ argument: path, genesis: genesisPath, report }) => {
    const { join } = await import('node:path');
    const { writeOnce } = await import('#cli/ceremony/folder.ts');
    const { loadSealed } = await import('#cli/ceremony/sealed.ts');
    const { CliError, EXIT } = await import('#cli/errors.ts');
    const { reportToHtml, reportToText } = await import('#genesis/ceremony/report.ts');
    const { describeSealed, planWarnings, sectionsToText, wordsSection } = await import(
      '#genesis/ceremony/summary.ts'
    );
    const { hashToWords } = await import('#genesis/ceremony/words.ts');
    const { loadGenesis } = await import('#genesis/genesisFile.ts');
    const sealed = await loadSealed(path);
    const { opening, draft, approvals, transcriptHash } = sealed;
    const { genesisHash, specHash, l1 } = draft.genesis;
    if (genesisPath !== undefined) {
      const found = await loadGenesis(genesisPath);
      if (found.genesisHash !== genesisHash)
        throw new CliError(
          `expected the sealed genesis ${genesisHash} in ${genesisPath}, found ${found.genesisHash}`,
          {
            code: 'MISMATCH',
            exitCode: EXIT.verification,
            hint: 'Do not start a node with it: take the genesis from the transcript with `causeway init`.',
          },
        );
    }
    if (report !== undefined) {
      await writeOnce(join(report, 'report.html'), reportToHtml(sealed));
      await writeOnce(join(report, 'report.txt'), reportToText(sealed));
    }
    const warnings = planWarnings(opening.plan);
    return {
      data: {
        transcriptHash,
        words: hashToWords(transcriptHash),
        openHash: opening.openHash,
        draftHash: draft.draftHash,
        genesisHash,
        specHash,
        l1,
        release: draft.document.release,
        approved: approvals.map(({ organisation }) => organisation),
        warnings,
      },
      text: [
        sectionsToText(describeSealed(sealed)),
        ...warnings.map((warning) => `WARNING: ${warning}`),
        wordsSection('Words of the transcript', transcriptHash),
        'Everything in it verifies.',
      ].join('\n\n'),
    };
  },
});
