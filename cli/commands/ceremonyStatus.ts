/** `causeway ceremony status`: who has done what, and what comes next. */
import { folderOption } from '#cli/ceremony/options.ts';
import { defineCommand } from '#cli/command.ts';

export const ceremonyStatus = defineCommand({
  path: ['ceremony', 'status'],
  summary: 'who has enrolled and approved, and what comes next',
  description: 'Judges everything in the folder again and says how far the ceremony is.',
  examples: ['ceremony status --folder ceremony', 'ceremony status --folder ceremony --json'],
  options: { folder: folderOption },
  run: async ({ folder }) => {
    const { ceremonyFiles } = await import('#cli/ceremony/folder.ts');
    const { readStatus, statusToText } = await import('#cli/ceremony/status.ts');
    const status = await readStatus(ceremonyFiles(folder));
    return { data: status, text: statusToText(status) };
  },
});
