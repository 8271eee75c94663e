/** `causeway ceremony verify`: rebuilds the draft here and shows what it means. */
import { folderOption } from '#cli/ceremony/options.ts';
import { defineCommand } from '#cli/command.ts';

export const ceremonyVerify = defineCommand({
  path: ['ceremony', 'verify'],
  summary: 'rebuild the draft here, compare, and show what it means',
  description:
    'Needs no network. Judges the opening and every enrolment, rebuilds the draft from them, compares it with draft.json and says in words where they differ (exit code 5). Then it shows who holds what, how few organisations could do harm together, and the words of the draft. Read them to the other members: twelve are typed at approval.',
  examples: ['ceremony verify --folder ceremony', 'ceremony verify --folder ceremony --json'],
  options: { folder: folderOption },
  run: async ({ folder }) => {
    const { ceremonyFiles } = await import('#cli/ceremony/folder.ts');
    const { rebuildAndCompare } = await import('#cli/ceremony/rebuild.ts');
    const { planToLocks } = await import('#genesis/ceremony/locks.ts');
    const { describeDraft, describeEnrolments, describeOpening, planWarnings, sectionsToText, wordsSection } =
      await import('#genesis/ceremony/summary.ts');
    const { hashToWords } = await import('#genesis/ceremony/words.ts');
    const { opening, draft } = await rebuildAndCompare(ceremonyFiles(folder));
    const warnings = planWarnings(opening.plan);
    return {
      data: {
        openHash: opening.openHash,
        draftHash: draft.draftHash,
        words: hashToWords(draft.draftHash),
        genesisHash: draft.genesis.genesisHash,
        specHash: draft.genesis.specHash,
        l1: draft.genesis.l1,
        locks: planToLocks(opening.plan),
        warnings,
      },
      text: [
        sectionsToText([
          ...describeOpening(opening),
          describeEnrolments(draft.enrolments),
          ...describeDraft(draft),
        ]),
        ...warnings.map((warning) => `WARNING: ${warning}`),
        wordsSection('Words of the draft', draft.draftHash),
        'The draft is what follows from the plan and the enrolments. Compare the words with every member by voice.',
      ].join('\n\n'),
    };
  },
});
