/**
 * A signer whose key never leaves a PKCS#11 token.
 *
 * Owns what plain ECDSA leaves open: low-s, and the parity of the point, found by trial recovery against the known
 * address (RULES 46). A token signs the same digest differently each time: the sign guard, which stands before this call,
 * keeps the signature itself. Does not own the token's thread.
 */
import { publicKeyToAddress, recoverAddress } from '#consensus/crypto/secp256k1.ts';
import {
  type Address,
  bytesToHex,
  type Hash,
  hexToBytes,
  type Signature,
  toBigEndian,
} from '#consensus/primitives.ts';
import { type Signer, signRequestDigest } from '#consensus/signer.ts';
import { KeyError } from '#node/keys/errors.ts';
import type { Token } from '#node/keys/pkcs11/token.ts';

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** @param plain 64 bytes, r ‖ s. @throws KeyError BAD_KEY when it is not by that address */
export const toStrictSignature = (digest: Hash, plain: Uint8Array, address: Address): Signature => {
  const s = BigInt(bytesToHex(plain.subarray(32, 64)));
  const bytes = new Uint8Array(65);
  bytes.set(plain.subarray(0, 32), 0);
  bytes.set(toBigEndian(s > ORDER / 2n ? ORDER - s : s, 32), 32);
  for (const v of [27, 28]) {
    bytes[64] = v;
    const signature = bytesToHex(bytes) as Signature;
    if (recoverAddress(digest, signature) === address) return signature;
  }
  throw new KeyError(
    'BAD_KEY',
    `expected a signature by ${address} from the token, found another one: its key was replaced`,
  );
};

/** Checks that the token holds the key of that address. @throws KeyError BAD_KEY, TOKEN_UNAVAILABLE, WRONG_PASSPHRASE */
export const createPkcs11Signer = async (token: Token, label: string, address: Address): Promise<Signer> => {
  const found = publicKeyToAddress(await token.publicKey(label));
  if (found !== address)
    throw new KeyError(
      'BAD_KEY',
      `expected the key of ${address} labelled "${label}" in the token, found that of ${found}: another token, or the key file was altered`,
    );
  return {
    address,
    sign: async (request) => {
      const digest = signRequestDigest(request);
      return toStrictSignature(digest, await token.sign(label, hexToBytes(digest)), address);
    },
  };
};
