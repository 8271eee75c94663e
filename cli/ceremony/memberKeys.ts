/**
 * A member's keys in a ceremony: made or taken in its own folder, which never travels.
 *
 *   governance.json, SEAT.json, SEAT-node.json, deployer.json; and what this member signed, one file an opening
 *
 * Invariants: a key is made once and taken from then on; the folder is not inside the ceremony's; what the member enrolled
 * and approved is remembered beside its keys, so that a folder that somebody else prepared cannot make it forget.
 */
import { readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { CeremonyFiles } from '#cli/ceremony/folder.ts';
import { hasFile } from '#cli/ceremony/folder.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { Signer } from '#consensus/signer.ts';
import { CeremonyError } from '#genesis/ceremony/errors.ts';
import type { Organisation } from '#genesis/ceremony/plan.ts';
import { createFileDurably } from '#node/keys/durableFile.ts';
import type { ScryptCost } from '#node/keys/keystore.ts';
import { createSecret, openKeystoreFile, writeKeystoreFile } from '#node/keys/keystoreFile.ts';
import { openSignerFile } from '#node/keys/signerFile.ts';

export type MemberKeys = {
  readonly folder: string;
  readonly passphrase: string;
  readonly cost: ScryptCost;
};

/** @throws CliError KEYS_IN_CEREMONY */
export const requireKeysApart = (keys: string, { root }: CeremonyFiles): void => {
  const path = relative(resolve(root), resolve(keys));
  if (path === '' || !(path.startsWith('..') || resolve(path) === path))
    throw new CliError(`expected keys outside the ceremony's folder ${root}, found them in ${keys}`, {
      code: 'KEYS_IN_CEREMONY',
      exitCode: EXIT.config,
      hint: 'The ceremony’s folder travels to other members. Name a folder that stays with you with --keys.',
    });
};

/** Made if it is not there. */
export const takeSigner = async ({ folder, passphrase, cost }: MemberKeys, name: string): Promise<Signer> => {
  const path = join(folder, `${name}.json`);
  if (!(await hasFile(path)))
    await writeKeystoreFile(path, 'secp256k1', createSecret('secp256k1'), passphrase, cost);
  return openSignerFile(path, passphrase);
};

/** Made if it is not there. */
export const takeNodeKey = async (
  { folder, passphrase, cost }: MemberKeys,
  seat: string,
): Promise<{ readonly seed: Uint8Array; readonly peerId: string }> => {
  const path = join(folder, `${seat}-node.json`);
  if (!(await hasFile(path)))
    await writeKeystoreFile(path, 'ed25519', createSecret('ed25519'), passphrase, cost);
  const { secret, identity } = await openKeystoreFile(path, 'ed25519', passphrase);
  if (identity.kind !== 'ed25519') throw new Error('a node key has a PeerId');
  return { seed: secret, peerId: identity.peerId };
};

/** It exists before the ceremony: the plan names its address. @throws CeremonyError WRONG_KEY, KeyError */
export const openGovernance = async (
  { folder, passphrase }: Pick<MemberKeys, 'folder' | 'passphrase'>,
  { name, governanceKey }: Organisation,
): Promise<Signer> => {
  const path = join(folder, 'governance.json');
  const signer = await openSignerFile(path, passphrase);
  if (signer.address !== governanceKey)
    throw new CeremonyError(
      'WRONG_KEY',
      `expected ${path} to hold the governance key ${governanceKey} that the opening names for ${name}, found ${signer.address}: the opening names somebody else for you, or this is another key; do not go on before you know which`,
    );
  return signer;
};

type Act = 'enrolment' | 'approval';

const recordPath = (folder: string, openHash: Hash, act: Act): string =>
  join(folder, `signed-${openHash.slice(2, 18)}-${act}.json`);

/** What this member signed in this ceremony, or null. */
export const recallSigned = async (folder: string, openHash: Hash, act: Act): Promise<string | null> => {
  try {
    return await readFile(recordPath(folder, openHash, act), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new CliError(`cannot read what was signed in ${folder}: ${(error as Error).message}`, {
      code: 'UNREADABLE',
      exitCode: EXIT.config,
      hint: 'Check its permissions.',
      cause: error,
    });
  }
};

/** Before it leaves this machine. */
export const rememberSigned = (folder: string, openHash: Hash, act: Act, text: string): Promise<void> =>
  createFileDurably(recordPath(folder, openHash, act), text, 0o600);
