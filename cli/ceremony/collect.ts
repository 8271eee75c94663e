/** Takes documents of members into the folder: all are judged, with what is there, before the first is written. */
import {
  type CeremonyFiles,
  readApprovals,
  readEnrolments,
  readOpening,
  readText,
  writeOnce,
} from '#cli/ceremony/folder.ts';
import { rebuildAndCompare } from '#cli/ceremony/rebuild.ts';
import { parseApproval, writeApproval } from '#genesis/ceremony/approval.ts';
import {
  type Enrolment,
  parseEnrolment,
  requireDistinctKeys,
  requireNoConflict,
  writeEnrolment,
} from '#genesis/ceremony/enrolment.ts';
import { CeremonyError } from '#genesis/ceremony/errors.ts';

export type Taken = { readonly kind: 'enrolment' | 'approval'; readonly organisation: string };

type Input = { readonly path: string; readonly text: string };

const isApproval = ({ text }: Input): boolean => text.includes('"format":"causeway-ceremony-approval-');

const named = async <T>({ path }: Input, judge: () => T | Promise<T>): Promise<T> => {
  try {
    return await judge();
  } catch (error) {
    if (error instanceof CeremonyError)
      throw new CeremonyError(error.code, `${path}: ${error.message}`, { cause: error });
    throw error;
  }
};

const judgeEnrolments = async (files: CeremonyFiles, inputs: readonly Input[]) => {
  const opening = await readOpening(files);
  const known = new Map((await readEnrolments(files, opening)).map((one) => [one.organisation, one]));
  const judged: Enrolment[] = [];
  for (const input of inputs) {
    const enrolment = await named(input, () => parseEnrolment(input.text, opening));
    await named(input, () => requireNoConflict(known.get(enrolment.organisation), enrolment));
    known.set(enrolment.organisation, enrolment);
    judged.push(enrolment);
    await named(input, () =>
      requireDistinctKeys(
        opening,
        [...known.values()].map(({ document }) => document),
      ),
    );
  }
  return judged;
};

const judgeApprovals = async (files: CeremonyFiles, inputs: readonly Input[]) => {
  const { opening, draft } = await rebuildAndCompare(files);
  await readApprovals(files, opening, draft);
  return Promise.all(inputs.map((input) => named(input, () => parseApproval(input.text, opening, draft))));
};

/** @throws CeremonyError; CliError EXISTS when a member sent another file before */
export const collectDocuments = async (
  files: CeremonyFiles,
  paths: readonly string[],
): Promise<readonly Taken[]> => {
  const inputs = await Promise.all(
    paths.map(async (path) => ({ path, text: await readText(path, 'Check the path and its permissions.') })),
  );
  const enrolmentInputs = inputs.filter((input) => !isApproval(input));
  const approvalInputs = inputs.filter(isApproval);
  const taken: Taken[] = [];
  for (const enrolment of await judgeEnrolments(files, enrolmentInputs)) {
    await writeOnce(files.enrolment(enrolment.organisation), writeEnrolment(enrolment));
    taken.push({ kind: 'enrolment', organisation: enrolment.organisation });
  }
  const approvals = approvalInputs.length === 0 ? [] : await judgeApprovals(files, approvalInputs);
  for (const approval of approvals) {
    await writeOnce(files.approval(approval.organisation), writeApproval(approval));
    taken.push({ kind: 'approval', organisation: approval.organisation });
  }
  return taken;
};
