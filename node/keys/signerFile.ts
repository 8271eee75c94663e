/** From a file that stands for a signing key to its signer, wherever the key itself is kept. */
import type { Signer } from '#consensus/signer.ts';
import { openKeystoreFile } from '#node/keys/keystoreFile.ts';
import { createLocalSigner } from '#node/keys/localSigner.ts';
import { readPassphraseFile } from '#node/keys/passphrase.ts';
import { createPkcs11Signer } from '#node/keys/pkcs11/pkcs11Signer.ts';
import { readTokenKey } from '#node/keys/pkcs11/reference.ts';
import { openToken } from '#node/keys/pkcs11/token.ts';

/** @param passphrase of a keystore, or the PIN of a token whose key file names no other. @throws KeyError */
export const openSignerFile = async (path: string, passphrase: string): Promise<Signer> => {
  const key = await readTokenKey(path);
  if (key === null) return createLocalSigner((await openKeystoreFile(path, 'secp256k1', passphrase)).secret);
  const pin = key.pinFile === null ? passphrase : await readPassphraseFile(key.pinFile);
  const token = openToken({ module: key.module, token: key.token, pin });
  try {
    return await createPkcs11Signer(token, key.label, key.address);
  } catch (error) {
    await token.close();
    throw error;
  }
};
