/**
 * One session at a PKCS#11 token: finds a key, makes one, signs a digest. Synchronous; it lives in a thread of its own.
 *
 * Owns every call of the library. Keys are made sensitive and not extractable.
 */
import type { PKCS11 } from 'pkcs11js';
import type { KeyErrorCode } from '#node/keys/errors.ts';

type Pkcs11Js = typeof import('pkcs11js');

/** Crosses threads as plain data. */
export type TokenFault = { readonly code: KeyErrorCode; readonly message: string };

export class TokenError extends Error {
  override readonly name = 'TokenError';
  readonly fault: TokenFault;
  constructor(code: KeyErrorCode, message: string) {
    super(message);
    this.fault = { code, message };
  }
}

/** DER of the object identifier 1.3.132.0.10, secp256k1. */
const SECP256K1 = Buffer.from('06052b8104000a', 'hex');

export type TokenSession = {
  /** 65 bytes, uncompressed. */
  publicKey(label: string): Uint8Array;
  /** @returns the same for a new key */
  generate(label: string): Uint8Array;
  /** @param digest 32 bytes. @returns r ‖ s, not normalised */
  sign(label: string, digest: Uint8Array): Uint8Array;
  /** Also lets the library forget what it knows of the token, as it must after a loss; others open their sessions anew. */
  abandon(): void;
};

const loadLibrary = async (): Promise<Pkcs11Js> => {
  try {
    const loaded = (await import('pkcs11js')) as Pkcs11Js & { readonly default?: Pkcs11Js };
    return loaded.default ?? loaded;
  } catch (error) {
    throw new TokenError(
      'UNSUPPORTED',
      `expected the optional package pkcs11js, found: ${(error as Error).message}: install a compiler (make, g++, python3) and run npm install again`,
    );
  }
};

const loadModule = (pkcs11js: Pkcs11Js, module: string): PKCS11 => {
  const library = new pkcs11js.PKCS11();
  try {
    library.load(module);
  } catch (error) {
    throw new TokenError(
      'UNSUPPORTED',
      `expected a PKCS#11 library at ${module}, found: ${(error as Error).message}: check "module" in the key file`,
    );
  }
  try {
    library.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
  } catch (error) {
    if ((error as { code?: number }).code !== pkcs11js.CKR_CRYPTOKI_ALREADY_INITIALIZED) throw error;
  }
  return library;
};

const findSlot = (library: PKCS11, token: string): Buffer => {
  const labels = library.C_GetSlotList(true).map((slot) => {
    return { slot, label: library.C_GetTokenInfo(slot).label.trim() };
  });
  const matching = labels.filter(({ label }) => label === token);
  if (matching.length !== 1)
    throw new TokenError(
      'TOKEN_UNAVAILABLE',
      `expected one token labelled "${token}", found ${matching.length} among ${labels.map(({ label }) => `"${label}"`).join(', ') || 'no token'}: plug it in, or check "token" in the key file`,
    );
  return matching[0]!.slot;
};

/** @throws TokenError WRONG_PASSPHRASE, TOKEN_UNAVAILABLE, UNSUPPORTED */
export const openTokenSession = async (module: string, token: string, pin: string): Promise<TokenSession> => {
  const pkcs11js = await loadLibrary();
  const library = loadModule(pkcs11js, module);
  try {
    const flags = pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION;
    const session = library.C_OpenSession(findSlot(library, token), flags);
    logIn(pkcs11js, library, session, token, pin);
    return createSession(pkcs11js, library, session, token);
  } catch (error) {
    library.C_Finalize(); // or it goes on to believe that the token is not there
    throw error;
  }
};

const logIn = (pkcs11js: Pkcs11Js, library: PKCS11, session: Buffer, token: string, pin: string): void => {
  try {
    library.C_Login(session, pkcs11js.CKU_USER, pin);
  } catch (error) {
    const { code } = error as { code?: number };
    if (code === pkcs11js.CKR_USER_ALREADY_LOGGED_IN) return;
    if (code === pkcs11js.CKR_PIN_INCORRECT || code === pkcs11js.CKR_PIN_LEN_RANGE)
      throw new TokenError(
        'WRONG_PASSPHRASE',
        `expected the PIN of token "${token}", found another one: check it, most tokens lock after a few tries`,
      );
    if (code === pkcs11js.CKR_PIN_LOCKED)
      throw new TokenError('TOKEN_UNAVAILABLE', `expected token "${token}" open, found its PIN locked`);
    throw error;
  }
};

const createSession = (pkcs11js: Pkcs11Js, library: PKCS11, session: Buffer, token: string): TokenSession => {
  const find = (kind: number, label: string): Buffer[] => {
    library.C_FindObjectsInit(session, [
      { type: pkcs11js.CKA_CLASS, value: kind },
      { type: pkcs11js.CKA_LABEL, value: label },
    ]);
    try {
      return library.C_FindObjects(session, 2);
    } finally {
      library.C_FindObjectsFinal(session);
    }
  };
  const requireOne = (kind: number, label: string): Buffer => {
    const found = find(kind, label);
    if (found.length !== 1)
      throw new TokenError(
        'BAD_KEY',
        `expected one key labelled "${label}" in token "${token}", found ${found.length === 0 ? 'none' : 'several'}: check "label" in the key file`,
      );
    return found[0]!;
  };
  /** CKA_EC_POINT is an OCTET STRING around the point; some tokens leave the wrapping out. */
  const pointOf = (publicKey: Buffer): Uint8Array => {
    const [attribute] = library.C_GetAttributeValue(session, publicKey, [{ type: pkcs11js.CKA_EC_POINT }]);
    const value = attribute!.value;
    const point = value.length === 67 && value[0] === 0x04 && value[1] === 0x41 ? value.subarray(2) : value;
    if (point.length !== 65 || point[0] !== 0x04)
      throw new TokenError(
        'BAD_KEY',
        'expected an uncompressed secp256k1 point in the token, found another key',
      );
    return Uint8Array.from(point);
  };

  return {
    publicKey: (label) => pointOf(requireOne(pkcs11js.CKO_PUBLIC_KEY, label)),
    generate: (label) => {
      if ([pkcs11js.CKO_PRIVATE_KEY, pkcs11js.CKO_PUBLIC_KEY].some((kind) => find(kind, label).length > 0))
        throw new TokenError(
          'EXISTS',
          `expected no key labelled "${label}" in token "${token}", found one: a key is never overwritten, choose another label`,
        );
      const common = [
        { type: pkcs11js.CKA_TOKEN, value: true },
        { type: pkcs11js.CKA_LABEL, value: label },
      ];
      const { publicKey } = library.C_GenerateKeyPair(
        session,
        { mechanism: pkcs11js.CKM_EC_KEY_PAIR_GEN },
        [
          ...common,
          { type: pkcs11js.CKA_VERIFY, value: true },
          { type: pkcs11js.CKA_EC_PARAMS, value: SECP256K1 },
        ],
        [
          ...common,
          { type: pkcs11js.CKA_PRIVATE, value: true },
          { type: pkcs11js.CKA_SIGN, value: true },
          { type: pkcs11js.CKA_SENSITIVE, value: true },
          { type: pkcs11js.CKA_EXTRACTABLE, value: false },
        ],
      );
      return pointOf(publicKey);
    },
    sign: (label, digest) => {
      const [key] = find(pkcs11js.CKO_PRIVATE_KEY, label);
      if (key === undefined)
        throw new TokenError(
          'TOKEN_UNAVAILABLE',
          `expected the key labelled "${label}" still in token "${token}", found none: plug the token in again`,
        );
      library.C_SignInit(session, { mechanism: pkcs11js.CKM_ECDSA }, key);
      return Uint8Array.from(library.C_Sign(session, Buffer.from(digest), Buffer.alloc(64)));
    },
    abandon: () => library.C_Finalize(),
  };
};
