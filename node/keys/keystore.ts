/**
 * Web3 keystore v3: a private key under a pass phrase, as geth, ethers and Besu read and write it.
 *
 * Owns encryption and decryption of the container. Does not own files (keystoreFile.ts) or what the key is for.
 * Invariants: AES-128-CTR with scrypt or PBKDF2-HMAC-SHA256; the MAC is checked before anything is decrypted; the
 * cost that a file may ask for is bounded, so that a hostile file cannot exhaust the machine.
 * Source: ethereum.org "Web3 secret storage definition".
 */
import {
  createCipheriv,
  createDecipheriv,
  pbkdf2,
  randomBytes,
  randomUUID,
  scrypt,
  timingSafeEqual,
} from 'node:crypto';
import { promisify } from 'node:util';
import { scrypt as scryptInWasm } from 'hash-wasm';
import { z } from 'zod';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { concatBytes } from '#consensus/primitives.ts';
import { KeyError } from '#node/keys/errors.ts';

/** What the 32 secret bytes are. geth and ethers know secp256k1 only, and ignore the member that says otherwise. */
export type KeyKind = 'secp256k1' | 'ed25519';

export type KeystoreIdentity =
  | { readonly kind: 'secp256k1'; readonly address: string }
  | { readonly kind: 'ed25519'; readonly peerId: string };

const hex = (sizeBytes?: number) =>
  z
    .string()
    .regex(
      sizeBytes === undefined
        ? /^(0x)?([0-9a-fA-F]{2})*$/
        : new RegExp(`^(0x)?[0-9a-fA-F]{${2 * sizeBytes}}$`),
      sizeBytes === undefined ? 'expected hex' : `expected ${sizeBytes} bytes of hex`,
    )
    .transform((text) => Buffer.from(text.replace(/^0x/, ''), 'hex'));

const positive = z.int().positive();
const salt = hex().refine(
  (bytes) => bytes.length >= 8 && bytes.length <= 64,
  'expected a salt of 8 to 64 bytes',
);

const cryptoSchema = z.intersection(
  z.object({
    cipher: z.literal('aes-128-ctr', { error: 'expected the cipher aes-128-ctr' }),
    cipherparams: z.object({ iv: hex(16) }),
    ciphertext: hex(32),
    mac: hex(32),
  }),
  z.discriminatedUnion('kdf', [
    z.object({
      kdf: z.literal('scrypt'),
      kdfparams: z.object({ n: positive, r: positive, p: positive, dklen: z.literal(32), salt }),
    }),
    z.object({
      kdf: z.literal('pbkdf2'),
      kdfparams: z.object({
        c: positive,
        prf: z.literal('hmac-sha256', { error: 'expected the prf hmac-sha256' }),
        dklen: z.literal(32),
        salt,
      }),
    }),
  ]),
);

/** Some writers capitalise `Crypto`; every other extra member (ethers' `x-ethers`) is left alone. */
const keystoreSchema = z.preprocess(
  (json) =>
    typeof json === 'object' && json !== null && 'Crypto' in json && !('crypto' in json)
      ? { ...json, crypto: json.Crypto }
      : json,
  z.object({
    version: z.literal(3, { error: 'expected version 3 of the Web3 keystore' }),
    address: z
      .string()
      .regex(/^(0x)?[0-9a-fA-F]{40}$/)
      .transform((text) => text.replace(/^0x/, '').toLowerCase())
      .optional(),
    'x-causeway': z.strictObject({ keyType: z.literal('ed25519'), peerId: z.string().max(128) }).optional(),
    crypto: cryptoSchema,
  }),
);

export type Keystore = z.infer<typeof keystoreSchema>;
type Kdf = Keystore['crypto'];

const MAX_SCRYPT_MEMORY_BYTES = 1024 ** 3;
const MAX_SCRYPT_PASSES = 16;
const MAX_PBKDF2_ROUNDS = 10_000_000;

/** @throws KeyError BAD_JSON, BAD_SHAPE, TOO_COSTLY */
export const parseKeystore = (text: string): Keystore => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new KeyError('BAD_JSON', `expected a JSON keystore, found: ${(error as Error).message}`);
  }
  const parsed = keystoreSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new KeyError(
      'BAD_SHAPE',
      `expected a Web3 keystore v3, found at ${issue?.path.join('.') || 'the top'}: ${issue?.message}`,
    );
  }
  checkCost(parsed.data.crypto);
  return parsed.data;
};

const checkCost = (crypto: Kdf): void => {
  if (crypto.kdf === 'pbkdf2') {
    if (crypto.kdfparams.c > MAX_PBKDF2_ROUNDS)
      throw new KeyError(
        'TOO_COSTLY',
        `expected at most ${MAX_PBKDF2_ROUNDS} PBKDF2 rounds, found ${crypto.kdfparams.c}: write the key again with a usual cost`,
      );
    return;
  }
  const { n, r, p } = crypto.kdfparams;
  if (n < 2 || (n & (n - 1)) !== 0 || n > 2 ** 30)
    throw new KeyError('BAD_SHAPE', `expected scrypt's n as a power of two up to 2^30, found ${n}`);
  if (128 * n * r > MAX_SCRYPT_MEMORY_BYTES || r > 64 || p > MAX_SCRYPT_PASSES)
    throw new KeyError(
      'TOO_COSTLY',
      `expected scrypt within 1 GiB and ${MAX_SCRYPT_PASSES} passes, found n = ${n}, r = ${r}, p = ${p}: write the key again with a usual cost`,
    );
};

const runScrypt = promisify<
  string,
  Buffer,
  number,
  { N: number; r: number; p: number; maxmem: number },
  Buffer
>(scrypt);
const runPbkdf2 = promisify(pbkdf2);

type ScryptParams = ScryptCost & { readonly dklen: number; readonly salt: Buffer };

const deriveByScrypt = async (
  passphrase: string,
  { n, r, p, dklen, salt }: ScryptParams,
): Promise<Buffer> => {
  // OpenSSL refuses N ≥ 2^(16·r), which the definition's own test vector uses.
  if (r < 2 && n >= 2 ** (16 * r))
    return Buffer.from(
      await scryptInWasm({
        password: passphrase,
        salt,
        costFactor: n,
        blockSize: r,
        parallelism: p,
        hashLength: dklen,
        outputType: 'binary',
      }),
    );
  return runScrypt(passphrase, salt, dklen, { N: n, r, p, maxmem: 128 * r * (n + 2 + p) });
};

const deriveKey = (passphrase: string, crypto: Pick<Kdf, 'kdf' | 'kdfparams'>): Promise<Buffer> => {
  const normalised = passphrase.normalize('NFKC');
  if ('n' in crypto.kdfparams) return deriveByScrypt(normalised, crypto.kdfparams);
  const { c, dklen, salt } = crypto.kdfparams;
  return runPbkdf2(normalised, salt, c, dklen, 'sha256');
};

const macOf = (derived: Buffer, ciphertext: Uint8Array): Uint8Array =>
  keccak256(concatBytes(derived.subarray(16, 32), ciphertext));

/** @returns the 32 secret bytes. @throws KeyError WRONG_PASSPHRASE */
export const decryptKeystore = async (keystore: Keystore, passphrase: string): Promise<Uint8Array> => {
  const { crypto } = keystore;
  const derived = await deriveKey(passphrase, crypto);
  if (!timingSafeEqual(macOf(derived, crypto.ciphertext), crypto.mac))
    throw new KeyError(
      'WRONG_PASSPHRASE',
      'expected the pass phrase that the key was written with, found another one (or a damaged file): check the pass phrase',
    );
  const decipher = createDecipheriv('aes-128-ctr', derived.subarray(0, 16), crypto.cipherparams.iv);
  return new Uint8Array(Buffer.concat([decipher.update(crypto.ciphertext), decipher.final()]));
};

export type ScryptCost = { readonly n: number; readonly r: number; readonly p: number };
/** geth's standard cost: about a second and 256 MiB. */
export const STANDARD_COST: ScryptCost = { n: 2 ** 18, r: 8, p: 1 };
/** For devnets and tests, whose pass phrase lies beside the key: milliseconds. */
export const LIGHT_COST: ScryptCost = { n: 2 ** 12, r: 8, p: 1 };

/** @param secret 32 bytes. @returns the file's text */
export const encryptKeystore = async (
  secret: Uint8Array,
  identity: KeystoreIdentity,
  passphrase: string,
  cost: ScryptCost = STANDARD_COST,
): Promise<string> => {
  if (secret.length !== 32)
    throw new KeyError('BAD_KEY', `expected a key of 32 bytes, found ${secret.length}`);
  const salt = randomBytes(32);
  const iv = randomBytes(16);
  const derived = await deriveKey(passphrase, { kdf: 'scrypt', kdfparams: { ...cost, dklen: 32, salt } });
  const cipher = createCipheriv('aes-128-ctr', derived.subarray(0, 16), iv);
  const ciphertext = Buffer.concat([cipher.update(secret), cipher.final()]);
  const container = {
    version: 3,
    id: randomUUID(),
    ...(identity.kind === 'secp256k1'
      ? { address: identity.address.replace(/^0x/, '').toLowerCase() }
      : { 'x-causeway': { keyType: 'ed25519', peerId: identity.peerId } }),
    crypto: {
      cipher: 'aes-128-ctr',
      cipherparams: { iv: iv.toString('hex') },
      ciphertext: ciphertext.toString('hex'),
      kdf: 'scrypt',
      kdfparams: { n: cost.n, r: cost.r, p: cost.p, dklen: 32, salt: salt.toString('hex') },
      mac: Buffer.from(macOf(derived, ciphertext)).toString('hex'),
    },
  };
  return `${JSON.stringify(container, null, 2)}\n`;
};
