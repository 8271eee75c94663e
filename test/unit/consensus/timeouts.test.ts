import { DEFAULT_TIMEOUTS, timeoutDurationMs } from '#consensus/timeouts.ts';

test('timeouts grow linearly with the round (RULES 18)', () => {
  expect([0, 1, 4].map((round) => timeoutDurationMs(DEFAULT_TIMEOUTS, 'propose', round))).toEqual([
    1_000, 1_500, 3_000,
  ]);
  for (const kind of ['prevote', 'precommit'] as const)
    expect([0, 1, 4].map((round) => timeoutDurationMs(DEFAULT_TIMEOUTS, kind, round))).toEqual([
      500, 750, 1_500,
    ]);
});

test('timeouts are capped, in any round (RULES 18)', () => {
  for (const kind of ['propose', 'prevote', 'precommit'] as const)
    expect(timeoutDurationMs(DEFAULT_TIMEOUTS, kind, 2 ** 32 - 1)).toBe(15_000);
});
