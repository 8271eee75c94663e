/**
 * Where pass phrases come from: a file, a file descriptor, or a prompt; never an argument or a variable, which other
 * processes can read.
 *
 * One trailing line break is not part of the pass phrase.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { KeyError } from '#node/keys/errors.ts';

const MAX_BYTES = 4_096;

const clean = (text: string, source: string): string => {
  const passphrase = text.replace(/\r?\n$/, '');
  if (passphrase.length === 0 || Buffer.byteLength(text) > MAX_BYTES)
    throw new KeyError(
      'NO_PASSPHRASE',
      `expected a pass phrase of 1 to ${MAX_BYTES} bytes in ${source}, found ${passphrase.length === 0 ? 'none' : 'more'}`,
    );
  return passphrase;
};

/** @throws KeyError NO_PASSPHRASE */
export const readPassphraseFile = async (path: string): Promise<string> => {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new KeyError(
      'NO_PASSPHRASE',
      `cannot read the pass phrase file ${path}: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  return clean(text, path);
};

/** Reads the descriptor to its end. @throws KeyError NO_PASSPHRASE */
export const readPassphraseFd = (fd: number): string => {
  let text: string;
  try {
    text = readFileSync(fd, 'utf8');
  } catch (error) {
    throw new KeyError(
      'NO_PASSPHRASE',
      `cannot read the pass phrase from file descriptor ${fd}: ${(error as Error).message}`,
      { cause: error },
    );
  }
  return clean(text, `file descriptor ${fd}`);
};
