/** A member's own approval: rebuilt here, compared with what it enrolled and what its people heard, signed once. */

import { openGovernance, recallSigned, rememberSigned } from '#cli/ceremony/memberKeys.ts';
import { nowInstant } from '#cli/ceremony/options.ts';
import type { Rebuilt } from '#cli/ceremony/rebuild.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { type Approval, createApproval, parseApproval, writeApproval } from '#genesis/ceremony/approval.ts';
import { requireNotBefore } from '#genesis/ceremony/document.ts';
import { writeEnrolment } from '#genesis/ceremony/enrolment.ts';
import { CeremonyError } from '#genesis/ceremony/errors.ts';
import { organisationOf } from '#genesis/ceremony/open.ts';
import { requireWords } from '#genesis/ceremony/words.ts';

export type Approver = {
  readonly organisation: string;
  readonly keysFolder: string;
  readonly words: string;
  readonly passphrase: () => Promise<string>;
};

/** A valid enrolment of an earlier day, or of a key that was thrown away, must not stand in for the one that counts. */
const requireOwnEnrolment = async ({ opening, draft }: Rebuilt, { organisation, keysFolder }: Approver) => {
  const own = await recallSigned(keysFolder, opening.openHash, 'enrolment');
  if (own === null)
    throw new CliError(
      `expected what ${organisation} enrolled for this opening in ${keysFolder}, found nothing`,
      {
        code: 'NOT_ENROLLED',
        exitCode: EXIT.verification,
        hint: 'Approve with the folder of keys with which you enrolled (--keys).',
      },
    );
  const used = draft.enrolments.find((enrolment) => enrolment.organisation === organisation)!;
  if (writeEnrolment(used) !== own)
    throw new CeremonyError(
      'CONFLICT',
      `expected the enrolment that ${organisation} made here, found another one of its in the draft: somebody replaced it, do not approve`,
    );
};

/** One approval a ceremony. @throws CliError ALREADY_APPROVED */
const recallApproval = async ({ opening, draft }: Rebuilt, folder: string): Promise<Approval | null> => {
  const known = await recallSigned(folder, opening.openHash, 'approval');
  if (known === null) return null;
  try {
    return parseApproval(known, opening, draft);
  } catch (error) {
    if (!(error instanceof CeremonyError && error.code === 'OTHER_DRAFT')) throw error;
    throw new CliError('expected one draft in this ceremony, found another one than you approved before', {
      code: 'ALREADY_APPROVED',
      exitCode: EXIT.denied,
      hint: 'Somebody shows different drafts to different members, or built again. Nobody approves twice: open a new ceremony, your keys can enrol there.',
      cause: error,
    });
  }
};

/** @throws CeremonyError WRONG_WORDS, WRONG_KEY, CONFLICT, CLOCK; CliError */
export const approveDraft = async (rebuilt: Rebuilt, approver: Approver): Promise<Approval> => {
  const { opening, draft } = rebuilt;
  const organisation = organisationOf(opening, approver.organisation);
  requireWords(approver.words, draft.draftHash);
  await requireOwnEnrolment(rebuilt, approver);
  const known = await recallApproval(rebuilt, approver.keysFolder);
  if (known !== null) return known;
  const at = nowInstant();
  requireNotBefore('the clock of this machine', at, opening.document.at);
  const governance = await openGovernance(
    { folder: approver.keysFolder, passphrase: await approver.passphrase() },
    organisation,
  );
  const approval = await createApproval(
    opening,
    draft,
    { organisation: organisation.name, at },
    (statement) => governance.sign({ kind: 'ceremony', domain: opening.domain, statement }),
  );
  await rememberSigned(approver.keysFolder, opening.openHash, 'approval', writeApproval(approval));
  return approval;
};
