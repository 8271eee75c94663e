/** `causeway ceremony build`: the draft that follows from the opening and all enrolments. */
import { folderOption } from '#cli/ceremony/options.ts';
import { defineCommand } from '#cli/command.ts';

export const ceremonyBuild = defineCommand({
  path: ['ceremony', 'build'],
  summary: 'build the draft from the opening and all enrolments',
  description:
    'Needs every enrolment. Writes draft.json: the genesis, the hashes of all contract code, the addresses on the L1. The same files give the same draft on any machine with the same release, so it does not matter who builds.',
  examples: ['ceremony build --folder ceremony'],
  options: { folder: folderOption },
  run: async ({ folder }) => {
    const { ceremonyFiles, writeOnce } = await import('#cli/ceremony/folder.ts');
    const { rebuildDraft } = await import('#cli/ceremony/rebuild.ts');
    const { writeDraft } = await import('#genesis/ceremony/draft.ts');
    const { describeDraft, sectionsToText } = await import('#genesis/ceremony/summary.ts');
    const files = ceremonyFiles(folder);
    const { draft } = await rebuildDraft(files);
    await writeOnce(files.draft, writeDraft(draft));
    return {
      data: {
        file: files.draft,
        draftHash: draft.draftHash,
        genesisHash: draft.genesis.genesisHash,
        specHash: draft.genesis.specHash,
        l1: draft.genesis.l1,
      },
      text: [
        sectionsToText(describeDraft(draft)),
        `Give ${folder} to every member; each runs \`causeway ceremony verify\`.`,
      ].join('\n\n'),
    };
  },
});
