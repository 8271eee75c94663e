/**
 * Key files on disk: create once, open with a pass phrase, look at without one.
 *
 * Invariants: written 0600 and durably, never over another key; a key is handed out only if it is of the kind
 * that the caller asked for and matches the address or PeerId that the file claims.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { isPrivateKey, privateKeyToAddress } from '#consensus/crypto/secp256k1.ts';
import { createFileDurably, replaceFileDurably } from '#node/keys/durableFile.ts';
import { KeyError } from '#node/keys/errors.ts';
import {
  decryptKeystore,
  encryptKeystore,
  type KeyKind,
  type Keystore,
  type KeystoreIdentity,
  parseKeystore,
  type ScryptCost,
} from '#node/keys/keystore.ts';
import { seedToPeerId } from '#node/keys/nodeIdentity.ts';

const MAX_FILE_BYTES = 64 * 1024;

export const createSecret = (kind: KeyKind): Uint8Array => {
  for (;;) {
    const secret = new Uint8Array(randomBytes(32));
    if (kind === 'ed25519' || isPrivateKey(secret)) return secret;
  }
};

/** Who 32 secret bytes are. @throws KeyError BAD_KEY */
export const identify = async (kind: KeyKind, secret: Uint8Array): Promise<KeystoreIdentity> => {
  if (kind === 'ed25519') return { kind, peerId: await seedToPeerId(secret) };
  if (!isPrivateKey(secret))
    throw new KeyError('BAD_KEY', 'expected a secp256k1 private key, found a scalar out of range');
  return { kind, address: privateKeyToAddress(secret) };
};

/** @param secret 32 bytes. @throws KeyError EXISTS, UNWRITABLE, BAD_KEY */
export const writeKeystoreFile = async (
  path: string,
  kind: KeyKind,
  secret: Uint8Array,
  passphrase: string,
  cost?: ScryptCost,
): Promise<KeystoreIdentity> => {
  const identity = await identify(kind, secret);
  const text = await encryptKeystore(secret, identity, passphrase, cost);
  try {
    await createFileDurably(path, text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new KeyError(
        'EXISTS',
        `expected no file at ${path}, found one: a key is never overwritten, choose another name or move it away`,
      );
    throw new KeyError('UNWRITABLE', `cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
  return identity;
};

/** @throws KeyError UNREADABLE, BAD_JSON, BAD_SHAPE, TOO_COSTLY */
export const readKeystoreFile = async (path: string): Promise<Keystore> => {
  let text: string;
  try {
    if ((await stat(path)).size > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new KeyError('UNREADABLE', `cannot read the key file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  try {
    return parseKeystore(text);
  } catch (error) {
    if (error instanceof KeyError)
      throw new KeyError(error.code, `${path}: ${error.message}`, { cause: error });
    throw error;
  }
};

/** What the file claims to be, without its pass phrase. Null when it does not say. */
export const keystoreIdentity = (keystore: Keystore): KeystoreIdentity | null => {
  const named = keystore['x-causeway'];
  if (named !== undefined) return { kind: 'ed25519', peerId: named.peerId };
  return keystore.address === undefined ? null : { kind: 'secp256k1', address: `0x${keystore.address}` };
};

/**
 * @returns the 32 secret bytes
 * @throws KeyError UNREADABLE, BAD_JSON, BAD_SHAPE, TOO_COSTLY, WRONG_KIND, WRONG_PASSPHRASE, BAD_KEY
 */
export const openKeystoreFile = async (
  path: string,
  kind: KeyKind,
  passphrase: string,
): Promise<{ readonly secret: Uint8Array; readonly identity: KeystoreIdentity }> => {
  const keystore = await readKeystoreFile(path);
  const found: KeyKind = keystore['x-causeway'] === undefined ? 'secp256k1' : 'ed25519';
  if (found !== kind)
    throw new KeyError(
      'WRONG_KIND',
      `expected a key of kind ${kind} in ${path}, found ${found}: check the [keys] table of the configuration`,
    );
  const secret = await decryptKeystore(keystore, passphrase);
  const identity = await identify(kind, secret);
  const claimed = keystoreIdentity(keystore);
  if (claimed !== null && JSON.stringify(claimed) !== JSON.stringify(identity))
    throw new KeyError(
      'BAD_KEY',
      `expected ${path} to hold the key of ${JSON.stringify(claimed)}, found ${JSON.stringify(identity)}: the file was altered`,
    );
  return { secret, identity };
};

/**
 * The same key in the same file under another pass phrase. The new container is opened before it takes the old one's
 * place, at once and whole, so that at no moment there is a file that neither opens.
 * @throws KeyError as openKeystoreFile, UNWRITABLE
 */
export const changePassphrase = async (
  path: string,
  kind: KeyKind,
  passphrase: { readonly from: string; readonly to: string },
  cost?: ScryptCost,
): Promise<KeystoreIdentity> => {
  const { secret, identity } = await openKeystoreFile(path, kind, passphrase.from);
  const text = await encryptKeystore(secret, identity, passphrase.to, cost);
  const reopened = await decryptKeystore(parseKeystore(text), passphrase.to);
  if (!timingSafeEqual(reopened, secret))
    throw new KeyError(
      'BAD_KEY',
      `expected the new file to hold the same key, found another: nothing was changed`,
    );
  secret.fill(0);
  reopened.fill(0);
  try {
    await replaceFileDurably(path, text);
  } catch (error) {
    throw new KeyError('UNWRITABLE', `cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
  return identity;
};
