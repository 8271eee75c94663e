/**
 * A key in shares (Shamir over GF(256), the audited shamir-secret-sharing): any `threshold` of them restore it, fewer say
 * nothing about it.
 *
 * Owns splitting, restoring and the printable form. The library does not know whether what it combined is the secret, so a
 * share names the key, and what was restored must be that key. A share prints as 24 words with a checksum (BIP-39's list),
 * so that a typing error is noticed in the share in which it was made.
 */
import { randomBytes } from 'node:crypto';
import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english';
import { combine, split } from 'shamir-secret-sharing';
import { KeyError } from '#node/keys/errors.ts';
import type { KeyKind } from '#node/keys/keystore.ts';

export const MAX_SHARES = 16;
const FORMAT = 'causeway-key-share-1';
const SECRET_BYTES = 32;

export type KeyShare = {
  readonly kind: KeyKind;
  /** Address or PeerId of the key. */
  readonly name: string;
  /** Eight hex digits, the same in all shares of one backup. */
  readonly backup: string;
  readonly index: number;
  readonly shares: number;
  readonly threshold: number;
  /** Where the polynomials were taken, 1 to 255. */
  readonly point: number;
  /** Their 32 values. */
  readonly values: Uint8Array;
};

/** @throws KeyError BAD_SHARE */
export const requireSharing = (shares: number, threshold: number): void => {
  if (threshold < 2 || threshold > shares || shares > MAX_SHARES)
    throw new KeyError(
      'BAD_SHARE',
      `expected 2 ≤ threshold ≤ shares ≤ ${MAX_SHARES}, found ${threshold} of ${shares}`,
    );
};

/** @param secret 32 bytes. @throws KeyError BAD_SHARE */
export const splitKey = async (
  secret: Uint8Array,
  kind: KeyKind,
  name: string,
  shares: number,
  threshold: number,
): Promise<KeyShare[]> => {
  requireSharing(shares, threshold);
  const backup = randomBytes(4).toString('hex');
  return (await split(secret, shares, threshold)).map((bytes, index) => ({
    kind,
    name,
    backup,
    index: index + 1,
    shares,
    threshold,
    point: bytes[SECRET_BYTES]!,
    values: bytes.subarray(0, SECRET_BYTES),
  }));
};

const requireSameBackup = (shares: readonly KeyShare[]): KeyShare => {
  const [first] = shares;
  if (first === undefined) throw new KeyError('BAD_SHARE', 'expected shares, found none');
  for (const share of shares)
    if (share.backup !== first.backup || share.name !== first.name || share.kind !== first.kind)
      throw new KeyError(
        'BAD_SHARE',
        `expected shares of one backup, found ${first.backup} of ${first.name} and ${share.backup} of ${share.name}: take only shares with the same backup number`,
      );
  if (new Set(shares.map(({ point }) => point)).size !== shares.length)
    throw new KeyError('BAD_SHARE', 'expected different shares, found one twice');
  if (shares.length < first.threshold)
    throw new KeyError(
      'BAD_SHARE',
      `expected at least ${first.threshold} shares of backup ${first.backup}, found ${shares.length}: bring more`,
    );
  return first;
};

/** Whether the bytes are the named key is for `identify` to say. @throws KeyError BAD_SHARE */
export const combineShares = async (shares: readonly KeyShare[]): Promise<Uint8Array> => {
  requireSameBackup(shares);
  return combine(shares.map(({ point, values }) => Uint8Array.from([...values, point])));
};

const numbered = (words: readonly string[]): string =>
  Array.from({ length: words.length / 4 }, (_, row) =>
    words
      .slice(4 * row, 4 * row + 4)
      .map((word, column) => `${String(4 * row + column + 1).padStart(2)} ${word}`.padEnd(14))
      .join('')
      .trimEnd(),
  ).join('\n');

/** For paper and for `parseShare`. */
export const formatShare = ({
  kind,
  name,
  backup,
  index,
  shares,
  threshold,
  point,
  values,
}: KeyShare): string =>
  [
    FORMAT,
    `key: ${kind} ${name}`,
    `backup: ${backup}`,
    `share: ${index} of ${shares}, any ${threshold} restore the key`,
    `point: ${point}`,
    numbered(entropyToMnemonic(values, wordlist).split(' ')),
    '',
  ].join('\n');

const SHARE = new RegExp(
  [
    `^${FORMAT}\\s+`,
    'key: (?<kind>secp256k1|ed25519) (?<name>0x[0-9a-f]{40}|[1-9A-HJ-NP-Za-km-z]{40,64})\\s+',
    'backup: (?<backup>[0-9a-f]{8})\\s+',
    'share: (?<index>\\d{1,2}) of (?<shares>\\d{1,2}), any (?<threshold>\\d{1,2}) restore the key\\s+',
    'point: (?<point>\\d{1,3})\\s+',
    '(?<words>[\\s\\da-z]+)$',
  ].join(''),
);

/** Numbers before the words and line breaks do not matter. @throws KeyError BAD_SHARE */
export const parseShare = (text: string): KeyShare => {
  const found = SHARE.exec(text)?.groups;
  if (found === undefined)
    throw new KeyError(
      'BAD_SHARE',
      `expected a share that begins with "${FORMAT}" and has the lines key, backup, share, point and the words, found another text: compare it with the paper`,
    );
  const { kind, name, backup, index, shares, threshold, point, words } = found as Record<string, string>;
  let values: Uint8Array;
  try {
    values = mnemonicToEntropy(words!.replace(/\d+/g, ' ').trim().split(/\s+/).join(' '), wordlist);
  } catch {
    throw new KeyError(
      'BAD_SHARE',
      `expected the 24 words of share ${index} as they were printed, found others: a word is misspelt, missing or in another place`,
    );
  }
  const share = {
    kind: kind as KeyKind,
    name: name!,
    backup: backup!,
    index: Number(index),
    shares: Number(shares),
    threshold: Number(threshold),
    point: Number(point),
    values,
  };
  requireSharing(share.shares, share.threshold);
  if (values.length !== SECRET_BYTES || share.point < 1 || share.point > 255)
    throw new KeyError(
      'BAD_SHARE',
      `expected 24 words and a point of 1 to 255 in share ${index}, found others`,
    );
  return share;
};
