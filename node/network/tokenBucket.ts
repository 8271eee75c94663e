/**
 * A budget that refills with time: at most `burst` at once, `perSecond` in the long run. The clock is an argument.
 *
 * Two ways to use one: `take` refuses what is not covered (for what can be dropped); `spend` books what was used
 * already and says how long its owner has to pause (for what cannot). `give` refills it for what was worth it.
 */
export type Budget = { readonly perSecond: number; readonly burst: number };

export type TokenBucket = {
  /** False, and nothing taken, when the budget does not cover `amount`. */
  take(amount: number): boolean;
  /** Takes `amount` in any case, into debt if need be. @returns milliseconds until the debt is repaid, 0 without one */
  spend(amount: number): number;
  /** Adds `amount`, up to the burst. */
  give(amount: number): void;
};

export const createTokenBucket = ({ perSecond, burst }: Budget, nowMs: () => number): TokenBucket => {
  let level = burst;
  let updatedMs = nowMs();
  const refill = (): void => {
    const now = nowMs();
    level = Math.min(burst, level + (Math.max(0, now - updatedMs) * perSecond) / 1000);
    updatedMs = now;
  };
  return {
    take(amount) {
      refill();
      if (amount > level) return false;
      level -= amount;
      return true;
    },
    spend(amount) {
      refill();
      level -= amount;
      return level >= 0 ? 0 : Math.ceil((-level * 1000) / perSecond);
    },
    give(amount) {
      refill();
      level = Math.min(burst, level + amount);
    },
  };
};
