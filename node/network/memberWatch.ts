/**
 * The chain's validators, for the allow-list: who votes now, who is to vote or was approved and has to catch up first,
 * and who voted until an epoch ago.
 *
 * Owns the view only. Read at the start and after every block; between two blocks the last view stands. A former
 * validator is acceptable for one more epoch: whoever is behind has to reach somebody, and so do those it knows.
 */
import type { Address, Hash } from '#consensus/primitives.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import { readKnownValidators } from '#genesis/validatorSetSlots.ts';
import type { Chain } from '#node/chain.ts';
import type { ChainMembers } from '#node/network/allowList.ts';
import type { Logger } from '#node/network/logger.ts';
import { errorMessage } from '#node/network/networkError.ts';

export type MemberWatch = { readonly members: ChainMembers; stop(): void };

export type MemberWatchDependencies = {
  readonly chain: Pick<Chain, 'head' | 'validatorsAt' | 'storageAt' | 'onCommitted'>;
  readonly logger: Logger;
};

export const watchMembers = (
  epochLength: bigint,
  { chain, logger }: MemberWatchDependencies,
): MemberWatch & { readonly ready: Promise<void> } => {
  let known: ReadonlyMap<Address, bigint> = new Map();
  let stopped = false;
  let reading = false;

  const withCurrent = (
    former: ValidatorSet | null,
    coming: ReadonlySet<Address>,
  ): ReadonlyMap<Address, bigint> => {
    const members = new Map<Address, bigint>();
    for (const { address } of former?.validators ?? []) members.set(address, 0n);
    for (const address of coming) members.set(address, 0n);
    for (const { address, power } of chain.head().nextValidators.validators) members.set(address, power);
    return members;
  };

  const read = async (): Promise<void> => {
    if (reading || stopped) return;
    reading = true;
    const { height } = chain.head().block;
    try {
      const former =
        height === 0n ? null : chain.validatorsAt(height > epochLength ? height - epochLength : 1n);
      const slot = (key: Hash): Promise<Hash> => chain.storageAt(PREDEPLOYS.validatorSet, key, height);
      known = withCurrent(await former, await readKnownValidators(slot));
    } catch (error) {
      if (!stopped) logger.debug({ error: errorMessage(error) }, 'validators of the chain not read again');
    } finally {
      reading = false;
    }
  };

  known = withCurrent(null, new Set());
  const ready = read();
  const unsubscribe = chain.onCommitted(() => {
    // who votes next is known at once, the others when they are read
    for (const { address } of chain.head().nextValidators.validators)
      if (!known.has(address)) known = new Map([...known, [address, 0n]]);
    void read();
  });
  return {
    members: () => known,
    ready,
    stop() {
      stopped = true;
      unsubscribe();
    },
  };
};
