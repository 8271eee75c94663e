import { packSignatures, SignatureBitmapError } from '#bridge/encoding/signatureBitmap.ts';
import { type Address, bytesToAddress, type Signature, toBigEndian } from '#consensus/primitives.ts';

const address = (n: number): Address => bytesToAddress(toBigEndian(BigInt(n), 20));
const signature = (n: number): Signature => `0x${n.toString(16).padStart(2, '0').repeat(65)}` as Signature;

test('one bit and 65 bytes for each signer, in the set’s order whatever the order of arrival', () => {
  const set = [1, 2, 3, 4].map(address);
  const signatures = new Map([4, 1, 3].map((n) => [address(n), signature(n)]));
  expect(packSignatures(set, signatures)).toEqual({
    bitmap: 0b1101n,
    signatures: `0x${[1, 3, 4].map((n) => signature(n).slice(2)).join('')}`,
  });
  expect(packSignatures(set, new Map())).toEqual({ bitmap: 0n, signatures: '0x' });
});

test('refuses the signature of a stranger', () => {
  expect(() => packSignatures([address(1)], new Map([[address(2), signature(2)]]))).toThrow(
    SignatureBitmapError,
  );
});
