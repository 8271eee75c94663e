/** `causeway ceremony approve`: the governance key signs the draft that this member rebuilt and heard. */
import { folderOption, keysOption, organisationOption } from '#cli/ceremony/options.ts';
import { defineCommand } from '#cli/command.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { optionalOption, passphraseFdOption, passphraseFileOption } from '#cli/options.ts';
import { obtainPassphrase } from '#cli/passphrase.ts';

const askForWords = async ({ signal }: Io): Promise<string> => {
  if (!process.stdin.isTTY)
    throw new CliError('expected the words of the draft, found no terminal to ask on', {
      code: 'WRONG_WORDS',
      exitCode: EXIT.denied,
      hint: 'Have the first twelve words read to you by another member and type them, or give them with --words.',
    });
  const { input } = await import('@inquirer/prompts');
  return input(
    { message: 'The first twelve words of the draft, as another member reads them:' },
    { output: process.stderr, signal },
  );
};

export const ceremonyApprove = defineCommand({
  path: ['ceremony', 'approve'],
  summary: 'approve the draft with your governance key',
  description:
    'Needs no network. Rebuilds and compares as `verify` does, requires that your own enrolment is in it, and asks for at least twelve of its words, which another member reads to you: they are not shown here. Writes approvals/ORGANISATION.json. One approval a ceremony: a second draft is refused.',
  examples: ['ceremony approve --folder ceremony --organisation acme --keys keys'],
  options: {
    folder: folderOption,
    organisation: organisationOption,
    keys: keysOption,
    words: optionalOption(
      '--words <words>',
      'the words, instead of being asked; they are no secret',
      (text: string) => text,
    ),
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
  },
  run: async ({ folder, organisation, keys, words, ...sources }, io) => {
    const { approveDraft } = await import('#cli/ceremony/approve.ts');
    const { ceremonyFiles, writeOnce } = await import('#cli/ceremony/folder.ts');
    const { requireKeysApart } = await import('#cli/ceremony/memberKeys.ts');
    const { rebuildAndCompare } = await import('#cli/ceremony/rebuild.ts');
    const { writeApproval } = await import('#genesis/ceremony/approval.ts');
    const files = ceremonyFiles(folder);
    requireKeysApart(keys, files);
    const rebuilt = await rebuildAndCompare(files);
    const approval = await approveDraft(rebuilt, {
      organisation,
      keysFolder: keys,
      words: words ?? (await askForWords(io)),
      passphrase: () => obtainPassphrase(sources, io),
    });
    const file = files.approval(organisation);
    await writeOnce(file, writeApproval(approval));
    const { draftHash, genesisHash } = approval.document;
    return {
      data: { file, organisation, draftHash, genesisHash },
      text: `${organisation} approves draft ${draftHash}\nGive ${file} to the coordinator.`,
    };
  },
});
