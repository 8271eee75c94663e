/** A ceremony of five organisations from fixed keys, and the means to forge every document of it. */
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { ceremonyDigest, type KeyPossession } from '#consensus/ceremonyDigests.ts';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { privateKeyToAddress, signDigest } from '#consensus/crypto/secp256k1.ts';
import { bytesToHex, type Hash, hexToBytes } from '#consensus/primitives.ts';
import { type Approval, parseApproval } from '#genesis/ceremony/approval.ts';
import { type DocumentJson, documentToHash, writeDocument } from '#genesis/ceremony/document.ts';
import { buildDraft, type Draft } from '#genesis/ceremony/draft.ts';
import { type Enrolment, expectedKeys, parseEnrolment } from '#genesis/ceremony/enrolment.ts';
import { type Opening, openCeremony, organisationOf } from '#genesis/ceremony/open.ts';
import { parsePlan } from '#genesis/ceremony/plan.ts';

export const NAMES = ['acme', 'bolt', 'coda', 'dune', 'echo'] as const;
export type Name = (typeof NAMES)[number];
const RELAYING: readonly string[] = ['acme', 'bolt', 'coda'];
export const RELEASE = '0.1.0';
export const OPENED_AT = '2026-01-31T12:00:00Z';

/** The 32 secret bytes of a label. */
export const secretOf = (label: string): Uint8Array => keccak256(new TextEncoder().encode(label));
export const addressOf = (label: string) => privateKeyToAddress(secretOf(label));
const nodeKeyOf = (label: string) => generateKeyPairFromSeed('Ed25519', secretOf(label));

export const planJson = (changes: object = {}) => ({
  name: 'consortium',
  chainId: '42424',
  l1ChainId: '31337',
  timestamp: '1700000000',
  epochLength: '100',
  blockGasLimit: '30000000',
  importGas: '15000000',
  feePolicy: { mode: 'fixed', baseFeeWei: '1000000000' },
  fewValidators: 'no',
  relayerThreshold: '2',
  organisations: NAMES.map((name) => ({
    name,
    governanceKey: addressOf(`${name} governance`),
    validators: [{ name: `${name}-validator`, power: '1' }],
    relayers: RELAYING.includes(name) ? [{ name: `${name}-relayer` }] : [],
  })),
  deployer: 'acme',
  balances: [
    { address: '0x8888888888888888888888888888888888888888', amountWei: '100000000000000000000' },
    { address: '0x9999999999999999999999999999999999999999', amountWei: '1500000000000000000' },
  ],
  ...changes,
});

export const exampleOpening = async (changes: object = {}, nonce = bytesToHex(secretOf('nonce')) as Hash) =>
  openCeremony(await parsePlan(JSON.stringify(planJson(changes))), nonce, OPENED_AT);

export type ForgedKey = KeyPossession & {
  /** Whose secret makes the proof. */
  readonly secret: string;
  /** Over this instead of what is stated. */
  readonly proves?: Partial<KeyPossession>;
  readonly proof?: string;
};

/** What an honest organisation would enrol. */
export const honestKeys = async (opening: Opening, name: string): Promise<ForgedKey[]> => {
  const organisation = organisationOf(opening, name);
  return Promise.all(
    expectedKeys(opening, organisation).map(async ({ role, seat }): Promise<ForgedKey> => {
      const isDeployer = role === 'deployer';
      const secret = role === 'node' ? `${seat} node` : seat === 'deployer' ? `${name} deployer` : seat;
      const peerId = isDeployer ? '' : peerIdFromPrivateKey(await nodeKeyOf(`${seat} node`)).toString();
      return {
        organisation: name,
        role,
        seat,
        secret,
        key: role === 'node' ? peerId : addressOf(secret),
        peerId,
        p2p: isDeployer ? '' : `/dns4/${seat}.example.org/tcp/26656`,
        exchange: seat.endsWith('-relayer') ? `https://${seat}.example.org:8601` : '',
      };
    }),
  );
};

const prove = async (opening: Opening, { secret, proves, proof, ...stated }: ForgedKey): Promise<string> => {
  if (proof !== undefined) return proof;
  const digest = ceremonyDigest(opening.domain, { type: 'possession', ...stated, ...proves });
  if (stated.role !== 'node') return signDigest(digest, secretOf(secret));
  return bytesToHex(await (await nodeKeyOf(secret)).sign(hexToBytes(digest)));
};

export type EnrolmentForgery = {
  /** Judged for this opening; `signedFor` is what signatures are made for. */
  readonly signedFor?: Opening;
  readonly keys?: (honest: ForgedKey[]) => ForgedKey[];
  readonly body?: DocumentJson;
  readonly governance?: string;
};

/** The file's text, signed as told. */
export const forgeEnrolment = async (
  opening: Opening,
  name: string,
  { signedFor = opening, keys = (honest) => honest, body: changes = {}, governance }: EnrolmentForgery = {},
): Promise<string> => {
  const entries = await Promise.all(
    keys(await honestKeys(opening, name)).map(async (forged) => {
      const { organisation: _, secret: __, proves: ___, proof: ____, ...entry } = forged;
      return { ...entry, proof: await prove(signedFor, forged) };
    }),
  );
  const body: DocumentJson = {
    format: 'causeway-ceremony-enrolment-1',
    at: '2026-01-31T13:00:00Z',
    openHash: signedFor.openHash,
    organisation: name,
    keys: entries,
    ...changes,
  };
  const digest = ceremonyDigest(signedFor.domain, {
    type: 'enrolment',
    organisation: String(body.organisation),
    bodyHash: documentToHash(body),
  });
  return writeDocument({
    ...body,
    signature: signDigest(digest, secretOf(governance ?? `${name} governance`)),
  });
};

export const exampleEnrolments = async (opening: Opening): Promise<Enrolment[]> =>
  Promise.all(
    opening.plan.organisations.map(async ({ name }) =>
      parseEnrolment(await forgeEnrolment(opening, name), opening),
    ),
  );

export const exampleDraft = async (opening: Opening): Promise<Draft> =>
  buildDraft(opening, await exampleEnrolments(opening), RELEASE);

export type ApprovalForgery = {
  readonly signedFor?: Opening;
  readonly body?: DocumentJson;
  readonly governance?: string;
};

/** The file's text, signed as told. */
export const forgeApproval = (
  opening: Opening,
  draft: Draft,
  name: string,
  { signedFor = opening, body: changes = {}, governance }: ApprovalForgery = {},
): string => {
  const body = {
    format: 'causeway-ceremony-approval-1',
    at: '2026-01-31T14:00:00Z',
    openHash: signedFor.openHash,
    draftHash: draft.draftHash,
    genesisHash: draft.genesis.genesisHash,
    organisation: name,
    ...changes,
  };
  const digest = ceremonyDigest(signedFor.domain, {
    type: 'approval',
    organisation: body.organisation,
    draftHash: body.draftHash,
    genesisHash: body.genesisHash,
    at: body.at,
  });
  return writeDocument({
    ...body,
    signature: signDigest(digest, secretOf(governance ?? `${name} governance`)),
  });
};

export const exampleApprovals = (opening: Opening, draft: Draft): Approval[] =>
  opening.plan.organisations.map(({ name }) =>
    parseApproval(forgeApproval(opening, draft, name), opening, draft),
  );
