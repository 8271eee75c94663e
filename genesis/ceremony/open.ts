/**
 * The opening: one plan, made unique, with the hash that everything later in the ceremony is signed for.
 *
 * The nonce keeps two ceremonies of one plan apart, so that nothing signed for a rehearsal counts in earnest.
 */
import { z } from 'zod';
import type { CeremonyDomain } from '#consensus/ceremonyDigests.ts';
import type { Hash } from '#consensus/primitives.ts';
import {
  checkDocument,
  documentToHash,
  parseDocument,
  shapes,
  writeDocument,
} from '#genesis/ceremony/document.ts';
import { CeremonyError } from '#genesis/ceremony/errors.ts';
import { checkPlan, type Organisation, type Plan, planSchema } from '#genesis/ceremony/plan.ts';

const FORMAT = 'causeway-ceremony-open-1';

const openSchema = z.strictObject({
  format: z.literal(FORMAT),
  at: shapes.instant,
  nonce: shapes.hash,
  plan: planSchema,
});

export type OpenJson = z.output<typeof openSchema>;

/** An opening that was judged, with its hash. */
export type Opening = {
  readonly document: OpenJson;
  readonly plan: Plan;
  readonly openHash: Hash;
  readonly domain: CeremonyDomain;
};

const toOpening = (document: OpenJson): Opening => {
  const openHash = documentToHash(document);
  return {
    document,
    plan: document.plan,
    openHash,
    domain: { chainId: BigInt(document.plan.chainId), openHash },
  };
};

/** @param nonce 32 random bytes. @param plan judged already (parsePlan) */
export const openCeremony = (plan: Plan, nonce: Hash, at: string): Opening =>
  toOpening({ format: FORMAT, at, nonce, plan });

export const writeOpening = ({ document }: Opening): string => writeDocument(document);

/** @throws CeremonyError BAD_DOCUMENT, OTHER_FORMAT, BAD_PLAN */
export const parseOpening = async (text: string): Promise<Opening> => {
  const document = parseDocument(text, 'the opening', FORMAT, openSchema);
  await checkPlan(document.plan);
  return toOpening(document);
};

/** The same out of a transcript. */
export const checkOpening = async (json: unknown, text: string): Promise<Opening> => {
  const document = checkDocument(json, text, 'the opening', FORMAT, openSchema);
  await checkPlan(document.plan);
  return toOpening(document);
};

/** @throws CeremonyError NOT_ON_ROSTER */
export const organisationOf = ({ plan }: Opening, name: string): Organisation => {
  const organisation = plan.organisations.find((candidate) => candidate.name === name);
  if (organisation === undefined)
    throw new CeremonyError(
      'NOT_ON_ROSTER',
      `expected one of the organisations ${plan.organisations.map((one) => one.name).join(', ')}, found "${name}"`,
    );
  return organisation;
};

/** @param openHash as a document claims. @throws CeremonyError OTHER_CEREMONY */
export const requireSameCeremony = (what: string, openHash: Hash, opening: Opening): void => {
  if (openHash !== opening.openHash)
    throw new CeremonyError(
      'OTHER_CEREMONY',
      `expected ${what} for the opening ${opening.openHash}, found one for ${openHash}: it belongs to another ceremony, or its member was given another opening; compare the words of the opening`,
    );
};
