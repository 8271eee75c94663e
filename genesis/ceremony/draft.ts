/**
 * The draft: everything that follows from the opening and all enrolments, to the byte the same on any machine.
 *
 * Nobody believes a draft: it is rebuilt (`buildDraft`) and compared (differences.ts). It carries no time and nothing that
 * its builder chose, so a coordinator has nothing to choose.
 */
import { z } from 'zod';
import { createManifest } from '#bridge/deployment/manifest.ts';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { type Hash, hexToBytes } from '#consensus/primitives.ts';
import type { CanonicalValue } from '#genesis/canonicalJson.ts';
import {
  checkDocument,
  type DocumentJson,
  documentToHash,
  parseDocument,
  shapes,
  writeDocument,
} from '#genesis/ceremony/document.ts';
import { type Enrolment, enrolmentsToKeys, requireAllEnrolled } from '#genesis/ceremony/enrolment.ts';
import type { Opening } from '#genesis/ceremony/open.ts';
import { planToSpec } from '#genesis/ceremony/plan.ts';
import { buildGenesis } from '#genesis/genesis.ts';
import { genesisToJson } from '#genesis/genesisFile.ts';
import { genesisToPegInputs } from '#genesis/pegInputs.ts';
import { PREDEPLOY_CODE } from '#genesis/predeployCode.ts';
import type { Genesis } from '#genesis/spec.ts';

const FORMAT = 'causeway-ceremony-draft-1';

/** Its shape is held by rebuilding it; this is what has to be read before that. */
const draftSchema = z.looseObject({
  format: z.literal(FORMAT),
  release: z.string().regex(/^[0-9A-Za-z.+-]{1,64}$/, 'expected a release such as "0.1.0"'),
  openHash: shapes.hash,
});

export type DraftJson = DocumentJson & { readonly release: string; readonly openHash: Hash };

export type Draft = {
  readonly document: DraftJson;
  readonly draftHash: Hash;
  readonly genesis: Genesis;
  readonly enrolments: readonly Enrolment[];
};

/**
 * @param release of the tool, so that members with different ones notice
 * @throws CeremonyError MISSING, CONFLICT, SHARED_KEY; GenesisError
 */
export const buildDraft = async (
  opening: Opening,
  enrolments: readonly Enrolment[],
  release: string,
): Promise<Draft> => {
  const inOrder = requireAllEnrolled(opening, enrolments);
  const genesis = await buildGenesis(planToSpec(opening.plan, enrolmentsToKeys(inOrder)));
  const manifest = createManifest(genesisToPegInputs(genesis));
  const document = {
    format: FORMAT,
    release,
    openHash: opening.openHash,
    enrolments: inOrder.map(({ organisation, enrolmentHash }) => ({ organisation, hash: enrolmentHash })),
    genesis: genesisToJson(genesis) as unknown as CanonicalValue,
    predeployCode: PREDEPLOY_CODE.map(({ address, code }) => ({ address, hash: keccak256Hex(code) })),
    l1Code: [
      {
        name: 'factory',
        address: manifest.addresses.factory,
        hash: keccak256Hex(hexToBytes(manifest.factoryInitCode)),
      },
      ...manifest.creations.map(({ name, address, initCode }) => ({
        name,
        address,
        hash: keccak256Hex(hexToBytes(initCode)),
      })),
    ],
  } as const;
  return { document, draftHash: documentToHash(document), genesis, enrolments: inOrder };
};

export const writeDraft = ({ document }: { readonly document: DraftJson }): string => writeDocument(document);

/** @throws CeremonyError BAD_DOCUMENT, OTHER_FORMAT */
export const parseDraft = (text: string): DraftJson =>
  parseDocument(text, 'the draft', FORMAT, draftSchema) as DraftJson;

/** The same out of a transcript. */
export const checkDraftShape = (json: unknown, text: string): DraftJson =>
  checkDocument(json, text, 'the draft', FORMAT, draftSchema) as DraftJson;
