/**
 * Every signature that validators' folders hold, to find two for one step: in WALs (what was heard on the wire and
 * what was signed) and in sign guards.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { proposalDigest, voteDigest } from '#consensus/digests.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import { openFolderDisk } from '#node/consensus/disk.ts';
import { openGuard } from '#node/consensus/guard.ts';
import { parseWal } from '#node/consensus/wal.ts';

/** Digests by `validator height/round/step`. */
export type Signed = Map<string, Set<Hash>>;

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** @param folder of a node that is not running; @returns how many signatures were found */
export const collectSigned = async (
  folder: string,
  validator: Address,
  domain: ConsensusDomain,
  signed: Signed,
): Promise<number> => {
  if (!existsSync(folder)) return 0; // wiped, and killed before it began
  let count = 0;
  const note = (author: string, height: bigint, round: number, step: string, digest: Hash): void => {
    const key = `${author} ${height}/${round}/${step}`;
    signed.set(key, (signed.get(key) ?? new Set()).add(digest));
    count++;
  };
  const files = filesBelow(folder);
  for (const path of files) {
    const log = /^wal-(\d{20})\.log$/.exec(basename(path));
    if (log === null) continue;
    for (const record of parseWal(readFileSync(path), BigInt(log[1]!), domain.genesisHash).records) {
      if (record.type !== 'input') continue;
      const { input } = record;
      if (input.type === 'vote' || input.type === 'ownVote') {
        const { vote } = input;
        note(vote.validator, vote.height, vote.round, vote.type, voteDigest(domain, vote));
      }
      if (input.type === 'proposal' || input.type === 'ownProposal') {
        const { proposal } = input;
        note(
          proposal.proposer,
          proposal.height,
          proposal.round,
          'proposal',
          proposalDigest(domain, proposal),
        );
      }
    }
  }
  const guardFile = files.find((path) => basename(path) === 'guard');
  if (guardFile === undefined) return count;
  const owner = { validator, genesisHash: domain.genesisHash };
  const guard = await openGuard(await openFolderDisk(dirname(guardFile)), owner);
  const state = guard?.state();
  if (state?.signature) note(validator, state.height, state.round, state.step, state.digest);
  await guard?.close();
  return count;
};

export const conflictsIn = (signed: ReadonlyMap<string, ReadonlySet<Hash>>): string[] =>
  [...signed].filter(([, digests]) => digests.size > 1).map(([key]) => key);
