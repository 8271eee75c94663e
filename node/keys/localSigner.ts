/**
 * A signer whose secp256k1 key is in this process's memory.
 *
 * Owns the key's copy. Does not own the decision what may be signed: the sign guard stands before this call.
 */
import { isPrivateKey, privateKeyToAddress, signDigest } from '#consensus/crypto/secp256k1.ts';
import { type Signer, signRequestDigest } from '#consensus/signer.ts';
import { KeyError } from '#node/keys/errors.ts';

/** @param privateKey 32 bytes; copied. @throws KeyError BAD_KEY */
export const createLocalSigner = (privateKey: Uint8Array): Signer => {
  if (!isPrivateKey(privateKey))
    throw new KeyError('BAD_KEY', 'expected a secp256k1 private key, found a scalar out of range');
  const key = Uint8Array.from(privateKey);
  return {
    address: privateKeyToAddress(key),
    sign: async (request) => signDigest(signRequestDigest(request), key),
  };
};
