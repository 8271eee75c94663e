/**
 * The transcript: the whole ceremony in one file, each line bound to the one before by its hash.
 *
 * Owns the form, writing, and the audit. Opening, enrolments and approvals in the order of the roster, draft, seal: that
 * order and nothing else, so that one ceremony has one transcript. The audit trusts no line. It checks the chain, then
 * judges every document again and rebuilds the draft; the chain names a careless change, signatures stop a careful one.
 */
import { z } from 'zod';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { type Hash, ZERO_HASH } from '#consensus/primitives.ts';
import { toCanonicalJson } from '#genesis/canonicalJson.ts';
import { type Approval, checkApproval, requireAllApproved } from '#genesis/ceremony/approval.ts';
import { requireSameDraft } from '#genesis/ceremony/differences.ts';
import { checkDocument, type DocumentJson, shapes, tryCanonicalJson } from '#genesis/ceremony/document.ts';
import { buildDraft, checkDraftShape, type Draft } from '#genesis/ceremony/draft.ts';
import { checkEnrolment, type Enrolment } from '#genesis/ceremony/enrolment.ts';
import { CeremonyError } from '#genesis/ceremony/errors.ts';
import { checkOpening, type Opening } from '#genesis/ceremony/open.ts';

const SEAL_FORMAT = 'causeway-ceremony-seal-1';
/** An opening, a draft, a seal, and two for each of at most 256 organisations. */
const MAX_LINES = 3 + 2 * 256;
const MAX_TRANSCRIPT_BYTES = 64 * 1024 * 1024;

const KINDS = ['open', 'enrolment', 'draft', 'approval', 'seal'] as const;
type Kind = (typeof KINDS)[number];

const lineSchema = z.strictObject({
  index: z.string(),
  kind: z.enum(KINDS, { error: `expected one of ${KINDS.join(', ')}` }),
  previous: shapes.hash,
  body: z.looseObject({}),
});

const sealSchema = z.strictObject({
  format: z.literal(SEAL_FORMAT),
  draftHash: shapes.hash,
  genesisHash: shapes.hash,
});

export type SealedCeremony = {
  readonly opening: Opening;
  readonly draft: Draft;
  readonly approvals: readonly Approval[];
  /** Hash of the last line, and so of everything. */
  readonly transcriptHash: Hash;
};

const utf8 = new TextEncoder();
const lineHash = (line: string): Hash => keccak256Hex(utf8.encode(line));

/** @throws CeremonyError MISSING */
export const writeTranscript = (
  opening: Opening,
  draft: Draft,
  approvals: readonly Approval[],
): { readonly text: string; readonly transcriptHash: Hash } => {
  const seal = {
    format: SEAL_FORMAT,
    draftHash: draft.draftHash,
    genesisHash: draft.genesis.genesisHash,
  };
  const bodies: readonly (readonly [Kind, DocumentJson])[] = [
    ['open', opening.document],
    ...draft.enrolments.map(({ document }) => ['enrolment', document] as const),
    ['draft', draft.document],
    ...requireAllApproved(opening, approvals).map(({ document }) => ['approval', document] as const),
    ['seal', seal],
  ];
  const lines: string[] = [];
  let previous: Hash = ZERO_HASH;
  for (const [kind, body] of bodies) {
    const line = toCanonicalJson({ index: String(lines.length), kind, previous, body });
    lines.push(line);
    previous = lineHash(line);
  }
  return { text: `${lines.join('\n')}\n`, transcriptHash: previous };
};

type Line = { readonly kind: Kind; readonly body: unknown; readonly place: string };

const broken = (message: string): CeremonyError => new CeremonyError('CHAIN_BROKEN', message);

const readLine = (line: string, index: number): z.output<typeof lineSchema> => {
  const place = `line ${index + 1}`;
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    throw broken(`${place}: expected JSON, found ${(error as Error).message}: the line was cut or edited`);
  }
  const parsed = lineSchema.safeParse(json);
  if (!parsed.success)
    throw broken(
      `${place}: expected an entry of a transcript, found at ${parsed.error.issues[0]?.path.join('.') || 'the top'}: ${parsed.error.issues[0]?.message}`,
    );
  if (tryCanonicalJson(json) !== line)
    throw broken(`${place}: expected canonical JSON, found other bytes: the line was edited`);
  if (parsed.data.index !== String(index))
    throw new CeremonyError(
      'OUT_OF_ORDER',
      `${place}: expected entry ${index}, found entry ${parsed.data.index.slice(0, 20)}: lines were moved, taken out or put in`,
    );
  return parsed.data;
};

/** The lines, if each follows from the one before. */
const readChain = (text: string): { readonly lines: readonly Line[]; readonly head: Hash } => {
  if (text.length > MAX_TRANSCRIPT_BYTES)
    throw broken(`expected a transcript of at most ${MAX_TRANSCRIPT_BYTES} bytes, found more`);
  if (!text.endsWith('\n'))
    throw broken('expected a line break at the end of the transcript, found none: its end was cut off');
  const rows = text.slice(0, -1).split('\n');
  if (rows.length > MAX_LINES) throw broken(`expected at most ${MAX_LINES} lines, found ${rows.length}`);
  const lines: Line[] = [];
  let previous: Hash = ZERO_HASH;
  for (const [index, row] of rows.entries()) {
    const entry = readLine(row, index);
    if (entry.previous !== previous)
      throw broken(
        index === 0
          ? `line 1: expected the beginning of a transcript, found an entry that follows ${entry.previous}: its beginning was cut off`
          : `line ${index + 1}: expected an entry that follows line ${index} (${previous}), found one that follows ${entry.previous}: line ${index} was edited, or one of both was replaced`,
      );
    lines.push({ kind: entry.kind, body: entry.body, place: `line ${index + 1}` });
    previous = lineHash(row);
  }
  return { lines, head: previous };
};

/** Adds the line to what is wrong with its document. */
const at = async <T>({ place }: Line, judge: () => T | Promise<T>): Promise<T> => {
  try {
    return await judge();
  } catch (error) {
    if (error instanceof CeremonyError)
      throw new CeremonyError(error.code, `${place}: ${error.message}`, { cause: error });
    throw error;
  }
};

const bodyText = ({ body }: Line): string => toCanonicalJson(body as DocumentJson);

const requireKinds = (lines: readonly Line[], organisations: number): void => {
  const expected: Kind[] = [
    'open',
    ...Array.from({ length: organisations }, () => 'enrolment' as const),
    'draft',
    ...Array.from({ length: organisations }, () => 'approval' as const),
    'seal',
  ];
  const wrong = expected.findIndex((kind, index) => lines[index]?.kind !== kind);
  if (wrong !== -1 && lines[wrong] === undefined)
    throw new CeremonyError(
      'NOT_SEALED',
      `expected ${expected.length} lines for ${organisations} organisations, the last one the seal, found ${lines.length}: the ceremony was not completed, or the end was cut off`,
    );
  const extra = wrong === -1 ? lines[expected.length] : lines[wrong];
  if (extra !== undefined)
    throw new CeremonyError(
      'OUT_OF_ORDER',
      `${extra.place}: expected ${wrong === -1 ? 'nothing after the seal' : `an entry "${expected[wrong]}"`}, found "${extra.kind}": entries were moved, taken out or put in`,
    );
};

/** One document of each organisation, in the order of the roster. */
const requireOwner = (line: Line, found: string, expected: string): void => {
  if (found !== expected)
    throw new CeremonyError(
      'OUT_OF_ORDER',
      `${line.place}: expected the document of ${expected}, found that of ${found}: the order is that of the roster, and each appears once`,
    );
};

/** Believes nothing but signatures and arithmetic. @throws CeremonyError, GenesisError */
export const auditTranscript = async (text: string): Promise<SealedCeremony> => {
  const { lines, head } = readChain(text);
  const [first] = lines as [Line];
  if (first.kind !== 'open')
    throw new CeremonyError(
      'OUT_OF_ORDER',
      `line 1: expected an entry "open", found "${first.kind}": the beginning was cut off or moved`,
    );
  const opening = await at(first, () => checkOpening(first.body, bodyText(first)));
  const names = opening.plan.organisations.map(({ name }) => name);
  requireKinds(lines, names.length);
  const enrolments: Enrolment[] = [];
  for (const [index, name] of names.entries()) {
    const line = lines[1 + index]!;
    const enrolment = await at(line, () => checkEnrolment(line.body, bodyText(line), opening));
    requireOwner(line, enrolment.organisation, name);
    enrolments.push(enrolment);
  }
  const draftLine = lines[1 + names.length]!;
  const stated = checkDraftShape(draftLine.body, bodyText(draftLine));
  const draft = await at(draftLine, () => buildDraft(opening, enrolments, stated.release));
  await at(draftLine, () => requireSameDraft(stated, draft));
  const approvals: Approval[] = [];
  for (const [index, name] of names.entries()) {
    const line = lines[2 + names.length + index]!;
    const approval = await at(line, () => checkApproval(line.body, bodyText(line), opening, draft));
    requireOwner(line, approval.organisation, name);
    approvals.push(approval);
  }
  await at(lines.at(-1)!, () => requireSeal(lines.at(-1)!, draft));
  return { opening, draft, approvals, transcriptHash: head };
};

const requireSeal = (line: Line, draft: Draft): void => {
  const seal = checkDocument(line.body, bodyText(line), 'the seal', SEAL_FORMAT, sealSchema);
  if (seal.draftHash !== draft.draftHash || seal.genesisHash !== draft.genesis.genesisHash)
    throw new CeremonyError(
      'OTHER_DRAFT',
      `expected a seal of the draft ${draft.draftHash}, found one of ${seal.draftHash}: it was taken from another transcript`,
    );
};
