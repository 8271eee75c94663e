/**
 * 0x100: ECDSA over P-256 with a digest that is given (EIP-7951), by OpenSSL's multiplications.
 *
 * OpenSSL's binding in Node verifies only what it hashes itself, and the library's JavaScript takes 2 ms for 6,900 gas.
 * So the equation of ECDSA is asked in a form that needs x-coordinates alone, which ECDH answers: a signature (r, s) of
 * z by Q is one if and only if R = s⁻¹(z·G + r·Q) has an x that is r modulo n. Multiplied by s: s·R = r·T with
 * T = (z/r)·G + Q, up to the sign of R, which x does not tell and ECDSA does not ask. R is a point with x = r or r + n.
 * G's multiple and both products are OpenSSL's; T's one addition is noble's. All values are public: no timing matters.
 */
import { createECDH, ECDH } from 'node:crypto';
import type { ExecResult, PrecompileInput } from '@ethereumjs/evm';
import { EVMError } from '@ethereumjs/evm';
import { p256 } from '@noble/curves/nist.js';
import { bytesToHex } from '#consensus/primitives.ts';

const CURVE = 'prime256v1';
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const FIELD = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const GAS = 6_900n;
const INPUT_BYTES = 160;
const { Point } = p256;

const toScalar = (bytes: Uint8Array): bigint => BigInt(bytesToHex(bytes));
const toBytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');

const ecdh = createECDH(CURVE);

/** scalar·G. @param scalar in 1…n − 1 */
const multiplyGenerator = (scalar: bigint): InstanceType<typeof Point> => {
  ecdh.setPrivateKey(toBytes(scalar));
  return Point.fromBytes(ecdh.getPublicKey());
};

/** The x of scalar·point, 32 bytes. @param point in an encoding of SEC 1 */
const multiplyToX = (scalar: Uint8Array, point: Uint8Array): Buffer => {
  ecdh.setPrivateKey(scalar);
  return ecdh.computeSecret(point);
};

/** A point with that x, uncompressed; null when the curve has none. */
const liftX = (x: bigint): Buffer | null => {
  try {
    const compressed = Buffer.concat([Buffer.of(2), toBytes(x)]);
    return ECDH.convertKey(compressed, CURVE, undefined, undefined, 'uncompressed') as Buffer;
  } catch {
    return null;
  }
};

const publicKeyOf = (x: bigint, y: bigint): InstanceType<typeof Point> | null => {
  if (x >= FIELD || y >= FIELD || (x === 0n && y === 0n)) return null;
  try {
    const point = Point.fromAffine({ x, y });
    point.assertValidity();
    return point;
  } catch {
    return null;
  }
};

const isInScalars = (value: bigint): boolean => value > 0n && value < ORDER;

/** @param input 160 bytes: digest, r, s, x and y of the key */
export const verifyP256 = (input: Uint8Array): boolean => {
  const [digest, rBytes, sBytes, x, y] = [0, 32, 64, 96, 128].map((at) => input.subarray(at, at + 32));
  const r = toScalar(rBytes!);
  if (!isInScalars(r) || !isInScalars(toScalar(sBytes!))) return false;
  const key = publicKeyOf(toScalar(x!), toScalar(y!));
  if (key === null) return false;
  const u = (toScalar(digest!) * Point.Fn.inv(r)) % ORDER;
  const sum = u === 0n ? key : multiplyGenerator(u).add(key);
  if (sum.equals(Point.ZERO)) return false;
  const expected = multiplyToX(rBytes!, sum.toBytes(false));
  for (let candidate = r; candidate < FIELD; candidate += ORDER) {
    const lifted = liftX(candidate);
    if (lifted !== null && multiplyToX(sBytes!, lifted).equals(expected)) return true;
  }
  return false;
};

const ONE = Uint8Array.from({ length: 32 }, (_, index) => (index === 31 ? 1 : 0));
const NOTHING = new Uint8Array(0);

export const p256Verify = ({ data, gasLimit }: PrecompileInput): ExecResult => {
  if (gasLimit < GAS)
    return {
      returnValue: NOTHING,
      executionGasUsed: gasLimit,
      exceptionError: new EVMError(EVMError.errorMessages.OUT_OF_GAS),
    };
  const isValid = data.length === INPUT_BYTES && verifyP256(data);
  return { returnValue: isValid ? ONE.slice() : NOTHING.slice(), executionGasUsed: GAS };
};
