/** Who a key file says it is, whatever kind of custody it stands for, without opening it. */
import { keystoreIdentity, readKeystoreFile } from '#node/keys/keystoreFile.ts';
import { readTokenKey } from '#node/keys/pkcs11/reference.ts';

/** An address, a PeerId, or null where the file does not say. @throws KeyError */
export const readKeyName = async (path: string): Promise<string | null> => {
  const tokenKey = await readTokenKey(path);
  if (tokenKey !== null) return tokenKey.address;
  const identity = keystoreIdentity(await readKeystoreFile(path));
  if (identity === null) return null;
  return identity.kind === 'secp256k1' ? identity.address : identity.peerId;
};
