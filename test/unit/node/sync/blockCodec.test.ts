import fc from 'fast-check';
import {
  decodeBlockRequest,
  decodeBlocks,
  decodeHead,
  encodeBlockRequest,
  encodeBlocks,
  encodeHead,
  MAX_BLOCKS_PER_REQUEST,
  SyncCodecError,
} from '#node/sync/blockCodec.ts';
import { certifiedAt } from './fakeChain.ts';

test('blocks survive the wire', () => {
  const blocks = [certifiedAt(1n), certifiedAt(2n, 'other', 1000)];
  expect(decodeBlocks(encodeBlocks(blocks))).toEqual(blocks);
  expect(decodeBlocks(encodeBlocks([]))).toEqual([]);
});

test('a request is capped and a head is exact', () => {
  expect(decodeBlockRequest(encodeBlockRequest({ from: 7n, count: 1_000 }))).toEqual({
    from: 7n,
    count: MAX_BLOCKS_PER_REQUEST,
  });
  expect(decodeHead(encodeHead(2n ** 64n - 1n))).toBe(2n ** 64n - 1n);
  expect(() => decodeHead(new Uint8Array(7))).toThrow(SyncCodecError);
});

test('any bytes are decoded or refused with the typed error, never anything else', () => {
  const attempt = (decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean => {
    try {
      decode(bytes);
      return true;
    } catch (error) {
      return error instanceof SyncCodecError;
    }
  };
  const whole = encodeBlocks([certifiedAt(1n, 'good', 100)]);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(whole.length - 1),
      fc.nat(255),
      (bytes, at, value) => {
        const damaged = whole.slice();
        damaged[at] = value;
        return (
          attempt(decodeBlocks, bytes) &&
          attempt(decodeBlockRequest, bytes) &&
          attempt(decodeHead, bytes) &&
          attempt(decodeBlocks, damaged) &&
          attempt(decodeBlocks, whole.subarray(0, at))
        );
      },
    ),
  );
});
