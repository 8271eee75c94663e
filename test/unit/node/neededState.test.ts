import type { AcceptedCheckpoint, FinalizedL1 } from '#bridge/l1/view.ts';
import { stateNeededFrom } from '#node/l1.ts';

const needed = (heights: readonly bigint[] | null): bigint | null =>
  stateNeededFrom({
    finalized: () => (heights === null ? null : ({} as FinalizedL1)),
    acceptedAbove: (above) =>
      (heights ?? []).filter((height) => height > above).map((height) => ({ height }) as AcceptedCheckpoint),
  });

test('the L1 may need the states from the older of its two newest checkpoints on (RULES 42)', () => {
  expect(needed(null)).toBeNull();
  expect(needed([])).toBe(0n);
  expect(needed([100n])).toBe(0n);
  expect(needed([0n, 100n])).toBe(0n);
  expect(needed([100n, 200n])).toBe(100n);
  expect(needed([100n, 200n, 1_000n])).toBe(200n);
});
