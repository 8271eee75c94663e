/**
 * The enrolment: one organisation's public keys and endpoints, with a proof of possession by every key.
 *
 * Each entry is signed by its own key over (opening, organisation, role, seat, key, PeerId, endpoints), so that nobody
 * enrols a key that another holds, or moves a proof elsewhere; the governance key signs the whole (RULES 45).
 */
import { peerIdFromString } from '@libp2p/peer-id';
import { z } from 'zod';
import {
  type CeremonyDomain,
  type CeremonyRole,
  ceremonyDigest,
  type KeyPossession,
} from '#consensus/ceremonyDigests.ts';
import { recoverAddress } from '#consensus/crypto/secp256k1.ts';
import { type Address, type Hash, hexToBytes, type Signature } from '#consensus/primitives.ts';
import {
  checkDocument,
  documentToHash,
  parseDocument,
  requireNotBefore,
  shapes,
  writeDocument,
} from '#genesis/ceremony/document.ts';
import { CeremonyError } from '#genesis/ceremony/errors.ts';
import { type Opening, organisationOf, requireSameCeremony } from '#genesis/ceremony/open.ts';
import type { Organisation, PlanKeys } from '#genesis/ceremony/plan.ts';

const FORMAT = 'causeway-ceremony-enrolment-1';

/** Narrow on purpose: these texts end up in configurations and on terminals; a URL carries no credentials. */
export const P2P_ENDPOINT = /^\/(ip4|ip6|dns|dns4|dns6)\/[A-Za-z0-9.:-]{1,253}\/tcp\/\d{1,5}$/;
export const EXCHANGE_ENDPOINT = /^https?:\/\/([A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:]{2,45}\])(:\d{1,5})?$/;

const ROLES = ['consensus', 'relayer', 'node', 'deployer'] as const satisfies CeremonyRole[];

const keySchema = z.strictObject({
  role: z.enum(ROLES),
  seat: shapes.name,
  key: z.string().regex(/^(0x[0-9a-f]{40}|[1-9A-HJ-NP-Za-km-z]{40,64})$/, 'expected an address or a PeerId'),
  peerId: z.string().regex(/^([1-9A-HJ-NP-Za-km-z]{40,64})?$/, 'expected a PeerId'),
  p2p: z
    .string()
    .regex(P2P_ENDPOINT, 'expected a TCP multiaddress, such as "/dns4/node.example.org/tcp/26656"')
    .or(z.literal('')),
  exchange: z
    .string()
    .regex(
      EXCHANGE_ENDPOINT,
      'expected a URL of scheme, host and port, such as "https://relayer.example.org"',
    )
    .or(z.literal('')),
  /** 65 bytes by a signing key, 64 by a node key. */
  proof: z.string().regex(/^0x([0-9a-f]{128}|[0-9a-f]{130})$/, 'expected a signature in lower case'),
});

const enrolmentSchema = z.strictObject({
  format: z.literal(FORMAT),
  at: shapes.instant,
  openHash: shapes.hash,
  organisation: shapes.name,
  keys: z.array(keySchema).max(1_100),
  signature: shapes.signature,
});

export type EnrolledKey = z.output<typeof keySchema>;
export type EnrolmentJson = z.output<typeof enrolmentSchema>;

export type Enrolment = {
  readonly document: EnrolmentJson;
  readonly organisation: string;
  readonly enrolmentHash: Hash;
};

/** Which keys an organisation has to bring, in this order. */
export const expectedKeys = (
  opening: Opening,
  { name, validators, relayers }: Organisation,
): readonly { readonly role: CeremonyRole; readonly seat: string }[] => [
  ...validators.flatMap((seat) => [
    { role: 'consensus' as const, seat: seat.name },
    { role: 'node' as const, seat: seat.name },
  ]),
  ...relayers.flatMap((seat) => [
    { role: 'relayer' as const, seat: seat.name },
    { role: 'node' as const, seat: seat.name },
  ]),
  ...(opening.plan.deployer === name ? [{ role: 'deployer' as const, seat: 'deployer' }] : []),
];

/** What each key signs. @returns the proof: 65 bytes by a signing key, 64 by a node key */
export type Prover = (possession: KeyPossession) => Promise<string>;

export type EnrolmentInput = {
  readonly organisation: string;
  readonly at: string;
  readonly keys: readonly Omit<KeyPossession, 'organisation'>[];
};

/** @param sign by the governance key, over the hash of the body */
export const createEnrolment = async (
  opening: Opening,
  { organisation, at, keys }: EnrolmentInput,
  prove: Prover,
  sign: (bodyHash: Hash) => Promise<Signature>,
): Promise<Enrolment> => {
  const proven: EnrolledKey[] = [];
  for (const entry of keys) proven.push({ ...entry, proof: await prove({ organisation, ...entry }) });
  const body = { format: FORMAT, at, openHash: opening.openHash, organisation, keys: proven } as const;
  const document = { ...body, signature: await sign(documentToHash(body)) };
  return checkEnrolment(document, writeDocument(document), opening);
};

export const writeEnrolment = ({ document }: Enrolment): string => writeDocument(document);

const isProvenByNode = async (key: string, digest: Hash, proof: string): Promise<boolean> => {
  try {
    const { publicKey, type } = peerIdFromString(key);
    return type === 'Ed25519' && (await publicKey.verify(hexToBytes(digest), hexToBytes(proof)));
  } catch {
    return false;
  }
};

const requireProof = async (
  domain: CeremonyDomain,
  organisation: string,
  { proof, ...entry }: EnrolledKey,
): Promise<void> => {
  const digest = ceremonyDigest(domain, { type: 'possession', organisation, ...entry });
  const isProven =
    entry.role === 'node'
      ? entry.key === entry.peerId && (await isProvenByNode(entry.key, digest, proof))
      : recoverAddress(digest, proof as Signature) === entry.key;
  if (!isProven)
    throw new CeremonyError(
      'BAD_PROOF',
      `expected the ${entry.role} key ${entry.key} of ${entry.seat} to prove that ${organisation} holds it, found a proof that it did not make for this seat, ceremony and these endpoints: ${organisation} enrols again with a key of its own`,
    );
};

const requireSeats = (opening: Opening, organisation: Organisation, keys: readonly EnrolledKey[]): void => {
  const list = (entries: readonly { role: string; seat: string }[]): string =>
    entries.map(({ role, seat }) => `${role} of ${seat}`).join(', ') || 'no key';
  const expected = expectedKeys(opening, organisation);
  if (list(keys) !== list(expected))
    throw new CeremonyError(
      'BAD_SEATS',
      `expected from ${organisation.name} the keys ${list(expected)}, as the plan says, found ${list(keys)}`,
    );
  for (const entry of keys) {
    const node = keys.find(({ role, seat }) => role === 'node' && seat === entry.seat);
    const isWhole =
      entry.role === 'deployer'
        ? entry.peerId === '' && entry.p2p === '' && entry.exchange === ''
        : entry.p2p !== '' &&
          (entry.exchange !== '') === organisation.relayers.some(({ name }) => name === entry.seat) &&
          node?.peerId === entry.peerId &&
          node.p2p === entry.p2p &&
          node.exchange === entry.exchange;
    if (!isWhole)
      throw new CeremonyError(
        'BAD_SEATS',
        `expected the keys of ${entry.seat} to name one node with its endpoints, found entries that differ or lack one: enrol again`,
      );
  }
};

const judge = async (document: EnrolmentJson, opening: Opening): Promise<Enrolment> => {
  const what = `the enrolment of ${document.organisation}`;
  requireSameCeremony(what, document.openHash, opening);
  const organisation = organisationOf(opening, document.organisation);
  const { signature, ...body } = document;
  const digest = ceremonyDigest(opening.domain, {
    type: 'enrolment',
    organisation: organisation.name,
    bodyHash: documentToHash(body),
  });
  const signer = recoverAddress(digest, signature);
  if (signer !== organisation.governanceKey)
    throw new CeremonyError(
      'BAD_SIGNATURE',
      `expected ${what} signed by its governance key ${organisation.governanceKey}, found ${signer ?? 'no valid signature'}: it was edited, or somebody else made it`,
    );
  requireNotBefore(what, document.at, opening.document.at);
  requireSeats(opening, organisation, document.keys);
  for (const entry of document.keys) await requireProof(opening.domain, organisation.name, entry);
  requireDistinctKeys(opening, [document]);
  return { document, organisation: organisation.name, enrolmentHash: documentToHash(document) };
};

/** @throws CeremonyError */
export const parseEnrolment = async (text: string, opening: Opening): Promise<Enrolment> =>
  judge(parseDocument(text, 'an enrolment', FORMAT, enrolmentSchema), opening);

/** The same out of a transcript. */
export const checkEnrolment = async (json: unknown, text: string, opening: Opening): Promise<Enrolment> =>
  judge(checkDocument(json, text, 'an enrolment', FORMAT, enrolmentSchema), opening);

/** One key, one role, one member: governance keys of the roster included. @throws CeremonyError SHARED_KEY */
export const requireDistinctKeys = (opening: Opening, documents: readonly EnrolmentJson[]): void => {
  const owners = new Map<string, string>();
  for (const { name, governanceKey } of opening.plan.organisations)
    owners.set(governanceKey, `the governance of ${name}`);
  for (const { organisation, keys } of documents)
    for (const { key, role, seat } of keys) {
      const owner = `the ${role} key of ${seat} (${organisation})`;
      const other = owners.get(key);
      if (other !== undefined)
        throw new CeremonyError(
          'SHARED_KEY',
          `expected a key of its own for every role and member, found ${key} as ${other} and as ${owner}: enrol again with a new key`,
        );
      owners.set(key, owner);
    }
};

/**
 * All enrolments in the order of the roster.
 * @throws CeremonyError MISSING with the names, CONFLICT, SHARED_KEY
 */
export const requireAllEnrolled = (opening: Opening, enrolments: readonly Enrolment[]): Enrolment[] => {
  const byName = new Map<string, Enrolment>();
  for (const enrolment of enrolments) {
    requireNoConflict(byName.get(enrolment.organisation), enrolment);
    byName.set(enrolment.organisation, enrolment);
  }
  const missing = opening.plan.organisations.filter(({ name }) => !byName.has(name));
  if (missing.length > 0)
    throw new CeremonyError(
      'MISSING',
      `expected the enrolments of all organisations, found none of ${missing.map(({ name }) => name).join(', ')}: ask them for theirs`,
    );
  const inOrder = opening.plan.organisations.map(({ name }) => byName.get(name)!);
  requireDistinctKeys(
    opening,
    inOrder.map(({ document }) => document),
  );
  return inOrder;
};

/** @throws CeremonyError CONFLICT */
export const requireNoConflict = (known: Enrolment | undefined, enrolment: Enrolment): void => {
  if (known !== undefined && known.enrolmentHash !== enrolment.enrolmentHash)
    throw new CeremonyError(
      'CONFLICT',
      `expected one enrolment of ${enrolment.organisation}, found two that it signed (${known.enrolmentHash} and ${enrolment.enrolmentHash}): ask it which one counts and remove the other, before anything is built`,
    );
};

export const enrolmentsToKeys = (enrolments: readonly Enrolment[]): PlanKeys => {
  const keys = enrolments.flatMap(({ document }) => document.keys);
  const deployer = keys.find(({ role }) => role === 'deployer');
  if (deployer === undefined)
    throw new CeremonyError('MISSING', 'expected a deployer key among the enrolments, found none');
  return {
    deployer: deployer.key as Address,
    seats: new Map(
      keys
        .filter(({ role }) => role === 'consensus' || role === 'relayer')
        .map(({ seat, key, peerId }) => [seat, { address: key as Address, peerId }]),
    ),
  };
};
