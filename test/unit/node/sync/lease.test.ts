import { privateKeyToAddress } from '#consensus/crypto/secp256k1.ts';
import { compareHex } from '#consensus/primitives.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import { createLease, credibleHeight } from '#node/sync/lease.ts';

const addresses = [1, 2, 3, 4]
  .map((fill) => privateKeyToAddress(new Uint8Array(32).fill(fill)))
  .sort(compareHex);
const [a, b, c, d] = addresses;
const set = createValidatorSet(addresses.map((address) => ({ address, power: 1n })));

describe('the height that claims make credible', () => {
  test('is not what a third of the power or less says, however high', () => {
    expect(credibleHeight(set, [{ validator: a!, height: 2n ** 60n }])).toBe(0n);
    expect(
      credibleHeight(set, [
        { validator: a!, height: 2n ** 60n },
        { validator: a!, height: 2n ** 60n },
      ]),
    ).toBe(0n);
  });

  test('is the greatest one that more than a third reaches', () => {
    const claims = [
      { validator: a!, height: 2n ** 60n },
      { validator: b!, height: 40n },
      { validator: c!, height: 41n },
      { validator: d!, height: 7n },
    ];
    expect(credibleHeight(set, claims)).toBe(41n);
  });

  test('ignores peers that are not in the set', () => {
    const stranger = privateKeyToAddress(new Uint8Array(32).fill(9));
    const claims = [
      { validator: stranger, height: 9n },
      { validator: a!, height: 9n },
    ];
    expect(credibleHeight(set, claims)).toBe(0n);
  });
});

describe('the signing lease', () => {
  const create = () => {
    const time = { ms: 0 };
    const lapses: (readonly [bigint, bigint])[] = [];
    const lease = createLease({
      boundMs: 10_000,
      nowMs: () => time.ms,
      onLapsed: (head, target) => lapses.push([head, target]),
    });
    return { lease, time, lapses };
  };

  test('is not taken for a gap of one block, which consensus may close', () => {
    const { lease } = create();
    lease.update(7n, 8n);
    expect(lease.reason()).toBeNull();
  });

  test('is held from a gap of two until the head is there, and releases who waited', async () => {
    const { lease } = create();
    lease.update(7n, 9n);
    expect(lease.reason()).toContain('block 9 is final elsewhere');
    const ended = lease.ended();
    lease.update(8n, 9n);
    expect(lease.reason()).not.toBeNull();
    lease.update(9n, 9n);
    expect(lease.reason()).toBeNull();
    await ended;
  });

  test('ends when the claims are withdrawn', () => {
    const { lease } = create();
    lease.update(7n, 1_000_000n);
    lease.update(7n, 0n);
    expect(lease.reason()).toBeNull();
  });

  test('runs out without progress, and is not taken again for claims before the head moves', async () => {
    const { lease, time, lapses } = create();
    lease.update(7n, 2n ** 60n);
    const ended = lease.ended();
    time.ms = 9_999;
    lease.update(7n, 2n ** 60n);
    expect(lease.reason()).not.toBeNull();
    time.ms = 10_000;
    lease.update(7n, 2n ** 60n);
    await ended;
    expect(lapses).toEqual([[7n, 2n ** 60n]]);
    lease.update(7n, 2n ** 60n);
    expect(lease.reason()).toBeNull();
    lease.update(8n, 2n ** 60n);
    expect(lease.reason()).not.toBeNull();
  });

  test('lasts as long as there is progress', () => {
    const { lease, time, lapses } = create();
    for (let head = 0n; head < 20n; head++) {
      time.ms += 9_000;
      lease.update(head, 20n);
      expect(lease.reason()).not.toBeNull();
    }
    lease.update(20n, 20n);
    expect(lease.reason()).toBeNull();
    expect(lapses).toEqual([]);
  });

  test('is held while a certified block is imported, whoever claims what', () => {
    const { lease } = create();
    lease.update(7n, 8n);
    lease.holdForImport(8n);
    expect(lease.reason()).toContain('block 8');
    lease.importEnded();
    expect(lease.reason()).toBeNull();
  });

  test('is over for good when sync ends', async () => {
    const { lease } = create();
    lease.update(7n, 9n);
    const ended = lease.ended();
    lease.stop();
    await ended;
    lease.update(7n, 20n);
    expect(lease.reason()).toBeNull();
  });
});
