import fc from 'fast-check';
import native from 'secp256k1/bindings.js';
import { privateKeyToAccount, sign } from 'viem/accounts';
import {
  isPrivateKey,
  privateKeyToAddress,
  recoverAddress,
  signDigest,
} from '#consensus/crypto/secp256k1.ts';
import {
  bytesToHash,
  bytesToHex,
  type Hash,
  hexToBytes,
  type Signature,
  toBigEndian,
} from '#consensus/primitives.ts';

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const privateKeyArbitrary = fc.bigInt(1n, ORDER - 1n).map((scalar) => toBigEndian(scalar, 32));
const digestArbitrary = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytesToHash);

const KEY = new Uint8Array(32).fill(7);
const DIGEST = `0x${'5a'.repeat(32)}` as Hash;
const split = (signature: Signature) => ({
  r: BigInt(signature.slice(0, 66)),
  s: BigInt(`0x${signature.slice(66, 130)}`),
  v: Number.parseInt(signature.slice(130), 16),
});
const join = ({ r, s, v }: { r: bigint; s: bigint; v: number }): Signature =>
  bytesToHex(Uint8Array.of(...toBigEndian(r, 32), ...toBigEndian(s, 32), v)) as Signature;

test('signatures and addresses are the ones that viem makes', async () => {
  await fc.assert(
    fc.asyncProperty(privateKeyArbitrary, digestArbitrary, async (privateKey, digest) => {
      const hexKey = bytesToHex(privateKey);
      expect(privateKeyToAddress(privateKey)).toBe(privateKeyToAccount(hexKey).address.toLowerCase());
      const signature = signDigest(digest, privateKey);
      expect(signature).toBe(await sign({ hash: digest, privateKey: hexKey, to: 'hex' }));
      expect(recoverAddress(digest, signature)).toBe(privateKeyToAddress(privateKey));
    }),
    { numRuns: 25 },
  );
});

test('a high s is refused, although it recovers to the same signer elsewhere', () => {
  const { r, s, v } = split(signDigest(DIGEST, KEY));
  expect(recoverAddress(DIGEST, join({ r, s: ORDER - s, v: v === 27 ? 28 : 27 }))).toBeNull();
});

test('v is 27 or 28 and nothing else', () => {
  const { r, s } = split(signDigest(DIGEST, KEY));
  for (const v of [0, 1, 2, 26, 29, 30, 35, 255])
    expect(recoverAddress(DIGEST, join({ r, s, v }))).toBeNull();
});

test('zero, and r or s outside the group, are nobody’s signature', () => {
  const { r, s, v } = split(signDigest(DIGEST, KEY));
  expect(recoverAddress(DIGEST, `0x${'00'.repeat(65)}` as Signature)).toBeNull();
  for (const bad of [
    { r: 0n, s, v },
    { r, s: 0n, v },
    { r: ORDER, s, v },
    { r: 2n ** 256n - 1n, s, v },
  ])
    expect(recoverAddress(DIGEST, join(bad))).toBeNull();
});

test('a signature of another length is nobody’s signature', () => {
  const signature = signDigest(DIGEST, KEY);
  for (const bad of [signature.slice(0, -2), `${signature}00`, '0x', signature.slice(0, 130)])
    expect(recoverAddress(DIGEST, bad as Signature)).toBeNull();
});

test('another digest recovers to somebody else', () => {
  const other = `0x${'5b'.repeat(32)}` as Hash;
  expect(recoverAddress(other, signDigest(DIGEST, KEY))).not.toBe(privateKeyToAddress(KEY));
});

test('a private key is 32 bytes between 1 and the order', () => {
  expect(isPrivateKey(KEY)).toBe(true);
  for (const bad of [new Uint8Array(32), new Uint8Array(31).fill(1), hexToBytes(`0x${ORDER.toString(16)}`)])
    expect(isPrivateKey(bad)).toBe(false);
});

test('a v of 29 or 30 is refused even where it recovers somebody (RULES 46)', () => {
  const digest = new Uint8Array(32).fill(7);
  const digestHex = bytesToHex(digest) as Hash;
  let recovered = 0;
  // Such a v stands for an r above the curve's order, which fits into the field only when r is small.
  for (let r = 1; r <= 64; r++)
    for (const recovery of [2, 3]) {
      const rs = new Uint8Array(64);
      rs[31] = r;
      rs[63] = 1;
      try {
        native.ecdsaRecover(rs, recovery, digest, false);
      } catch {
        continue;
      }
      recovered++;
      expect(
        recoverAddress(digestHex, bytesToHex(Uint8Array.of(...rs, 27 + recovery)) as Signature),
      ).toBeNull();
    }
  expect(recovered).toBeGreaterThan(0);
});
