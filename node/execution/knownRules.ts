/**
 * Whether this release knows the rules of the next height (scenario 38): asked before anything of it is executed.
 *
 * The plan is read from the parent state, so every node of one release halts before the same height, and none of them
 * executes a block under rules that the others do not use.
 */
import { bytesToHash, hexToBytes } from '#consensus/primitives.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import { readUpgradePlan, rulesVersionAt } from '#genesis/upgradePlanSlot.ts';
import { ChainError } from '#node/chain.ts';
import { readSlot, type StateReader } from '#node/execution/stateReader.ts';
import { padLeft } from '#node/storage/rlpValues.ts';

const UPGRADE_PLAN = hexToBytes(PREDEPLOYS.upgradePlan);

/** @param parent the state after height − 1. @throws ChainError UPGRADE_REQUIRED */
export const requireKnownRules = async (
  parent: StateReader,
  height: bigint,
  supportedRules: bigint,
): Promise<void> => {
  const plan = await readUpgradePlan(async (slot) =>
    bytesToHash(padLeft(readSlot(parent, UPGRADE_PLAN, hexToBytes(slot)), 32)),
  );
  const needed = rulesVersionAt(plan, height);
  if (needed <= supportedRules) return;
  throw new ChainError(
    'UPGRADE_REQUIRED',
    `expected a release that knows rules version ${needed}, in force at height ${height}, found one that knows versions up to ${supportedRules}: nothing is lost and nothing of that height was executed; install a release with rules version ${needed} and start the node again`,
  );
};
