import fc from 'fast-check';
import { bytesToHex as viemBytesToHex } from 'viem';
import {
  bytesToHash,
  bytesToHex,
  compareHex,
  concatBytes,
  type Hex,
  hexToBytes,
  PrimitiveError,
  parseAddress,
  parseHash,
  parseSignature,
  toBigEndian,
} from '#consensus/primitives.ts';

test('hashes, addresses and signatures of a wrong length, without 0x or with other letters are refused', () => {
  const parsers = [
    { parse: parseHash, sizeBytes: 32, code: 'BAD_HASH' },
    { parse: parseAddress, sizeBytes: 20, code: 'BAD_ADDRESS' },
    { parse: parseSignature, sizeBytes: 65, code: 'BAD_SIGNATURE' },
  ];
  for (const { parse, sizeBytes, code } of parsers) {
    const good = `0x${'aB'.repeat(sizeBytes)}`;
    expect(parse(good)).toBe(good.toLowerCase());
    for (const bad of [
      good.slice(2),
      `${good}00`,
      good.slice(0, -2),
      good.slice(0, -1),
      `${good.slice(0, -1)}g`,
      '',
      null,
      7,
      {},
      `0X${good.slice(2)}`,
    ]) {
      expect(() => parse(bad)).toThrow(PrimitiveError);
      expect(() => parse(bad)).toThrow(expect.objectContaining({ code }));
    }
  }
});

test('an error message never repeats more than a glimpse of what was given', () => {
  expect(() => parseHash('z'.repeat(100_000))).toThrow(/^.{0,200}$/);
});

test('bytes survive the way to hex and back, as viem writes them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(bytesToHex(bytes)).toBe(viemBytesToHex(bytes));
      expect(hexToBytes(bytesToHex(bytes))).toEqual(bytes);
    }),
  );
  for (const bad of ['0x0', '0xgg', '0x0g', '0xéé', '0x0é', '00', ''])
    expect(() => hexToBytes(bad)).toThrow(PrimitiveError);
  expect(() => bytesToHash(new Uint8Array(31))).toThrow(PrimitiveError);
});

test('concatenation keeps order and length', () => {
  expect(concatBytes(Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3))).toEqual(Uint8Array.of(1, 2, 3));
  expect(concatBytes()).toEqual(new Uint8Array(0));
});

test('big-endian numbers are padded on the left, negative ones are two’s complement, too large ones refused', () => {
  expect(toBigEndian(258n, 4)).toEqual(Uint8Array.of(0, 0, 1, 2));
  expect(toBigEndian(-1n, 3)).toEqual(Uint8Array.of(255, 255, 255));
  expect(toBigEndian(255n, 1)).toEqual(Uint8Array.of(255));
  expect(toBigEndian(-128n, 1)).toEqual(Uint8Array.of(128));
  expect(() => toBigEndian(256n, 1)).toThrow(RangeError);
  expect(() => toBigEndian(-129n, 1)).toThrow(RangeError);
});

test('hex is ordered by bytes', () => {
  const sorted: Hex[] = ['0x01', '0x0a', '0xa0', '0xff'];
  expect([...sorted].reverse().sort(compareHex)).toEqual(sorted);
  expect(compareHex('0xaa', '0xaa')).toBe(0);
});
