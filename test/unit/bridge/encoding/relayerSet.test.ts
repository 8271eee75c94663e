import {
  MAX_RELAYERS,
  packRelayerSet,
  RelayerSetError,
  relayerSetHash,
  unpackRelayerSet,
} from '#bridge/encoding/relayerSet.ts';
import {
  type Address,
  bytesToAddress,
  bytesToHex,
  toBigEndian,
  ZERO_ADDRESS,
} from '#consensus/primitives.ts';
import { pegVectors } from '#test/fixtures/pegVectors.ts';

const addresses = (count: number): Address[] =>
  Array.from({ length: count }, (_, index) => bytesToAddress(toBigEndian(BigInt(index + 1), 20)));
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof RelayerSetError) return error.code;
    throw error;
  }
  return 'no error';
};

test('packs and hashes as the vectors say, and unpacks the same', () => {
  const { threshold, addresses: members, packed, hash } = pegVectors.relayerSet;
  const set = { threshold, addresses: members };
  expect(bytesToHex(packRelayerSet(set))).toBe(packed);
  expect(relayerSetHash(set)).toBe(hash);
  expect(unpackRelayerSet(packRelayerSet(set))).toEqual(set);
});

test('refuses thresholds that one relayer meets, that nobody meets, or that two conflicting halves meet', () => {
  for (const [threshold, count] of [
    [0, 3],
    [1, 1],
    [1, 2],
    [2, 4],
    [4, 3],
    [2.5, 3],
    [2, 0],
  ] as const)
    expect(codeOf(() => packRelayerSet({ threshold, addresses: addresses(count) }))).toBe('BAD_THRESHOLD');
  expect(codeOf(() => packRelayerSet({ threshold: 3, addresses: addresses(4) }))).toBe('no error');
  expect(codeOf(() => packRelayerSet({ threshold: 128, addresses: addresses(MAX_RELAYERS) }))).toBe(
    'no error',
  );
  expect(codeOf(() => packRelayerSet({ threshold: 129, addresses: addresses(MAX_RELAYERS + 1) }))).toBe(
    'TOO_MANY',
  );
});

test('refuses members out of order, twice, or zero', () => {
  const [one, two, three] = addresses(3) as [Address, Address, Address];
  for (const members of [
    [two, one, three],
    [one, one, two],
    [ZERO_ADDRESS, one, two],
  ])
    expect(codeOf(() => packRelayerSet({ threshold: 2, addresses: members }))).toBe('NOT_ASCENDING');
});

test('refuses bytes that are no packed set', () => {
  const packed = packRelayerSet({ threshold: 2, addresses: addresses(3) });
  for (const bytes of [new Uint8Array(), packed.slice(0, -1), Uint8Array.of(...packed, 0)])
    expect(codeOf(() => unpackRelayerSet(bytes))).toBe('BAD_PACKING');
});
