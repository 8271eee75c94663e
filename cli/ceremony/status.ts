/** How far a ceremony is, read from its folder: who has done what, and what comes next. */
import {
  type CeremonyFiles,
  hasFile,
  readApprovals,
  readEnrolments,
  readOpening,
} from '#cli/ceremony/folder.ts';
import { rebuildAndCompare } from '#cli/ceremony/rebuild.ts';
import { loadSealed } from '#cli/ceremony/sealed.ts';
import { requireDistinctKeys } from '#genesis/ceremony/enrolment.ts';

export type CeremonyStatus = {
  readonly stage: 'enrolling' | 'building' | 'approving' | 'sealing' | 'sealed';
  readonly openHash: string;
  readonly enrolled: readonly string[];
  readonly missingEnrolments: readonly string[];
  readonly draftHash: string | null;
  readonly approved: readonly string[];
  readonly missingApprovals: readonly string[];
  readonly transcriptHash: string | null;
  readonly next: string;
};

const NEXT: Readonly<Record<CeremonyStatus['stage'], string>> = {
  enrolling:
    'each missing organisation runs `causeway ceremony enrol` and sends its file; `collect` takes it in',
  building: '`causeway ceremony build`, then give the whole folder to every member',
  approving:
    'each missing organisation runs `verify`, compares the words aloud, runs `approve` and sends its file',
  sealing: '`causeway ceremony seal`',
  sealed: 'every member runs `causeway ceremony audit` on the transcript and writes its words down',
};

/** Judges everything that it reads. @throws CeremonyError */
export const readStatus = async (files: CeremonyFiles): Promise<CeremonyStatus> => {
  const opening = await readOpening(files);
  const names = opening.plan.organisations.map(({ name }) => name);
  const enrolments = await readEnrolments(files, opening);
  requireDistinctKeys(
    opening,
    enrolments.map(({ document }) => document),
  );
  const enrolled = names.filter((name) => enrolments.some(({ organisation }) => organisation === name));
  const rebuilt = (await hasFile(files.draft)) ? await rebuildAndCompare(files) : null;
  const approvals = rebuilt === null ? [] : await readApprovals(files, opening, rebuilt.draft);
  const approved = names.filter((name) => approvals.some(({ organisation }) => organisation === name));
  const sealed = (await hasFile(files.transcript)) ? await loadSealed(files.transcript) : null;
  const stage =
    sealed !== null
      ? 'sealed'
      : enrolled.length < names.length
        ? 'enrolling'
        : rebuilt === null
          ? 'building'
          : approved.length < names.length
            ? 'approving'
            : 'sealing';
  return {
    stage,
    openHash: opening.openHash,
    enrolled,
    missingEnrolments: names.filter((name) => !enrolled.includes(name)),
    draftHash: rebuilt?.draft.draftHash ?? null,
    approved,
    missingApprovals: names.filter((name) => !approved.includes(name)),
    transcriptHash: sealed?.transcriptHash ?? null,
    next: NEXT[stage],
  };
};

export const statusToText = (status: CeremonyStatus): string => {
  const total = status.enrolled.length + status.missingEnrolments.length;
  const list = (names: readonly string[]): string =>
    names.length === 0 ? '' : `; missing: ${names.join(', ')}`;
  return [
    `enrolled: ${status.enrolled.length} of ${total}${list(status.missingEnrolments)}`,
    `draft: ${status.draftHash ?? 'not built'}`,
    `approved: ${status.approved.length} of ${total}${list(status.missingApprovals)}`,
    `sealed: ${status.transcriptHash ?? 'no'}`,
    `next: ${status.next}`,
  ].join('\n');
};
