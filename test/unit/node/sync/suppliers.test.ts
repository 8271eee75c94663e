import { createSuppliers } from '#node/sync/suppliers.ts';

const create = () => {
  const time = { ms: 0 };
  const suppliers = createSuppliers(() => time.ms);
  const answer = (peerId: string, elapsedMs: number): void => {
    suppliers.began(peerId);
    suppliers.answered(peerId, elapsedMs, 10);
    suppliers.ended(peerId);
  };
  return { time, suppliers, answer };
};

test('a failing peer rests for a time that doubles, up to a bound, and one answer clears it', () => {
  const { time, suppliers, answer } = create();
  for (const restMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    suppliers.failed('a');
    time.ms += restMs - 1;
    expect(suppliers.choose(['a'])).toBeNull();
    time.ms += 1;
    expect(suppliers.choose(['a'])).toBe('a');
  }
  answer('a', 10);
  suppliers.failed('a');
  time.ms += 1_000;
  expect(suppliers.choose(['a'])).toBe('a');
});

test('a liar is charged once for one lie, distrusted longer for the next, and never for ever', () => {
  const { time, suppliers } = create();
  expect(suppliers.distrust('liar')).toBe(true);
  expect(suppliers.distrust('liar')).toBe(false);
  expect(suppliers.isDistrusted('liar')).toBe(true);
  time.ms = 30_000;
  expect(suppliers.choose(['liar'])).toBe('liar');
  expect(suppliers.distrust('liar')).toBe(true);
  time.ms += 59_999;
  expect(suppliers.choose(['liar'])).toBeNull();
  time.ms += 1;
  expect(suppliers.choose(['liar'])).toBe('liar');
  for (let lie = 0; lie < 40; lie++) suppliers.distrust('liar');
  time.ms += 600_000;
  expect(suppliers.choose(['liar'])).toBe('liar');
});

test('a slow peer is asked less than a fast one, and again when its score has faded', () => {
  const { time, suppliers, answer } = create();
  const asked = { slow: 0, fast: 0 };
  for (let request = 0; request < 200; request++) {
    const peerId = suppliers.choose(['slow', 'fast']) as 'slow' | 'fast';
    asked[peerId]++;
    answer(peerId, peerId === 'slow' ? 4_000 : 50);
    time.ms += 100;
  }
  expect(asked.slow).toBeGreaterThan(0);
  expect(asked.slow).toBeLessThan(10);
  time.ms += 600_000;
  suppliers.began('fast');
  expect(suppliers.choose(['fast', 'slow'])).toBe('slow');
});

test('nobody has more than two requests open', () => {
  const { suppliers } = create();
  suppliers.began('a');
  suppliers.began('a');
  expect(suppliers.choose(['a'])).toBeNull();
  suppliers.ended('a');
  expect(suppliers.choose(['a'])).toBe('a');
});
