/** `causeway key restore`: a keystore from enough shares, or with --dry-run only the proof that they are enough. */
import { defineCommand } from '#cli/command.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import {
  optionalOption,
  parsePath,
  passphraseFdOption,
  passphraseFileOption,
  repeatedOption,
  switchOption,
} from '#cli/options.ts';
import { obtainPassphrase } from '#cli/passphrase.ts';

export const keyRestore = defineCommand({
  path: ['key', 'restore'],
  summary: 'restore a key from its shares',
  description:
    'Combines shares of one backup, requires that the result is the key that they name, and writes it into a new keystore under a new pass phrase. With --dry-run it writes nothing: rehearse it once a year.',
  examples: [
    'key restore --share a.txt --share b.txt --share c.txt --dry-run',
    'key restore --share a.txt --share b.txt --share c.txt --out keys/governance.json',
  ],
  options: {
    shares: repeatedOption('--share <file>', 'one share; as many as its threshold', parsePath),
    out: optionalOption('--out <file>', 'the keystore to create', parsePath),
    dryRun: switchOption('--dry-run', 'only try whether the shares restore the key'),
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
    light: switchOption(
      '--light',
      'cheap key derivation, for tests and devnets whose pass phrase lies beside the key',
    ),
  },
  run: async ({ shares = [], out, dryRun, light, ...sources }, io) => {
    const { readShareFile, restoreKey, restoreSecret } = await import('#node/keys/backup.ts');
    const { LIGHT_COST, STANDARD_COST } = await import('#node/keys/keystore.ts');
    if (dryRun) {
      const read = await Promise.all(shares.map(readShareFile));
      (await restoreSecret(read)).fill(0);
      const { name, backup } = read[0]!;
      return {
        data: { name, backup, dryRun: true },
        text: `these shares restore ${name}; nothing was written`,
      };
    }
    if (out === undefined)
      throw new CliError('expected --out or --dry-run, found neither', {
        code: 'USAGE',
        exitCode: EXIT.usage,
        hint: 'Name the keystore to create.',
      });
    const passphrase = await obtainPassphrase(sources, io, { repeat: true });
    const name = await restoreKey(shares, out, passphrase, light ? LIGHT_COST : STANDARD_COST);
    return { data: { file: out, name }, text: `${name}\nwritten to ${out}` };
  },
});
