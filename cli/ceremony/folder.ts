/**
 * A ceremony's folder: public files only, one copy at each member, carried by hand or by mail.
 *
 *   open.json, enrolments/ORGANISATION.json, draft.json, approvals/ORGANISATION.json, transcript.jsonl, genesis.json
 *
 * Owns the paths and reading and writing. Files are written once: the same bytes again are no fault, other bytes are
 * never put over them. What a file says is judged by genesis/ceremony/ each time it is read.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError, EXIT } from '#cli/errors.ts';
import { type Approval, parseApproval } from '#genesis/ceremony/approval.ts';
import { MAX_DOCUMENT_BYTES } from '#genesis/ceremony/document.ts';
import { type Draft, type DraftJson, parseDraft } from '#genesis/ceremony/draft.ts';
import { type Enrolment, parseEnrolment } from '#genesis/ceremony/enrolment.ts';
import { CeremonyError } from '#genesis/ceremony/errors.ts';
import { type Opening, parseOpening } from '#genesis/ceremony/open.ts';
import { createFileDurably } from '#node/keys/durableFile.ts';

export type CeremonyFiles = {
  readonly root: string;
  readonly open: string;
  readonly draft: string;
  readonly transcript: string;
  readonly genesis: string;
  enrolment(organisation: string): string;
  approval(organisation: string): string;
};

export const ceremonyFiles = (root: string): CeremonyFiles => ({
  root,
  open: join(root, 'open.json'),
  draft: join(root, 'draft.json'),
  transcript: join(root, 'transcript.jsonl'),
  genesis: join(root, 'genesis.json'),
  enrolment: (organisation) => join(root, 'enrolments', `${organisation}.json`),
  approval: (organisation) => join(root, 'approvals', `${organisation}.json`),
});

/** @throws CliError UNREADABLE with what the file is for */
export const readText = async (
  path: string,
  remedy: string,
  maxBytes = MAX_DOCUMENT_BYTES,
): Promise<string> => {
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError(`cannot read ${path}: ${(error as Error).message}`, {
      code: 'UNREADABLE',
      exitCode: EXIT.config,
      hint: remedy,
      cause: error,
    });
  }
};

/** @returns false if the file was there already with these bytes. @throws CliError EXISTS, UNWRITABLE */
export const writeOnce = async (path: string, text: string): Promise<boolean> => {
  try {
    await createFileDurably(path, text, 0o644);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new CliError(`cannot write ${path}: ${(error as Error).message}`, {
        code: 'UNWRITABLE',
        exitCode: EXIT.config,
        hint: 'Check the folder and its permissions.',
        cause: error,
      });
    if ((await readText(path, 'Check its permissions.', Number.MAX_SAFE_INTEGER)) === text) return false;
    throw new CliError(`expected no other file at ${path}, found one`, {
      code: 'EXISTS',
      exitCode: EXIT.config,
      hint: 'Nothing of a ceremony is overwritten. Find out where both come from before you move one away.',
    });
  }
};

const inFile = async <T>(
  path: string,
  judge: (text: string) => T | Promise<T>,
  remedy: string,
): Promise<T> => {
  const text = await readText(path, remedy);
  try {
    return await judge(text);
  } catch (error) {
    if (error instanceof CeremonyError)
      throw new CeremonyError(error.code, `${path}: ${error.message}`, { cause: error });
    throw error;
  }
};

export const readOpening = ({ open }: CeremonyFiles): Promise<Opening> =>
  inFile(
    open,
    parseOpening,
    'It is the coordinator’s file of the opening; copy it into the ceremony’s folder.',
  );

const exists = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Files of a folder by name, none if it is not there; strangers are refused, so that nobody overlooks one. */
const listDocuments = async (folder: string, opening: Opening): Promise<readonly string[]> => {
  const entries = (await exists(folder)) ? (await readdir(folder)).sort() : [];
  const known = new Set(opening.plan.organisations.map(({ name }) => `${name}.json`));
  const stranger = entries.find((entry) => !known.has(entry));
  if (stranger !== undefined)
    throw new CeremonyError(
      'NOT_ON_ROSTER',
      `expected files of ${[...known].join(', ')} in ${folder}, found ${stranger}: take it out and ask where it comes from`,
    );
  return entries.map((entry) => join(folder, entry));
};

/** A file under another organisation's name would hide that its own is missing. */
const requireName = (path: string, organisation: string): void => {
  if (!path.endsWith(`${organisation}.json`))
    throw new CeremonyError(
      'CONFLICT',
      `expected in ${path} the document of the organisation that it is named after, found that of ${organisation}: name it ${organisation}.json`,
    );
};

export const readEnrolments = async ({ root }: CeremonyFiles, opening: Opening): Promise<Enrolment[]> => {
  const enrolments: Enrolment[] = [];
  for (const path of await listDocuments(join(root, 'enrolments'), opening)) {
    const enrolment = await inFile(path, (text) => parseEnrolment(text, opening), 'Check its permissions.');
    requireName(path, enrolment.organisation);
    enrolments.push(enrolment);
  }
  return enrolments;
};

export const readApprovals = async (
  { root }: CeremonyFiles,
  opening: Opening,
  draft: Draft,
): Promise<Approval[]> => {
  const approvals: Approval[] = [];
  for (const path of await listDocuments(join(root, 'approvals'), opening)) {
    const approval = await inFile(
      path,
      (text) => parseApproval(text, opening, draft),
      'Check its permissions.',
    );
    requireName(path, approval.organisation);
    approvals.push(approval);
  }
  return approvals;
};

export const readDraft = ({ draft }: CeremonyFiles): Promise<DraftJson> =>
  inFile(draft, parseDraft, 'It is the coordinator’s file of the draft; copy it into the ceremony’s folder.');

export const hasFile = exists;
