/** A budget that refills with time: at most `burst` at once, `perSecond` in the long run. The clock is an argument. */
export type Budget = { readonly perSecond: number; readonly burst: number };

export type TokenBucket = {
  /** False, and nothing taken, when the budget does not cover `amount`. */
  take(amount: number): boolean;
};

export const createTokenBucket = ({ perSecond, burst }: Budget, nowMs: () => number): TokenBucket => {
  let level = burst;
  let updatedMs = nowMs();
  return {
    take(amount) {
      const now = nowMs();
      level = Math.min(burst, level + (Math.max(0, now - updatedMs) * perSecond) / 1000);
      updatedMs = now;
      if (amount > level) return false;
      level -= amount;
      return true;
    },
  };
};
