/** The approval: an organisation's governance key says that this draft, of this ceremony, is the one. */
import { z } from 'zod';
import { type CeremonyStatement, ceremonyDigest } from '#consensus/ceremonyDigests.ts';
import { recoverAddress } from '#consensus/crypto/secp256k1.ts';
import type { Signature } from '#consensus/primitives.ts';
import {
  checkDocument,
  parseDocument,
  requireNotBefore,
  shapes,
  writeDocument,
} from '#genesis/ceremony/document.ts';
import type { Draft } from '#genesis/ceremony/draft.ts';
import { CeremonyError } from '#genesis/ceremony/errors.ts';
import { type Opening, organisationOf, requireSameCeremony } from '#genesis/ceremony/open.ts';

const FORMAT = 'causeway-ceremony-approval-1';

const approvalSchema = z.strictObject({
  format: z.literal(FORMAT),
  at: shapes.instant,
  openHash: shapes.hash,
  draftHash: shapes.hash,
  genesisHash: shapes.hash,
  organisation: shapes.name,
  signature: shapes.signature,
});

export type ApprovalJson = z.output<typeof approvalSchema>;
export type Approval = { readonly document: ApprovalJson; readonly organisation: string };

type Unsigned = Pick<ApprovalJson, 'organisation' | 'draftHash' | 'genesisHash' | 'at'>;

const statementOf = ({ organisation, draftHash, genesisHash, at }: Unsigned): CeremonyStatement => ({
  type: 'approval',
  organisation,
  draftHash,
  genesisHash,
  at,
});

/** @param draft rebuilt here, never as somebody sent it. @param sign by the governance key */
export const createApproval = async (
  opening: Opening,
  draft: Draft,
  { organisation, at }: { readonly organisation: string; readonly at: string },
  sign: (statement: CeremonyStatement) => Promise<Signature>,
): Promise<Approval> => {
  const unsigned = {
    format: FORMAT,
    at,
    openHash: opening.openHash,
    draftHash: draft.draftHash,
    genesisHash: draft.genesis.genesisHash,
    organisation,
  } as const;
  return judge({ ...unsigned, signature: await sign(statementOf(unsigned)) }, opening, draft);
};

export const writeApproval = ({ document }: Approval): string => writeDocument(document);

const judge = (document: ApprovalJson, opening: Opening, draft: Draft): Approval => {
  const what = `the approval of ${document.organisation}`;
  requireSameCeremony(what, document.openHash, opening);
  const { name, governanceKey } = organisationOf(opening, document.organisation);
  if (document.draftHash !== draft.draftHash || document.genesisHash !== draft.genesis.genesisHash)
    throw new CeremonyError(
      'OTHER_DRAFT',
      `expected ${what} for the draft ${draft.draftHash}, found one for ${document.draftHash}: ${name} saw another draft; find out who gave it to whom`,
    );
  const signer = recoverAddress(ceremonyDigest(opening.domain, statementOf(document)), document.signature);
  if (signer !== governanceKey)
    throw new CeremonyError(
      'BAD_SIGNATURE',
      `expected ${what} signed by its governance key ${governanceKey}, found ${signer ?? 'no valid signature'}: it was edited, or somebody else made it`,
    );
  for (const { organisation, document: enrolment } of draft.enrolments)
    requireNotBefore(`${what} (after the enrolment of ${organisation})`, document.at, enrolment.at);
  return { document, organisation: name };
};

/** @throws CeremonyError */
export const parseApproval = (text: string, opening: Opening, draft: Draft): Approval =>
  judge(parseDocument(text, 'an approval', FORMAT, approvalSchema), opening, draft);

/** The same out of a transcript. */
export const checkApproval = (json: unknown, text: string, opening: Opening, draft: Draft): Approval =>
  judge(checkDocument(json, text, 'an approval', FORMAT, approvalSchema), opening, draft);

/** All approvals in the order of the roster. @throws CeremonyError MISSING with the names */
export const requireAllApproved = (opening: Opening, approvals: readonly Approval[]): Approval[] => {
  const byName = new Map(approvals.map((approval) => [approval.organisation, approval]));
  const missing = opening.plan.organisations.filter(({ name }) => !byName.has(name));
  if (missing.length > 0)
    throw new CeremonyError(
      'MISSING',
      `expected the approval of every organisation, found none of ${missing.map(({ name }) => name).join(', ')}: nothing is sealed without all`,
    );
  return opening.plan.organisations.map(({ name }) => byName.get(name)!);
};
