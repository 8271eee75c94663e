/**
 * Asks for a pass phrase where the options name none: on a terminal, hidden, on stderr.
 *
 * A file and a file descriptor are read by node/keys/passphrase.ts; an argument or a variable is never a source.
 */
import type { Io } from '#cli/io.ts';
import { KeyError } from '#node/keys/errors.ts';
import { readPassphraseFd, readPassphraseFile } from '#node/keys/passphrase.ts';

export type PassphraseSources = {
  readonly passphraseFile: string | undefined;
  readonly passphraseFd: number | undefined;
};

const ask = async (message: string, { signal }: Io): Promise<string> => {
  const { password } = await import('@inquirer/prompts');
  return password({ message, mask: '*' }, { output: process.stderr, signal });
};

/** @param repeat true for a new key: a typing error would lose it. @throws KeyError NO_PASSPHRASE */
export const obtainPassphrase = async (
  { passphraseFile, passphraseFd }: PassphraseSources,
  io: Io,
  { repeat = false } = {},
): Promise<string> => {
  if (passphraseFile !== undefined) return readPassphraseFile(passphraseFile);
  if (passphraseFd !== undefined) return readPassphraseFd(passphraseFd);
  if (!process.stdin.isTTY)
    throw new KeyError(
      'NO_PASSPHRASE',
      'expected a pass phrase, found no terminal to ask on: use --passphrase-file or --passphrase-fd',
    );
  const passphrase = await ask('Pass phrase:', io);
  if (passphrase.length === 0)
    throw new KeyError('NO_PASSPHRASE', 'expected a pass phrase, found an empty one');
  if (repeat && (await ask('Once more:', io)) !== passphrase)
    throw new KeyError('NO_PASSPHRASE', 'expected the same pass phrase twice, found two different ones');
  return passphrase;
};
