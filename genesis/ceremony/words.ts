/**
 * A hash as words, to be read aloud and typed: 24 words of the BIP-39 list for the whole hash.
 *
 * The encoding is BIP-39's own (11 bits a word and 8 bits of checksum), so that any tool that knows it can check ours.
 * The words are no secret and no wallet: they name a public hash.
 */
import { entropyToMnemonic } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english';
import { type Hash, hexToBytes } from '#consensus/primitives.ts';
import { CeremonyError } from '#genesis/ceremony/errors.ts';

/** 132 bits: nobody finds another hash that begins with the same words (RULES 45). */
export const LEAST_WORDS = 12;

export const hashToWords = (hash: Hash): readonly string[] =>
  entropyToMnemonic(hexToBytes(hash), wordlist).split(' ');

/** The first twelve or more words, in their order, in any case and spacing. @throws CeremonyError WRONG_WORDS */
export const requireWords = (typed: string, hash: Hash): void => {
  const given = typed
    .trim()
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean);
  const words = hashToWords(hash);
  if (given.length < LEAST_WORDS || given.length > words.length)
    throw new CeremonyError(
      'WRONG_WORDS',
      `expected the first ${LEAST_WORDS} to ${words.length} words of the draft, found ${given.length}: have them read to you by another member`,
    );
  const wrong = given.findIndex((word, index) => word !== words[index]);
  if (wrong !== -1)
    throw new CeremonyError(
      'WRONG_WORDS',
      `expected the words of the draft that lies here, found another word at place ${wrong + 1}: a typing error, or others approve another draft; do not approve before all read the same words`,
    );
};

/** Numbered, four a line: what is read aloud. */
export const formatWords = (hash: Hash): string => {
  const words = hashToWords(hash).map((word, index) => `${String(index + 1).padStart(2)} ${word}`.padEnd(14));
  return Array.from({ length: words.length / 4 }, (_, row) =>
    words
      .slice(4 * row, 4 * row + 4)
      .join('')
      .trimEnd(),
  ).join('\n');
};
