/**
 * BLS12-381 additions (0x0b, 0x0d) on MCL, without the library's detours through text and bigint.
 *
 * An addition costs 375 or 600 gas, and parsing two points took longer than that pays for. The library has checked the
 * length and the zero bytes of each coordinate before; what is refused here it refuses too. No subgroup check (EIP-2537).
 */
import { EVMError, MCLBLS } from '@ethereumjs/evm';
import type mcl from 'mcl-wasm';

type Mcl = typeof mcl;

const COORDINATE_BYTES = 64;
/** The first 16 bytes of a coordinate are zero. */
const PADDING_BYTES = 16;
const MODULUS = Buffer.from(
  '1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab',
  'hex',
);

const refuse = (message: EVMError['error']): never => {
  throw new EVMError(message);
};

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** MCL writes points as `1 coordinate…` in hex, and infinity as `0`. */
const pointToBytes = (text: string, coordinates: number): Uint8Array => {
  const bytes = new Uint8Array(coordinates * COORDINATE_BYTES);
  if (text === '0') return bytes;
  const parts = text.split(' ');
  for (let i = 0; i < coordinates; i++)
    bytes.set(Buffer.from(parts[i + 1]!.padStart(96, '0'), 'hex'), i * COORDINATE_BYTES + PADDING_BYTES);
  return bytes;
};

export class QuickBls extends MCLBLS {
  readonly #mcl: Mcl;
  readonly #one: mcl.Fp;
  readonly #one2: mcl.Fp2;

  constructor(library: Mcl) {
    super(library);
    this.#mcl = library;
    this.#one = new library.Fp();
    this.#one.setInt(1);
    this.#one2 = new library.Fp2();
    this.#one2.setInt(1, 0);
  }

  #coordinate(input: Uint8Array, at: number): mcl.Fp {
    const bytes = input.subarray(at + PADDING_BYTES, at + COORDINATE_BYTES);
    if (Buffer.compare(bytes, MODULUS) >= 0) refuse(EVMError.errorMessages.BLS_12_381_FP_NOT_IN_FIELD);
    const coordinate = new this.#mcl.Fp();
    coordinate.setBigEndianMod(bytes);
    return coordinate;
  }

  #coordinate2(input: Uint8Array, at: number): mcl.Fp2 {
    const coordinate = new this.#mcl.Fp2();
    coordinate.set_a(this.#coordinate(input, at));
    coordinate.set_b(this.#coordinate(input, at + COORDINATE_BYTES));
    return coordinate;
  }

  #pointG1(input: Uint8Array, at: number): mcl.G1 {
    const point = new this.#mcl.G1();
    if (isZero(input.subarray(at, at + 2 * COORDINATE_BYTES))) return point;
    point.setX(this.#coordinate(input, at));
    point.setY(this.#coordinate(input, at + COORDINATE_BYTES));
    point.setZ(this.#one);
    if (!point.isValid()) refuse(EVMError.errorMessages.BLS_12_381_POINT_NOT_ON_CURVE);
    return point;
  }

  #pointG2(input: Uint8Array, at: number): mcl.G2 {
    const point = new this.#mcl.G2();
    if (isZero(input.subarray(at, at + 4 * COORDINATE_BYTES))) return point;
    point.setX(this.#coordinate2(input, at));
    point.setY(this.#coordinate2(input, at + 2 * COORDINATE_BYTES));
    point.setZ(this.#one2);
    if (!point.isValid()) refuse(EVMError.errorMessages.BLS_12_381_POINT_NOT_ON_CURVE);
    return point;
  }

  /** @param input 256 bytes. @throws EVMError */
  override addG1(input: Uint8Array): Uint8Array {
    this.#mcl.verifyOrderG1(false);
    const sum = this.#mcl.add(this.#pointG1(input, 0), this.#pointG1(input, 2 * COORDINATE_BYTES));
    return pointToBytes(sum.getStr(16), 2);
  }

  /** @param input 512 bytes. @throws EVMError */
  override addG2(input: Uint8Array): Uint8Array {
    this.#mcl.verifyOrderG2(false);
    const sum = this.#mcl.add(this.#pointG2(input, 0), this.#pointG2(input, 4 * COORDINATE_BYTES));
    return pointToBytes(sum.getStr(16), 4);
  }
}
