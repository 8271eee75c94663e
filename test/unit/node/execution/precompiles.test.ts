import { readFileSync } from 'node:fs';
import { createEVM } from '@ethereumjs/evm';
import mcl from 'mcl-wasm';
import { bytesToHex } from '#consensus/primitives.ts';
import { createChainCommon } from '#node/execution/chainCommon.ts';
import { loadCryptoLibraries } from '#node/execution/cryptoLibraries.ts';
import { createMachine, type Machine } from '#node/execution/machine.ts';
import { checkPrecompile, type PrecompileVector, runSelfTest } from '#node/execution/selfTest.ts';

const vectors: PrecompileVector[] = JSON.parse(
  readFileSync(new URL('../../../fixtures/precompileVectors.json', import.meta.url), 'utf8'),
).vectors;

let machine: Machine;
beforeAll(async () => {
  const libraries = await loadCryptoLibraries();
  machine = await createMachine(createChainCommon(42_424n, libraries.kzg), libraries, () => null);
});

test("precompiles give the answers and gas of go-ethereum's vectors", async () => {
  const faults: string[] = [];
  for (const vector of vectors) {
    const fault = await checkPrecompile(machine, vector);
    if (fault !== null) faults.push(fault);
  }
  expect(faults).toEqual([]);
  expect(vectors.length).toBeGreaterThan(90);
});

test('the self-test passes here, and refuses a precompile that answers otherwise (RULES 5)', async () => {
  await runSelfTest(machine);
  const { precompiles } = machine.vm.evm;
  const key = '01'.padStart(40, '0');
  const real = precompiles.get(key)!;
  precompiles.set(key, () => ({ returnValue: new Uint8Array(0), executionGasUsed: 3_000n }));
  await expect(runSelfTest(machine)).rejects.toMatchObject({ code: 'CRYPTO_UNAVAILABLE' });
  precompiles.set(key, real);
});

test('SHA-256 and RIPEMD-160 equal the library’s own, gas included', async () => {
  const library = await createEVM({ common: machine.common });
  for (const address of ['02', '03'])
    for (const size of [0, 1, 31, 32, 33, 1_000]) {
      const input = { data: new Uint8Array(size).fill(7), common: machine.common, _EVM: library as never };
      for (const gasLimit of [1_000_000n, 100n]) {
        const key = address.padStart(40, '0');
        const ours = await machine.vm.evm.precompiles.get(key)!({ ...input, gasLimit });
        const theirs = await library.precompiles.get(key)!({ ...input, gasLimit });
        expect(bytesToHex(ours.returnValue)).toBe(bytesToHex(theirs.returnValue));
        expect(ours.executionGasUsed).toBe(theirs.executionGasUsed);
        expect(ours.exceptionError?.error).toBe(theirs.exceptionError?.error);
      }
    }
});

test('random input never throws out of a precompile (RULES 3)', async () => {
  let state = 1;
  const byte = (): number => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return (state >> 8) & 255;
  };
  for (const vector of vectors) {
    const input = Uint8Array.from(Buffer.from(vector.input.slice(2), 'hex'));
    for (let change = 0; change < 3; change++) {
      const broken = input.slice(0, change === 2 ? byte() : undefined);
      if (broken.length > 0) broken[(byte() * 256 + byte()) % broken.length] = byte();
      const run = machine.vm.evm.precompiles.get(vector.address.slice(2))!;
      const result = await run({
        data: broken,
        gasLimit: 1_000_000n,
        common: machine.common,
        _EVM: machine.vm.evm as never,
      });
      expect(result.executionGasUsed).toBeLessThanOrEqual(1_000_000n);
    }
  }
});

describe('point evaluation', () => {
  /** [τ]G1 of the ceremony. */
  const TAU_G1 =
    'ad3eb50121139aa34db1d545093ac9374ab7bca2c0f3bf28e27c8dcd8fc7cb42d25926fc0c97b336e9f0fb35e5a04c81';
  const G1 =
    '97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb';
  const scalar = (value: number): mcl.Fr => {
    const field = new mcl.Fr();
    field.setInt(value);
    return field;
  };
  const word = (value: number): string => `0x${value.toString(16).padStart(64, '0')}`;
  const withEthFormat = <T>(work: () => T): T => {
    mcl.setETHserialization(true);
    try {
      return work();
    } finally {
      mcl.setETHserialization(false);
    }
  };
  const point = (hex: string): mcl.G1 => withEthFormat(() => mcl.deserializeHexStrToG1(hex));
  const compressed = (value: mcl.G1): string => `0x${withEthFormat(() => value.serializeToHexStr())}`;
  const verify = (...input: [string, string, string, string]): boolean =>
    machine.common.customCrypto.kzg!.verifyProof(...input);

  test('accepts the values of p(x) = 5 + 3x and refuses others', () => {
    const commitment = compressed(mcl.add(mcl.mul(point(G1), scalar(5)), mcl.mul(point(TAU_G1), scalar(3))));
    const proof = compressed(mcl.mul(point(G1), scalar(3)));
    for (const z of [0, 1, 7, 1_000_003]) {
      expect(verify(commitment, word(z), word(5 + 3 * z), proof)).toBe(true);
      expect(verify(commitment, word(z), word(6 + 3 * z), proof)).toBe(false);
    }
  });

  test('accepts a constant polynomial, whose proof is the point at infinity', () => {
    const infinity = `0xc0${'00'.repeat(47)}`;
    expect(verify(compressed(mcl.mul(point(G1), scalar(9))), word(4), word(9), infinity)).toBe(true);
    expect(verify(infinity, word(4), word(0), infinity)).toBe(true);
    expect(verify(infinity, word(4), word(1), infinity)).toBe(false);
  });

  test.each([
    ['an uncompressed flag', `0x17${G1.slice(2)}`],
    ['infinity with a coordinate', `0xc0${'00'.repeat(46)}01`],
    ['infinity with a sign', `0xe0${'00'.repeat(47)}`],
    [
      'a coordinate out of range',
      `0x9a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab`,
    ],
    ['a coordinate off the curve', `0x80${'00'.repeat(46)}01`],
    ['a point outside the subgroup', `0x80${'00'.repeat(46)}04`],
    ['a short point', `0x${G1.slice(0, 94)}`],
  ])('refuses %s', (_name, encoded) => {
    expect(() => verify(encoded, word(1), word(1), `0x${G1}`)).toThrow('C_KZG_BADARGS');
    expect(() => verify(`0x${G1}`, word(1), word(1), encoded)).toThrow('C_KZG_BADARGS');
  });

  test('refuses a scalar that is not below the order', () => {
    const order = '0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001';
    expect(() => verify(`0x${G1}`, order, word(1), `0x${G1}`)).toThrow('C_KZG_BADARGS');
    expect(() => verify(`0x${G1}`, word(1), order, `0x${G1}`)).toThrow('C_KZG_BADARGS');
  });
});
