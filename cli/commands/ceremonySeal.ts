/** `causeway ceremony seal`: all approvals become one transcript and the genesis file. */
import { folderOption } from '#cli/ceremony/options.ts';
import { defineCommand } from '#cli/command.ts';

export const ceremonySeal = defineCommand({
  path: ['ceremony', 'seal'],
  summary: 'write the transcript, when every organisation has approved',
  description:
    'Needs the approval of every organisation. Writes transcript.jsonl, from which alone everything can be checked and started, and genesis.json. The same files give the same transcript, so any member can seal.',
  examples: ['ceremony seal --folder ceremony'],
  options: { folder: folderOption },
  run: async ({ folder }) => {
    const { ceremonyFiles, readApprovals, writeOnce } = await import('#cli/ceremony/folder.ts');
    const { rebuildAndCompare } = await import('#cli/ceremony/rebuild.ts');
    const { wordsSection } = await import('#genesis/ceremony/summary.ts');
    const { auditTranscript, writeTranscript } = await import('#genesis/ceremony/transcript.ts');
    const { hashToWords } = await import('#genesis/ceremony/words.ts');
    const { serialiseGenesis } = await import('#genesis/genesisFile.ts');
    const files = ceremonyFiles(folder);
    const { opening, draft } = await rebuildAndCompare(files);
    const { text, transcriptHash } = writeTranscript(
      opening,
      draft,
      await readApprovals(files, opening, draft),
    );
    await auditTranscript(text);
    await writeOnce(files.genesis, serialiseGenesis(draft.genesis));
    await writeOnce(files.transcript, text);
    const { genesisHash } = draft.genesis;
    return {
      data: {
        transcript: files.transcript,
        genesis: files.genesis,
        transcriptHash,
        words: hashToWords(transcriptHash),
        draftHash: draft.draftHash,
        genesisHash,
      },
      text: [
        `genesis hash     ${genesisHash}\ntranscript hash  ${transcriptHash}`,
        wordsSection('Words of the transcript, for the minutes', transcriptHash),
        `Give ${files.transcript} to every member; each runs \`causeway ceremony audit\` on it.`,
      ].join('\n\n'),
    };
  },
});
