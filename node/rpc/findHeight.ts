/** The first height at which something holds that, once true, stays true: by bisection over kept states. */
import type { RpcContext } from '#node/rpc/context.ts';

/** Null if it does not hold at the head. @throws ChainError STATE_PRUNED where the search needs a state that is gone */
export const findFirstHeight = async (
  { chain }: RpcContext,
  holdsAt: (height: bigint) => Promise<boolean>,
): Promise<bigint | null> => {
  let high = chain.head().block.height;
  if (!(await holdsAt(high))) return null;
  let low = -1n;
  while (low + 1n < high) {
    const middle = (low + high) / 2n;
    if (await holdsAt(middle)) high = middle;
    else low = middle;
  }
  return high;
};
