/** What every bridge command begins with: the genesis, both chains, and for those that pay, an account. */
import { createSignerAccount } from '#bridge/relayer/signerAccount.ts';
import { CrossingError } from '#bridge/user/errors.ts';
import { createPeg, type Peg, requireChains } from '#bridge/user/peg.ts';
import { type CrossingJournal, openCrossingJournal } from '#bridge/user/steps.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { obtainPassphrase, type PassphraseSources } from '#cli/passphrase.ts';
import type { Signer } from '#consensus/signer.ts';
import { loadGenesis } from '#genesis/genesisFile.ts';
import { openSignerFile } from '#node/keys/signerFile.ts';

export type PegSources = { readonly genesis: string; readonly l1Url: string; readonly rpcUrl: string };

/** @throws GenesisError, CrossingError WRONG_CHAIN */
export const openPeg = async ({ genesis: path, l1Url, rpcUrl }: PegSources): Promise<Peg> => {
  const genesis = await loadGenesis(path);
  const peg = createPeg({
    l1Url,
    sidechainUrl: rpcUrl,
    l1ChainId: genesis.spec.l1ChainId,
    sidechainId: genesis.spec.chainId,
    addresses: genesis.l1,
  });
  await requireChains(peg);
  return peg;
};

/** @throws KeyError */
export const openSigner = async (key: string, sources: PassphraseSources, io: Io): Promise<Signer> =>
  openSignerFile(key, await obtainPassphrase(sources, io));

export const openAccount = async (key: string, sources: PassphraseSources, io: Io) =>
  createSignerAccount(await openSigner(key, sources, io));

export type CrossingRequest = {
  readonly kind: 'deposit' | 'withdrawal' | 'claim';
  readonly details: Readonly<Record<string, string>>;
};

export type RecordedCrossing = CrossingRequest & {
  readonly journal: CrossingJournal;
  readonly id: string;
};

const UNFINISHED_HINT =
  'Complete it with --resume (amount and recipient are then the recorded ones), or use another --journal.';

/**
 * A crossing with its journal. An unfinished one is never overtaken silently: sending twice is the one mistake that
 * nobody can undo.
 * @throws CliError UNFINISHED_CROSSING, NOTHING_TO_RESUME
 */
export const recordCrossing = async (
  path: string,
  request: CrossingRequest,
  resume: boolean,
): Promise<RecordedCrossing> => {
  const journal = await openCrossingJournal(path);
  const [unfinished] = journal.unfinished();
  if (unfinished !== undefined) {
    const { kind, ...details } = unfinished.details;
    if (!resume || kind !== request.kind) {
      await journal.end();
      throw new CliError(
        `expected no unfinished crossing in ${path}, found a ${kind}: ${Object.entries(details)
          .map((entry) => entry.join(' '))
          .join(', ')}`,
        { code: 'UNFINISHED_CROSSING', exitCode: EXIT.config, hint: UNFINISHED_HINT },
      );
    }
    return { journal, id: unfinished.id, kind: request.kind, details };
  }
  if (resume) {
    await journal.end();
    throw new CliError(`expected an unfinished crossing in ${path}, found none`, {
      code: 'NOTHING_TO_RESUME',
      exitCode: EXIT.usage,
      hint: 'Run it without --resume.',
    });
  }
  const id = `${request.kind}-${new Date().toISOString()}`;
  await journal.open(id, { kind: request.kind, ...request.details });
  return { journal, id, ...request };
};

/**
 * Runs one recorded crossing. It is closed when `run` succeeds, and when it failed with nothing that could still
 * happen: nothing signed, or reverted. Any other failure stays open, so that it can be resumed.
 */
export const withRecordedCrossing = async <T>(
  path: string,
  request: CrossingRequest,
  resume: boolean,
  run: (crossing: RecordedCrossing) => Promise<T>,
): Promise<T> => {
  const crossing = await recordCrossing(path, request, resume);
  try {
    const result = await run(crossing);
    await crossing.journal.close(crossing.id);
    return result;
  } catch (fault) {
    const isReverted = fault instanceof CrossingError && fault.code === 'REVERTED';
    if (isReverted || !crossing.journal.hasSent(crossing.id)) await crossing.journal.close(crossing.id);
    throw fault;
  } finally {
    await crossing.journal.end();
  }
};
