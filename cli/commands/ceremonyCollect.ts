/** `causeway ceremony collect`: takes in what members sent, refuses what does not verify, says who is missing. */
import { folderOption } from '#cli/ceremony/options.ts';
import { defineCommand } from '#cli/command.ts';
import { parsePath, repeatedOption } from '#cli/options.ts';

export const ceremonyCollect = defineCommand({
  path: ['ceremony', 'collect'],
  summary: 'take in enrolments and approvals, and say who is missing',
  description:
    'Judges each given file, an enrolment or an approval, against what is in the folder, and copies it there. All are judged before the first is copied. Without files it judges the folder. Exit code 5 for what does not verify.',
  examples: [
    'ceremony collect --folder ceremony --in mail/acme.json --in mail/bolt.json',
    'ceremony collect --folder ceremony',
  ],
  options: {
    folder: folderOption,
    inputs: repeatedOption('--in <file>', 'an enrolment or an approval; may be repeated', parsePath),
  },
  run: async ({ folder, inputs = [] }) => {
    const { collectDocuments } = await import('#cli/ceremony/collect.ts');
    const { ceremonyFiles } = await import('#cli/ceremony/folder.ts');
    const { readStatus, statusToText } = await import('#cli/ceremony/status.ts');
    const files = ceremonyFiles(folder);
    const taken = await collectDocuments(files, inputs);
    const status = await readStatus(files);
    return {
      data: { taken, ...status },
      text: [
        ...taken.map(({ kind, organisation }) => `${kind} of ${organisation}: verified`),
        statusToText(status),
      ].join('\n'),
    };
  },
});
