/** A sign guard in words and in JSON. */
import { CliError, EXIT } from '#cli/errors.ts';
import { formatTable } from '#cli/io.ts';
import type { GuardOwner, GuardState } from '#node/consensus/guard.ts';

export type FoundGuard = {
  readonly owner: GuardOwner;
  readonly state: GuardState;
  readonly wholeSlots: number;
};

const NIL_TEXT = `0x${'00'.repeat(32)}`;

export const guardToJson = ({ owner, state }: Pick<FoundGuard, 'owner' | 'state'>): object => {
  const { height, round, step, valueId, digest, signature, lock, learned } = state;
  return {
    ...owner,
    newest: { height, round, step, valueId, digest, signature },
    lock,
    heightClosed: learned === true,
  };
};

const newestText = ({ height, round, step, valueId, signature, learned }: GuardState): string => {
  if (signature === null)
    return learned ? `nothing at or below height ${height} is signed` : 'nothing was signed yet';
  const value = valueId === null ? '' : `, for ${valueId === NIL_TEXT ? 'nil' : valueId}`;
  return `${step} of height ${height} round ${round}${value}`;
};

export const describeGuard = ({ owner, state }: Pick<FoundGuard, 'owner' | 'state'>): string =>
  formatTable([
    ['validator', owner.validator],
    ['genesis hash', owner.genesisHash],
    ['newest', newestText(state)],
    [
      'lock',
      state.lock === null ? 'none' : `${state.lock.valueId}, precommitted in round ${state.lock.round}`,
    ],
    ...(state.learned ? [['height closed', `nothing more is signed in height ${state.height}`]] : []),
  ]);

/** @throws CliError NO_GUARD, GUARD_CORRUPT */
export const requireGuard = async (dataDir: string): Promise<FoundGuard> => {
  const { readGuard } = await import('#node/consensus/consensusFolder.ts');
  const found = await readGuard(dataDir);
  if (found === 'missing')
    throw new CliError(`expected a sign guard in ${dataDir}, found none`, {
      code: 'NO_GUARD',
      exitCode: EXIT.guard,
      hint: 'A validator past genesis without its guard only observes: import an export of it, or empty the whole data folder.',
    });
  if (found === null)
    throw new CliError(`expected one whole slot in the sign guard of ${dataDir}, found none`, {
      code: 'GUARD_CORRUPT',
      exitCode: EXIT.guard,
      hint: 'Restore the file, or empty the whole data folder: the node then asks its peers for its newest vote.',
    });
  return found;
};
