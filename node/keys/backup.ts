/**
 * A key's backup on disk: shares written, read back and combined in every way before the backup counts, and a keystore
 * written only from shares that are the key they say.
 */
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createFileDurably } from '#node/keys/durableFile.ts';
import { KeyError } from '#node/keys/errors.ts';
import type { KeyKind, ScryptCost } from '#node/keys/keystore.ts';
import { identify, openKeystoreFile, writeKeystoreFile } from '#node/keys/keystoreFile.ts';
import { readTokenKey } from '#node/keys/pkcs11/reference.ts';
import { combineShares, formatShare, type KeyShare, parseShare, splitKey } from '#node/keys/shares.ts';

const MAX_SHARE_BYTES = 4_096;

const nameOf = (identity: Awaited<ReturnType<typeof identify>>): string =>
  identity.kind === 'secp256k1' ? identity.address : identity.peerId;

/** @throws KeyError UNREADABLE, BAD_SHARE */
export const readShareFile = async (path: string): Promise<KeyShare> => {
  let text: string;
  try {
    if ((await stat(path)).size > MAX_SHARE_BYTES) throw new Error(`larger than ${MAX_SHARE_BYTES} bytes`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new KeyError('UNREADABLE', `cannot read the share ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  try {
    return parseShare(text);
  } catch (error) {
    if (error instanceof KeyError)
      throw new KeyError(error.code, `${path}: ${error.message}`, { cause: error });
    throw error;
  }
};

/** @returns the secret. @throws KeyError BAD_SHARE when it is not the key that the shares name */
export const restoreSecret = async (shares: readonly KeyShare[]): Promise<Uint8Array> => {
  const secret = await combineShares(shares);
  const { kind, name } = shares[0]!;
  const found = await identify(kind, secret).then(nameOf, () => 'no key');
  if (found !== name)
    throw new KeyError(
      'BAD_SHARE',
      `expected these shares to restore ${name}, found ${found}: one of them was altered, take others`,
    );
  return secret;
};

/** Every group of `size`, at most 12,870 (8 of 16). */
const groupsOf = <T>(list: readonly T[], size: number): T[][] => {
  if (size === 0) return [[]];
  return list.flatMap((first, index) =>
    groupsOf(list.slice(index + 1), size - 1).map((rest) => [first, ...rest]),
  );
};

/** Any threshold of them, from the files as they lie there. */
const rehearse = async (paths: readonly string[]): Promise<void> => {
  const shares = await Promise.all(paths.map(readShareFile));
  for (const group of groupsOf(shares, shares[0]!.threshold)) (await restoreSecret(group)).fill(0);
};

export type Backup = {
  readonly name: string;
  readonly backup: string;
  readonly files: readonly string[];
};

/** Leaves no share behind when one cannot be written or does not restore. @throws KeyError */
export const backUpKey = async (
  path: string,
  kind: KeyKind,
  passphrase: string,
  options: { readonly folder: string; readonly shares: number; readonly threshold: number },
): Promise<Backup> => {
  const { secret, identity } = await openKeystoreFile(path, kind, passphrase);
  const name = nameOf(identity);
  const shares = await splitKey(secret, kind, name, options.shares, options.threshold);
  secret.fill(0);
  const { backup } = shares[0]!;
  const files = shares.map(({ index }) =>
    join(options.folder, `share-${backup}-${index}-of-${options.shares}.txt`),
  );
  try {
    for (const [at, share] of shares.entries()) await createFileDurably(files[at]!, formatShare(share));
    await rehearse(files);
  } catch (error) {
    await Promise.all(files.map((file) => rm(file, { force: true })));
    if (error instanceof KeyError) throw error;
    throw new KeyError(
      'UNWRITABLE',
      `cannot write shares in ${options.folder}: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  return { name, backup, files };
};

/** @throws KeyError BAD_SHARE, EXISTS, UNWRITABLE */
export const restoreKey = async (
  paths: readonly string[],
  out: string,
  passphrase: string,
  cost?: ScryptCost,
): Promise<string> => {
  const shares = await Promise.all(paths.map(readShareFile));
  const secret = await restoreSecret(shares);
  const identity = await writeKeystoreFile(out, shares[0]!.kind, secret, passphrase, cost);
  secret.fill(0);
  return nameOf(identity);
};

/** @throws KeyError UNSUPPORTED */
export const requireNoToken = async (path: string): Promise<void> => {
  if ((await readTokenKey(path)) !== null)
    throw new KeyError(
      'UNSUPPORTED',
      `expected a keystore at ${path}, found a key in a token, which nothing can take out: back the token up with its vendor's tool`,
    );
};
