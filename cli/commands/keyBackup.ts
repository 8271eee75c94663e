/** `causeway key backup`: a key in shares for several people, tried out before it counts. */
import { defineCommand } from '#cli/command.ts';
import {
  parsePath,
  parseWholeNumber,
  passphraseFdOption,
  passphraseFileOption,
  requiredOption,
} from '#cli/options.ts';
import { obtainPassphrase } from '#cli/passphrase.ts';

export const keyBackup = defineCommand({
  path: ['key', 'backup'],
  summary: 'split a key into shares that print well',
  description:
    'Writes one file a share: any threshold of them restore the key, fewer say nothing about it. Every such group is read back and restored before the command ends well. Print each share, give it to another person, delete the file. A share has no pass phrase: whoever holds enough of them holds the key.',
  examples: ['key backup keys/governance.json --shares 5 --threshold 3 --out shares'],
  argument: { name: 'file', help: 'the keystore', parse: parsePath },
  options: {
    shares: requiredOption('--shares <count>', 'how many shares, at most 16', parseWholeNumber),
    threshold: requiredOption('--threshold <count>', 'how many of them restore the key', parseWholeNumber),
    out: requiredOption('--out <dir>', 'where to write the shares', parsePath),
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
  },
  run: async ({ argument: file, shares, threshold, out, ...sources }, io) => {
    const { backUpKey, requireNoToken } = await import('#node/keys/backup.ts');
    const { keystoreIdentity, readKeystoreFile } = await import('#node/keys/keystoreFile.ts');
    const { requireSharing } = await import('#node/keys/shares.ts');
    requireSharing(shares, threshold);
    await requireNoToken(file);
    const kind = keystoreIdentity(await readKeystoreFile(file))?.kind ?? 'secp256k1';
    const { name, backup, files } = await backUpKey(file, kind, await obtainPassphrase(sources, io), {
      folder: out,
      shares,
      threshold,
    });
    return {
      data: { file, name, backup, shares, threshold, files },
      text: [
        `${name} in ${shares} shares, any ${threshold} restore it (backup ${backup}); every such group was tried`,
        ...files,
        'Print each, give each to another person, delete the files.',
      ].join('\n'),
    };
  },
});
