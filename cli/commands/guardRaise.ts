/** `causeway guard raise`: the operator says up to which height this key may have signed elsewhere. */
import { defineCommand } from '#cli/command.ts';
import { dataOption } from '#cli/commands/dataFolder.ts';
import { describeGuard, guardToJson } from '#cli/commands/guardText.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import {
  optionalOption,
  parseAddressOption,
  parseHashOption,
  parseWholeNumber,
  requiredOption,
  switchOption,
} from '#cli/options.ts';
import type { GuardOwner } from '#node/consensus/guard.ts';

/** A slip of a digit would silence the validator for good: the guard never goes back. */
const MAX_UNCONFIRMED_RAISE = 100_000n;

export const guardRaise = defineCommand({
  path: ['guard', 'raise'],
  summary: 'never sign at or below a height',
  description:
    'Closes every height up to the given one for this key, for good: for a data folder restored from a backup, or a key whose other host is lost. Choose a height that the chain has surely passed. Without a guard in the folder, --validator and --genesis-hash say whose to make. Refuses while the node runs.',
  examples: [
    'guard raise --data validator-1/data --height 120500',
    'guard raise --data new-host/data --height 120500 --validator 0x… --genesis-hash 0x…',
  ],
  options: {
    data: dataOption,
    height: requiredOption(
      '--height <number>',
      'the highest height that is not signed any more',
      parseWholeNumber,
    ),
    validator: optionalOption(
      '--validator <address>',
      'whose guard to make when there is none',
      parseAddressOption,
    ),
    genesisHash: optionalOption('--genesis-hash <hash>', 'of which chain', parseHashOption),
    yes: switchOption('--yes', `also raise it by more than ${MAX_UNCONFIRMED_RAISE} heights`),
  },
  run: async ({ data, height: heightNumber, validator, genesisHash, yes }) => {
    const { readGuard, withStoppedNode } = await import('#node/consensus/consensusFolder.ts');
    const { GuardError, initialiseGuard, openGuard, UNSIGNED } = await import('#node/consensus/guard.ts');
    const { closeHeight } = await import('#node/consensus/guardChange.ts');
    const height = BigInt(heightNumber);
    const result = await withStoppedNode(data, async ({ disk }) => {
      const found = await readGuard(data);
      const owner: GuardOwner | null =
        found !== null && found !== 'missing'
          ? found.owner
          : validator !== undefined && genesisHash !== undefined
            ? { validator, genesisHash }
            : null;
      if (found === null || owner === null)
        throw new CliError(
          `expected a usable sign guard in ${data}, found ${found === null ? 'a broken one' : 'none'}`,
          {
            code: found === null ? 'GUARD_CORRUPT' : 'NO_GUARD',
            exitCode: EXIT.guard,
            hint:
              found === null
                ? 'Move the broken file away first, then give --validator and --genesis-hash.'
                : 'Give --validator and --genesis-hash to make one that begins above this height.',
          },
        );
      const before = found === 'missing' ? null : found.state;
      if (!yes && before !== null && before.height > 0n && height > before.height + MAX_UNCONFIRMED_RAISE)
        throw new GuardError(
          'GUARD_TOO_FAR',
          `expected at most ${before.height + MAX_UNCONFIRMED_RAISE} (the guard is at ${before.height}), found ${height}: the guard never goes back, and this validator would be silent until the chain is there. With --yes it is raised all the same`,
        );
      const guard =
        (await openGuard(disk, owner)) ?? (await initialiseGuard(disk, owner, closeHeight(UNSIGNED, height)));
      try {
        await guard.amend((state) => closeHeight(state, height));
        return { owner, before, state: guard.state() };
      } finally {
        await guard.close();
      }
    });
    const { owner, before, state } = result;
    const isChanged = before === null || before.height !== state.height || before.round !== state.round;
    return {
      data: { changed: isChanged, created: before === null, ...guardToJson({ owner, state }) },
      text: `${isChanged ? 'guard raised' : 'nothing to raise: the guard is above that already'}\n${describeGuard({ owner, state })}`,
    };
  },
});
