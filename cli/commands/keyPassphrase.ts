/** `causeway key passphrase`: the same key under another pass phrase. */
import { defineCommand } from '#cli/command.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import {
  optionalOption,
  parsePath,
  passphraseFdOption,
  passphraseFileOption,
  switchOption,
} from '#cli/options.ts';
import { obtainPassphrase } from '#cli/passphrase.ts';

export const keyPassphrase = defineCommand({
  path: ['key', 'passphrase'],
  summary: 'put a keystore under another pass phrase',
  description:
    'Opens the keystore with the old pass phrase, writes the same key under the new one beside it, opens that, and only then moves it into place. Whoever has a copy of the old file and the old pass phrase still has the key: after a theft make a new key instead.',
  examples: [
    'key passphrase keys/node.json',
    'key passphrase keys/node.json --passphrase-file old --new-passphrase-file new',
  ],
  argument: { name: 'file', help: 'the keystore', parse: parsePath },
  options: {
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
    newPassphraseFile: optionalOption(
      '--new-passphrase-file <file>',
      'read the new pass phrase from this file',
      parsePath,
    ),
    light: switchOption(
      '--light',
      'cheap key derivation, for tests and devnets whose pass phrase lies beside the key',
    ),
  },
  run: async ({ argument: file, newPassphraseFile, light, ...sources }, io) => {
    const { requireNoToken } = await import('#node/keys/backup.ts');
    const { LIGHT_COST, STANDARD_COST } = await import('#node/keys/keystore.ts');
    const { changePassphrase, keystoreIdentity, readKeystoreFile } = await import(
      '#node/keys/keystoreFile.ts'
    );
    await requireNoToken(file);
    const kind = keystoreIdentity(await readKeystoreFile(file))?.kind ?? 'secp256k1';
    const from = await obtainPassphrase(sources, io);
    if (newPassphraseFile === undefined && !process.stdin.isTTY)
      throw new CliError('expected a new pass phrase, found no terminal to ask on', {
        code: 'NO_PASSPHRASE',
        exitCode: EXIT.config,
        hint: 'Use --new-passphrase-file.',
      });
    const to = await obtainPassphrase({ passphraseFile: newPassphraseFile, passphraseFd: undefined }, io, {
      repeat: true,
    });
    const identity = await changePassphrase(file, kind, { from, to }, light ? LIGHT_COST : STANDARD_COST);
    const name = identity.kind === 'secp256k1' ? identity.address : identity.peerId;
    return { data: { file, ...identity }, text: `${name}\nis under the new pass phrase in ${file}` };
  },
});
