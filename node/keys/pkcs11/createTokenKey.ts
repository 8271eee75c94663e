/** A new key in a token, and the file that stands for it. */
import { access } from 'node:fs/promises';
import { publicKeyToAddress } from '#consensus/crypto/secp256k1.ts';
import type { Address } from '#consensus/primitives.ts';
import { KeyError } from '#node/keys/errors.ts';
import { writeTokenKey } from '#node/keys/pkcs11/reference.ts';
import { openToken } from '#node/keys/pkcs11/token.ts';

/** A key without its file would be found by nobody, so the file's place is looked at first. @throws KeyError */
export const createTokenKey = async (
  path: string,
  place: { readonly module: string; readonly token: string; readonly label: string },
  pin: string,
): Promise<Address> => {
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (exists)
    throw new KeyError(
      'EXISTS',
      `expected no file at ${path}, found one: a key is never overwritten, choose another name or move it away`,
    );
  const token = openToken({ module: place.module, token: place.token, pin });
  try {
    const address = publicKeyToAddress(await token.generate(place.label));
    await writeTokenKey(path, { ...place, address, pinFile: null });
    return address;
  } finally {
    await token.close();
  }
};
