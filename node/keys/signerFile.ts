/** From a file that stands for a signing key to its signer, wherever the key itself is kept. */
import type { Signer } from '#consensus/signer.ts';
import { openKeystoreFile } from '#node/keys/keystoreFile.ts';
import { createLocalSigner } from '#node/keys/localSigner.ts';

/** @throws KeyError */
export const openSignerFile = async (path: string, passphrase: string): Promise<Signer> =>
  createLocalSigner((await openKeystoreFile(path, 'secp256k1', passphrase)).secret);
