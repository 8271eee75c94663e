import fc from 'fast-check';
import { createDialer, type DialResult, REDIAL_MS, REFUSED_REDIAL_MS } from '#node/network/dialer.ts';
import { createFrameDecoder, encodeFrame, frameHeader } from '#node/network/frames.ts';
import { createPeerScores, DEFAULT_SCORE } from '#node/network/peerScore.ts';
import { createTokenBucket } from '#node/network/tokenBucket.ts';

const LIMITS = { minBytes: 1, maxBytes: 5_000 };

describe('frames', () => {
  test('come out whole, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 10 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 }),
        (bodies, cuts) => {
          const stream = Buffer.concat(bodies.map(encodeFrame));
          const found: Uint8Array[] = [];
          const decoder = createFrameDecoder(LIMITS, (body) => found.push(body));
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = cuts[i % cuts.length]!;
            decoder.push(stream.subarray(at, at + size));
            at += size;
          }
          expect(found.map((body) => Buffer.from(body).toString('hex'))).toEqual(
            bodies.map((body) => Buffer.from(body).toString('hex')),
          );
        },
      ),
    );
  });

  test('a size above the cap is refused from the header alone, an empty one where none is due', () => {
    const decoder = (): ReturnType<typeof createFrameDecoder> => createFrameDecoder(LIMITS, () => {});
    expect(() => decoder().push(frameHeader(5_001))).toThrow(expect.objectContaining({ code: 'OVERSIZED' }));
    expect(() => decoder().push(frameHeader(0))).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
    expect(() => decoder().push(frameHeader(5_000))).not.toThrow();
  });
});

test('a token bucket gives its burst, then its rate, and nothing for more than is there', () => {
  let now = 0;
  const bucket = createTokenBucket({ perSecond: 10, burst: 5 }, () => now);
  expect([bucket.take(5), bucket.take(1)]).toEqual([true, false]);
  now = 100;
  expect([bucket.take(1), bucket.take(1)]).toEqual([true, false]);
  now = 1_000_000;
  expect([bucket.take(6), bucket.take(5)]).toEqual([false, true]);
});

test('what a token bucket is given shortens a debt, and never goes beyond its burst', () => {
  const bucket = createTokenBucket({ perSecond: 10, burst: 5 }, () => 0);
  expect(bucket.spend(8)).toBe(300);
  bucket.give(2);
  expect(bucket.spend(0)).toBe(100);
  bucket.give(100);
  expect([bucket.take(6), bucket.take(5)]).toEqual([false, true]);
});

describe('scores', () => {
  const peer = { name: 'a', isValidator: false, mayBan: () => true };

  test('faults add up to a ban that expires', () => {
    let now = 0;
    const scores = createPeerScores(DEFAULT_SCORE, () => now);
    expect(scores.fault(peer, 'malformed')).toBe(0);
    expect(scores.isBanned('a')).toBe(false);
    expect(scores.fault(peer, 'malformed')).toBe(DEFAULT_SCORE.banMs);
    expect(scores.fault(peer, 'malformed')).toBe(0);
    expect([scores.isBanned('a'), scores.isBanned('b')]).toEqual([true, false]);
    now = DEFAULT_SCORE.banMs;
    expect(scores.isBanned('a')).toBe(false);
  });

  test('recover with time', () => {
    let now = 0;
    const scores = createPeerScores(DEFAULT_SCORE, () => now);
    for (let i = 0; i < 50; i++) {
      now += 60_000;
      expect(scores.fault(peer, 'malformed')).toBe(0);
    }
  });
});

/** ESM has no global `jest`. */
const timers = (import.meta as unknown as { jest: typeof jest }).jest;

describe('dialling', () => {
  afterEach(() => timers.useRealTimers());

  const dialWith = async (results: (at: number) => DialResult, forMs: number, ban = 0): Promise<number[]> => {
    timers.useFakeTimers();
    const startedAt = Date.now();
    const dials: number[] = [];
    const dialer = createDialer({
      localPeerId: 'a',
      peerIds: ['b'],
      dial: async () => {
        dials.push(Date.now() - startedAt);
        return results(dials.length);
      },
      isLinked: () => false,
      banLeftMs: () => Math.max(0, startedAt + ban - Date.now()),
    });
    dialer.start();
    await timers.advanceTimersByTimeAsync(forMs);
    dialer.stop();
    await timers.advanceTimersByTimeAsync(60_000);
    return dials;
  };
  const gaps = (dials: readonly number[]): number[] => dials.slice(1).map((at, i) => at - dials[i]!);

  test('tries for ever, at most two seconds apart', async () => {
    const dials = await dialWith(() => 'unreachable', 20_000);
    expect(gaps(dials).slice(0, REDIAL_MS.length)).toEqual(REDIAL_MS);
    expect(Math.max(...gaps(dials))).toBe(2_000);
    expect(dials.length).toBeGreaterThan(12);
  });

  test('waits longer for a peer that refuses, and not for ever', async () => {
    const dials = await dialWith(() => 'refused', 300_000);
    expect(gaps(dials).slice(0, 3)).toEqual(REFUSED_REDIAL_MS);
    expect(Math.max(...gaps(dials))).toBe(60_000);
  });

  test('leaves a banned peer alone until the ban ends', async () => {
    expect(await dialWith(() => 'unreachable', 30_050, 30_000)).toEqual([30_000]);
  });
});
