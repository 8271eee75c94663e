import { randomInt } from 'node:crypto';
import { Hardfork } from '@ethereumjs/common';
import { createEVM, type EVM, type ExecResult } from '@ethereumjs/evm';
import { bls12_381 } from '@noble/curves/bls12-381.js';
import { p256 } from '@noble/curves/nist.js';
import { bytesToHex } from '#consensus/primitives.ts';
import { type ChainCommon, createChainCommon } from '#node/execution/chainCommon.ts';
import { type CryptoLibraries, loadCryptoLibraries } from '#node/execution/cryptoLibraries.ts';
import { fastPrecompiles } from '#node/execution/precompiles.ts';

const SEED = Number(process.env.CAUSEWAY_SEED ?? randomInt(2 ** 31));
const replay = `(seed ${SEED}; replay: CAUSEWAY_SEED=${SEED} npm test -- fastPrecompiles)`;

let common: ChainCommon;
let libraries: CryptoLibraries;
let library: EVM;

beforeAll(async () => {
  libraries = await loadCryptoLibraries();
  common = createChainCommon(42_424n, libraries.kzg);
  library = await createEVM({ common });
});

const createBytes = (seed: number): ((length: number) => Uint8Array) => {
  let state = BigInt(seed) + 1n;
  return (length) =>
    Uint8Array.from({ length }, () => {
      state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) & ((1n << 64n) - 1n);
      return Number(state >> 40n) & 255;
    });
};

const keyOf = (address: string): string => address.padStart(40, '0');
const summary = ({ returnValue, executionGasUsed, exceptionError }: ExecResult) => ({
  returned: bytesToHex(returnValue),
  executionGasUsed,
  error: exceptionError?.error,
});

const expectSame = async (address: string, data: Uint8Array, gasLimit = 1_000_000n): Promise<string> => {
  const input = { data, gasLimit, common, _EVM: library as never };
  const ours = fastPrecompiles(common).find(
    (custom) => custom.address.toString().slice(2) === keyOf(address),
  )!;
  const found = summary(await ours.function(input));
  expect({ data: bytesToHex(data), ...found }).toEqual({
    data: bytesToHex(data),
    ...summary(await library.precompiles.get(keyOf(address))!(input)),
  });
  return found.returned;
};

test(`blake2f equals the library’s for any number of rounds ${replay}`, async () => {
  const bytes = createBytes(SEED);
  const inputOf = (rounds: number, last: number): Uint8Array => {
    const input = Uint8Array.from([0, 0, 0, 0, ...bytes(208), last]);
    new DataView(input.buffer).setUint32(0, rounds);
    return input;
  };
  for (let rounds = 0; rounds < 45; rounds++)
    for (const last of [0, 1]) await expectSame('09', inputOf(rounds, last));
  for (let i = 0; i < 30; i++) await expectSame('09', inputOf(bytes(1)[0]! * 7, bytes(1)[0]! & 1));
  await expectSame('09', inputOf(12, 2));
  await expectSame('09', inputOf(4_000_000_000, 1));
  await expectSame('09', inputOf(1_000, 1), 999n);
  await expectSame('09', inputOf(1_000, 1), 1_000n);
  for (const length of [0, 1, 212, 214]) await expectSame('09', bytes(length));
  await expectSame('09', inputOf(3, 0).subarray(0));
  // Data that begins in the middle of a buffer, as memory's does.
  await expectSame('09', Uint8Array.from([9, 9, 9, ...inputOf(5, 1)]).subarray(3));
});

describe('P-256', () => {
  const { Point } = p256;
  const ORDER = Point.Fn.ORDER;
  const FIELD = Point.Fp.ORDER;
  const G = Point.BASE;
  const to32 = (value: bigint): Uint8Array =>
    Uint8Array.from(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'));
  const inputOf = (digest: bigint, r: bigint, s: bigint, x: bigint, y: bigint): Uint8Array =>
    Uint8Array.from([digest, r, s, x, y].flatMap((value) => [...to32(value)]));
  const toBigInt = (value: Uint8Array): bigint => BigInt(bytesToHex(value));
  const VALID = `0x${'00'.repeat(31)}01`;
  const check = async (
    expected: boolean,
    ...values: [bigint, bigint, bigint, bigint, bigint]
  ): Promise<void> => expect(await expectSame('0100', inputOf(...values))).toBe(expected ? VALID : '0x');

  /** Any R, s and digest are a signature of the key that they determine. */
  const signatureWith = (point: InstanceType<typeof Point>, s: bigint, digest: bigint) => {
    const r = point.toAffine().x % ORDER;
    const z = digest % ORDER;
    const sum = point.multiply(s).add(z === 0n ? Point.ZERO : G.multiply(z).negate());
    return { r, key: sum.multiply(Point.Fn.inv(r)).toAffine() };
  };

  test(`equals the library’s on signatures and on what is nearly one ${replay}`, async () => {
    const bytes = createBytes(SEED);
    for (let i = 0; i < 12; i++) {
      const secret = (toBigInt(bytes(32)) % (ORDER - 1n)) + 1n;
      const nonce = (toBigInt(bytes(32)) % (ORDER - 1n)) + 1n;
      const digest = toBigInt(bytes(32));
      const key = G.multiply(secret).toAffine();
      const r = G.multiply(nonce).toAffine().x % ORDER;
      const s = (Point.Fn.inv(nonce) * ((digest + r * secret) % ORDER)) % ORDER;
      await check(true, digest, r, s, key.x, key.y);
      await check(true, digest, r, ORDER - s, key.x, key.y);
      await check(false, digest ^ 1n, r, s, key.x, key.y);
      await check(false, digest, r, s, key.x, FIELD - key.y);
      await check(false, digest, s, r, key.x, key.y);
      await check(false, digest, r, s, key.y, key.x);
      await check(false, digest, r, s + 1n, key.x, key.y);
      await expectSame('0100', bytes(160));
    }
  });

  test('equals the library’s at the edges', async () => {
    const key = G.multiply(77n).toAffine();
    const point = G.multiply(123_456_789n);
    for (const digest of [0n, 1n, ORDER - 1n, ORDER, ORDER + 1n, 2n ** 256n - 1n]) {
      const made = signatureWith(point, 5n, digest);
      await check(true, digest, made.r, 5n, made.key.x, made.key.y);
      await check(false, digest, made.r, 6n, made.key.x, made.key.y);
    }
    for (const bad of [0n, ORDER, ORDER + 1n, 2n ** 256n - 1n]) {
      await check(false, 3n, bad, 5n, key.x, key.y);
      await check(false, 3n, 5n, bad, key.x, key.y);
    }
    await check(false, 3n, 5n, 5n, 0n, 0n);
    await check(false, 3n, 5n, 5n, key.x, key.y + 1n);
    await check(false, 3n, 5n, 5n, key.x + FIELD > 2n ** 256n ? key.x : key.x + FIELD, key.y ^ 1n);
    await check(false, 3n, 5n, 5n, FIELD, key.y);
    for (const length of [0, 159, 161]) expect(await expectSame('0100', new Uint8Array(length))).toBe('0x');
    await expectSame('0100', inputOf(3n, 5n, 5n, key.x, key.y), 6_899n);
  });

  test('a key opposite to (z/r)·G makes infinity, one equal to it doubles', async () => {
    for (const factor of [1n, 9n, ORDER - 2n]) {
      const z = (factor * 5n) % ORDER;
      const opposite = G.multiply(factor).negate().toAffine();
      await check(false, z, 5n, 7n, opposite.x, opposite.y);
      const equal = G.multiply(factor).toAffine();
      await expectSame('0100', inputOf(z, 5n, 7n, equal.x, equal.y));
    }
    const r = G.multiply(4n).toAffine().x % ORDER;
    const nonce = 4n;
    // s·R = z·G + r·Q with Q = (z/r)·G: s = 2·z/k.
    const z = (r * 3n) % ORDER;
    const key = G.multiply(3n).toAffine();
    const s = (2n * z * Point.Fn.inv(nonce)) % ORDER;
    await check(true, z, r, s, key.x, key.y);
  });

  test('an x of R that is beyond the order counts modulo the order', async () => {
    let x = ORDER;
    const lift = (): InstanceType<typeof Point> | null => {
      try {
        return Point.fromHex(`02${x.toString(16).padStart(64, '0')}`);
      } catch {
        return null;
      }
    };
    let found = 0;
    for (x = ORDER + 1n; found < 3; x++) {
      const point = lift();
      if (point === null) continue;
      found += 1;
      const { r, key } = signatureWith(point, 11n, 1_000n);
      expect(r).toBe(x - ORDER);
      await check(true, 1_000n, r, 11n, key.x, key.y);
      await check(false, 1_000n, r + 1n, 11n, key.x, key.y);
    }
  });
});

describe('BLS12-381 additions', () => {
  const padded = (value: bigint): string => value.toString(16).padStart(128, '0');
  const { G1, G2 } = bls12_381;
  const FIELD = bls12_381.fields.Fp.ORDER;
  const encodeG1 = (scalar: bigint): string => {
    if (scalar === 0n) return padded(0n).repeat(2);
    const { x, y } = G1.Point.BASE.multiply(scalar).toAffine();
    return padded(x) + padded(y);
  };
  const encodeG2 = (scalar: bigint): string => {
    if (scalar === 0n) return padded(0n).repeat(4);
    const { x, y } = G2.Point.BASE.multiply(scalar).toAffine();
    return padded(x.c0) + padded(x.c1) + padded(y.c0) + padded(y.c1);
  };
  /** The library's own BLS is JavaScript; ours is under the library's precompile. */
  const compare = async (address: string, hex: string): Promise<void> => {
    const data = Uint8Array.from(Buffer.from(hex, 'hex'));
    const found = summary(
      await library.precompiles.get(keyOf(address))!({
        data,
        gasLimit: 10_000n,
        common,
        _EVM: { ...library, _bls: libraries.bls } as never,
      }),
    );
    const expected = summary(
      await library.precompiles.get(keyOf(address))!({
        data,
        gasLimit: 10_000n,
        common,
        _EVM: library as never,
      }),
    );
    // Both fail with all gas; the words differ between the library's own two implementations as well.
    expect({ hex, ...found, error: found.error !== undefined }).toEqual({
      hex,
      ...expected,
      error: expected.error !== undefined,
    });
  };

  test(`equal the library’s, whatever is added ${replay}`, async () => {
    const bytes = createBytes(SEED);
    const scalars = [0n, 1n, 2n, G1.Point.Fn.ORDER - 1n];
    for (let i = 0; i < 4; i++) scalars.push(BigInt(bytesToHex(bytes(30))) + 1n);
    for (const a of scalars)
      for (const b of scalars) {
        await compare('0b', encodeG1(a) + encodeG1(b));
        await compare('0d', encodeG2(a) + encodeG2(b));
      }
  });

  test('refuse what the library refuses', async () => {
    const [one, two] = [encodeG1(1n), encodeG2(1n)];
    for (let i = 0; i < 2; i++) {
      const outside = one.slice(0, 128 * i) + padded(FIELD + BigInt(i)) + one.slice(128 * (i + 1));
      await compare('0b', outside + one);
      await compare('0b', one + outside);
      await compare('0b', one.slice(0, 128 * i) + padded(0n) + one.slice(128 * (i + 1)) + one);
      await compare('0b', `${one.slice(0, -1)}0${one}`);
    }
    for (let i = 0; i < 4; i++) {
      const outside = two.slice(0, 128 * i) + padded(FIELD) + two.slice(128 * (i + 1));
      await compare('0d', outside + two);
      await compare('0d', two + outside);
      await compare('0d', two.slice(0, 128 * i) + padded(5n) + two.slice(128 * (i + 1)) + two);
    }
    // Of the curve, not of the subgroup: additions ask only for the curve.
    const cofactor = G1.Point.fromAffine({ x: 0n, y: 2n }).toAffine();
    await compare('0b', padded(cofactor.x) + padded(cofactor.y) + one);
    // The same point, its x written as the modulus.
    await compare('0b', padded(FIELD) + padded(2n) + one);
    for (const length of [0, 254, 258]) await compare('0b', '00'.repeat(length));
  });
});

test('P-256 is a precompile from Osaka on, blake2f and the hashes before it too', () => {
  const addressesUnder = (fork: Hardfork): string[] =>
    fastPrecompiles(createChainCommon(1n, undefined, fork)).map(({ address }) =>
      address.toString().slice(-3),
    );
  expect(addressesUnder(Hardfork.Prague)).toEqual(['002', '003', '009']);
  expect(addressesUnder(Hardfork.Osaka)).toEqual(['002', '003', '009', '100']);
});
