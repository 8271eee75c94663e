/**
 * Which sign guard a starting validator gets: its own, a new one at genesis, or none (RULES 13).
 *
 * A missing guard is initialised only when nothing was ever signed as far as this data folder can tell: no committed
 * block and no WAL. A folder that was wiped looks the same; that is why the look-back of RULES 14 follows every start.
 */
import type { Disk } from '#node/consensus/disk.ts';
import {
  GUARD_FILE,
  GuardError,
  type GuardOwner,
  initialiseGuard,
  openGuard,
  type SignGuard,
} from '#node/consensus/guard.ts';

export type GuardStart =
  | { readonly guard: SignGuard; readonly initialised: boolean }
  | { readonly guard: null; readonly reason: string };

export const startGuard = async (disk: Disk, owner: GuardOwner, headHeight: bigint): Promise<GuardStart> => {
  try {
    const guard = await openGuard(disk, owner);
    if (guard !== null) return { guard, initialised: false };
    const hasWal = (await disk.list()).some((name) => name.startsWith('wal-'));
    if (headHeight === 0n && !hasWal) return { guard: await initialiseGuard(disk, owner), initialised: true };
  } catch (error) {
    if (error instanceof GuardError) return { guard: null, reason: error.message };
    throw error;
  }
  return {
    guard: null,
    reason:
      `expected the sign guard ("${GUARD_FILE}" in the consensus folder), found none although this node is past genesis (height ${headHeight}): ` +
      'it may have signed what it no longer knows of. Restore the file, or empty the whole data folder; the node then syncs and asks its peers for its newest vote before it signs',
  };
};
