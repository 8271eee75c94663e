/**
 * EIP-4844's point evaluation on MCL: is `y` the value at `z` of the polynomial behind a commitment?
 *
 * Verification needs one point of the ceremony's setup, [τ]G2; kzg-wasm loads all of it, which was measured at 5 to
 * 17 s of a core in every thread of every node. Blobs are refused on this chain, so proofs are never computed here.
 * Encoding rules are those of the consensus specification (validate_kzg_g1, bytes_to_bls_field): what c-kzg refuses is
 * refused. Test: go-ethereum's vector, polynomials over the ceremony's [τ]G1, and broken encodings.
 */
import type { CustomCrypto } from '@ethereumjs/common';
import mcl from 'mcl-wasm';

export type Kzg = NonNullable<CustomCrypto['kzg']>;

const FIELD =
  0x1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaabn;
const ORDER = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;

const G1_GENERATOR =
  '1 17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb 8b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1';
const G2_GENERATOR =
  '1 24aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8 13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801 606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be';
/** Second point of `g2_monomial` in the ceremony's trusted setup. */
const TAU_G2 =
  '1 185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2 15bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d2914e5870cb452d2afaaab24f3499f72 14353bdb96b626dd7d5ee8599d1fca2131569490e28de18e82451a496a9c9794ce26d105941f383ee689bfbbb832a99 1666c54b0a32529503432fcae0181b4bef79de09fc63671fda5ed1ba9bfa07899495346f3d7ac9cd23048ef30d0a154f';

/** The library maps this text to INVALID_INPUTS, as it does c-kzg's. */
const badArguments = (what: string): Error => new Error(`C_KZG_BADARGS: ${what}`);

const toFp = (value: bigint): mcl.Fp => {
  const field = new mcl.Fp();
  field.setStr(value.toString(16), 16);
  return field;
};

const COMPRESSED = 0x80;
const INFINITY = 0x40;
const LARGER_Y = 0x20;

/** @param hex 48 bytes, compressed. @throws Error when it is no canonical point of the subgroup */
const decodeG1 = (hex: string): mcl.G1 => {
  const bytes = Buffer.from(hex.slice(2), 'hex');
  if (bytes.length !== 48 || (bytes[0]! & COMPRESSED) === 0) throw badArguments('not a compressed point');
  const flags = bytes[0]!;
  bytes[0]! &= 0x1f;
  const x = BigInt(`0x${bytes.toString('hex')}`);
  const point = new mcl.G1();
  if ((flags & INFINITY) !== 0) {
    if (x !== 0n || (flags & LARGER_Y) !== 0) throw badArguments('not the point at infinity');
    return point;
  }
  if (x >= FIELD) throw badArguments('coordinate out of range');
  const fieldX = toFp(x);
  const [isSquare, root] = mcl.squareRoot(mcl.add(mcl.mul(mcl.sqr(fieldX), fieldX), toFp(4n)));
  if (!isSquare) throw badArguments('not on the curve');
  const y = BigInt(`0x${root.getStr(16)}`);
  const isLarger = y > FIELD - y;
  point.setX(fieldX);
  point.setY(isLarger === ((flags & LARGER_Y) !== 0) ? root : mcl.neg(root));
  point.setZ(toFp(1n));
  // The root makes it a point of the curve.
  if (!point.isValidOrder()) throw badArguments('not in the subgroup');
  return point;
};

/** @param hex 32 bytes. @throws Error when it is not below the group's order */
const decodeScalar = (hex: string): mcl.Fr => {
  const value = BigInt(hex);
  if (hex.length !== 66 || value >= ORDER) throw badArguments('scalar out of range');
  const scalar = new mcl.Fr();
  scalar.setStr(value.toString(16), 16);
  return scalar;
};

const pointOf = <T extends mcl.G1 | mcl.G2>(point: T, text: string): T => {
  point.setStr(text, 16);
  return point;
};

type Setup = {
  readonly generator: mcl.G1;
  readonly generatorG2: mcl.PrecomputedG2;
  readonly tauG2: mcl.PrecomputedG2;
};

/** Points that never change, with the lines of their Miller loops: half of a pairing's work. */
const createSetup = (): Setup => ({
  generator: pointOf(new mcl.G1(), G1_GENERATOR),
  generatorG2: new mcl.PrecomputedG2(pointOf(new mcl.G2(), G2_GENERATOR)),
  tauG2: new mcl.PrecomputedG2(pointOf(new mcl.G2(), TAU_G2)),
});

/** e(C − y·G1 + z·Q, G2) = e(Q, [τ]G2): the proof's equation with z moved to the cheaper group. */
const verifyWith =
  ({ generator, generatorG2, tauG2 }: Setup): Kzg['verifyProof'] =>
  (commitment, z, y, proof) => {
    const quotient = decodeG1(proof);
    const point = decodeG1(commitment);
    const scaled = mcl.mulVec([generator, quotient], [mcl.neg(decodeScalar(y)), decodeScalar(z)]);
    const left = mcl.add(point, scaled);
    const product = mcl.precomputedMillerLoop2(left, generatorG2, mcl.neg(quotient), tauG2);
    return mcl.finalExp(product).isOne();
  };

const unsupported = (): never => {
  throw new Error('this chain carries no blobs: only point evaluation is supplied');
};

/** MCL must be initialised for BLS12-381. */
export const createKzg = (): Kzg => ({
  verifyProof: verifyWith(createSetup()),
  blobToKzgCommitment: unsupported,
  computeBlobProof: unsupported,
  verifyBlobProofBatch: unsupported,
  computeCells: unsupported,
  computeCellsAndProofs: unsupported,
  recoverCellsAndProofs: unsupported,
  verifyCellKzgProofBatch: unsupported,
});
