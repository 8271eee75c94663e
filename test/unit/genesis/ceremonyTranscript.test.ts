import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { type Hash, ZERO_HASH } from '#consensus/primitives.ts';
import { toCanonicalJson } from '#genesis/canonicalJson.ts';
import { parseApproval } from '#genesis/ceremony/approval.ts';
import type { DocumentJson } from '#genesis/ceremony/document.ts';
import { buildDraft } from '#genesis/ceremony/draft.ts';
import { parseEnrolment } from '#genesis/ceremony/enrolment.ts';
import type { Opening } from '#genesis/ceremony/open.ts';
import { reportToHtml, reportToText } from '#genesis/ceremony/report.ts';
import { auditTranscript, writeTranscript } from '#genesis/ceremony/transcript.ts';
import { hashToWords } from '#genesis/ceremony/words.ts';
import {
  addressOf,
  exampleApprovals,
  exampleDraft,
  exampleOpening,
  forgeApproval,
  forgeEnrolment,
  NAMES,
  RELEASE,
} from '#test/unit/genesis/ceremonyExample.ts';
import { toHighS } from '#test/unit/genesis/malleable.ts';

// lines: 0 open, 1–5 enrolments, 6 draft, 7–11 approvals, 12 seal
const DRAFT = 6;
const SEAL = 12;

const transcriptOf = async (opening: Opening): Promise<string> => {
  const draft = await exampleDraft(opening);
  return writeTranscript(opening, draft, exampleApprovals(opening, draft)).text;
};

let whole: string;
let lines: readonly string[];
let foreign: readonly string[];
beforeAll(async () => {
  whole = await transcriptOf(await exampleOpening());
  lines = whole.slice(0, -1).split('\n');
  foreign = (await transcriptOf(await exampleOpening({ timestamp: '1700000001' }))).slice(0, -1).split('\n');
});

const join = (parts: readonly string[]): string => `${parts.join('\n')}\n`;
const without = (at: number, count = 1) => lines.filter((_, index) => index < at || index >= at + count);
const swapped = (a: number, b: number) =>
  lines.map((line, index) => (index === a ? lines[b]! : index === b ? lines[a]! : line));
const replaced = (at: number, line: string) => lines.map((old, index) => (index === at ? line : old));
const edited = (at: number, from: string | RegExp, to: string): string[] => {
  const line = lines[at]!.replace(from, to);
  expect(line).not.toBe(lines[at]);
  return replaced(at, line);
};

type Entry = { kind: string; body: DocumentJson };

/** The careful forger: indices and hashes of the chain are made to fit again. */
const rechained = (parts: readonly string[]): string => {
  let previous: Hash = ZERO_HASH;
  return join(
    parts.map((part, index) => {
      const { kind, body }: Entry = JSON.parse(part);
      const line = toCanonicalJson({ index: String(index), kind, previous, body });
      previous = keccak256Hex(new TextEncoder().encode(line));
      return line;
    }),
  );
};

const withBody = (at: number, body: object): string[] =>
  replaced(at, JSON.stringify({ ...JSON.parse(lines[at]!), body }));
const bodyOf = (at: number): DocumentJson => JSON.parse(lines[at]!).body;

const verdictOn = async (text: string): Promise<string> => {
  try {
    await auditTranscript(text);
    return 'accepted';
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as Error).message}`;
  }
};

test('a sealed transcript is accepted from nothing but its text', async () => {
  const { opening, draft, approvals, transcriptHash } = await auditTranscript(whole);
  expect(approvals.map(({ organisation }) => organisation)).toEqual([...NAMES]);
  expect(draft.genesis.spec.deployer).toBe(addressOf('acme deployer'));
  expect(writeTranscript(opening, draft, approvals)).toEqual({ text: whole, transcriptHash });
});

describe('tampering is refused and named', () => {
  const cases: readonly (readonly [string, () => string | Promise<string>, RegExp])[] = [
    [
      'an edited opening',
      () => join(edited(0, '"1500000000000000000"', '"2500000000000000000"')),
      /line 2.*line 1 was edited/,
    ],
    [
      'an edited enrolment',
      () => join(edited(2, 'bolt-validator.example', 'evil-validator.example')),
      /line 4.*line 3 was edited/,
    ],
    ['an edited approval', () => join(edited(8, '14:00:00', '14:00:01')), /line 10.*line 9 was edited/],
    [
      'an edited seal',
      () => join(edited(SEAL, /"genesisHash":"0x.{4}/, '"genesisHash":"0x0000')),
      /OTHER_DRAFT line 13/,
    ],
    [
      'another draft in the seal',
      () => join(edited(SEAL, /"draftHash":"0x.{4}/, '"draftHash":"0x0000')),
      /OTHER_DRAFT line 13/,
    ],
    ['a space', () => join(edited(3, ':{', ': {')), /CHAIN_BROKEN line 4.*canonical/],
    ['a byte of rubbish', () => join(edited(3, '{', 'x{')), /CHAIN_BROKEN line 4.*JSON/],
    ['an unknown member', () => join(edited(3, '{"body"', '{"a":"b","body"')), /CHAIN_BROKEN line 4/],
    ['two lines swapped', () => join(swapped(2, 3)), /OUT_OF_ORDER line 3: expected entry 2, found entry 3/],
    ['a line taken out', () => join(without(4)), /OUT_OF_ORDER line 5: expected entry 4, found entry 5/],
    ['a line twice', () => join([...lines.slice(0, 3), ...lines.slice(2)]), /OUT_OF_ORDER line 4/],
    ['the beginning cut off', () => join(without(0)), /OUT_OF_ORDER line 1: expected entry 0, found entry 1/],
    ['the seal cut off', () => join(without(SEAL)), /NOT_SEALED expected 13 lines.*found 12/],
    ['everything after the draft cut off', () => join(lines.slice(0, 7)), /NOT_SEALED/],
    ['half a line', () => whole.slice(0, -40), /CHAIN_BROKEN.*end was cut off/],
    ['half a line, made to end', () => `${whole.slice(0, -40)}\n`, /CHAIN_BROKEN line 13/],
    ['nothing', () => '', /CHAIN_BROKEN/],
    ['an empty line', () => `${whole}\n`, /CHAIN_BROKEN line 14/],
    [
      'lines after the seal',
      () => rechained([...lines, lines[SEAL]!]),
      /OUT_OF_ORDER line 14.*nothing after the seal/,
    ],
    ['a line of another transcript', () => join(replaced(3, foreign[3]!)), /CHAIN_BROKEN line 4/],
    [
      'an opening of another transcript, chained anew',
      () => rechained(replaced(0, foreign[0]!)),
      /OTHER_CEREMONY line 2/,
    ],
    [
      'an enrolment of another, chained anew',
      () => rechained(replaced(3, foreign[3]!)),
      /OTHER_CEREMONY line 4/,
    ],
    [
      'a draft of another, chained anew',
      () => rechained(replaced(DRAFT, foreign[DRAFT]!)),
      /DIFFERENT line 7/,
    ],
    [
      'an approval of another, chained anew',
      () => rechained(replaced(8, foreign[8]!)),
      /OTHER_CEREMONY line 9/,
    ],
    [
      'a seal of another, chained anew',
      () => rechained(replaced(SEAL, foreign[SEAL]!)),
      /OTHER_DRAFT line 13/,
    ],
    [
      'an edited balance, chained anew',
      () => rechained(edited(0, '"1500000000000000000"', '"2500000000000000000"')),
      /OTHER_CEREMONY line 2/,
    ],
    [
      'an edited endpoint, chained anew',
      () => rechained(edited(2, 'bolt-validator.example', 'evil-validator.example')),
      /BAD_SIGNATURE line 3/,
    ],
    [
      'an edited draft, chained anew',
      () => rechained(edited(DRAFT, /"power":"1"/, '"power":"9"')),
      /DIFFERENT line 7.*power: the draft says 9/s,
    ],
    [
      'an approval moved to another organisation, chained anew',
      () => rechained(withBody(8, { ...bodyOf(8), organisation: 'coda' })),
      /BAD_SIGNATURE line 9/,
    ],
    [
      'an approval replaced by one that is there, chained anew',
      () => rechained(replaced(8, lines[7]!)),
      /OUT_OF_ORDER line 9: expected the document of bolt, found that of acme/,
    ],
    [
      'enrolments reordered, chained anew',
      () => rechained(swapped(2, 3)),
      /OUT_OF_ORDER line 3: expected the document of bolt, found that of coda/,
    ],
    ['approvals reordered, chained anew', () => rechained(swapped(8, 9)), /OUT_OF_ORDER line 9/],
    [
      'an organisation less, chained anew',
      () => rechained(lines.filter((_, index) => index !== 5 && index !== 11)),
      /OUT_OF_ORDER line 6/,
    ],
    ['an approval less, chained anew', () => rechained(without(11)), /(OUT_OF_ORDER line 12|NOT_SEALED)/],
    [
      'a draft before an enrolment, chained anew',
      () => rechained(swapped(5, DRAFT)),
      /OUT_OF_ORDER line 6: expected an entry "enrolment", found "draft"/,
    ],
    [
      'another kind, chained anew',
      () => rechained(edited(5, '"kind":"enrolment"', '"kind":"approval"')),
      /OUT_OF_ORDER line 6/,
    ],
    [
      'a malleated signature, chained anew',
      () => rechained(withBody(8, { ...bodyOf(8), signature: toHighS(String(bodyOf(8).signature)) })),
      /BAD_SIGNATURE line 9/,
    ],
    [
      'a later format, chained anew',
      () => rechained(edited(2, 'enrolment-1', 'enrolment-2')),
      /OTHER_FORMAT line 3.*another release/,
    ],
    [
      'a member with a private key, chained anew',
      () => rechained(withBody(2, { ...bodyOf(2), privateKey: 'x' })),
      /BAD_DOCUMENT line 3/,
    ],
  ];

  test('there are enough of them', () => expect(cases.length).toBeGreaterThanOrEqual(25));

  test.each(cases)('%s', async (_, tamper, verdict) => {
    expect(await verdictOn(await tamper())).toMatch(verdict);
  });

  test('any single byte changed anywhere is noticed', async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
    let state = seed;
    const random = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((state / 2_147_483_648) * below);
    };
    for (let round = 0; round < 60; round++) {
      const at = random(whole.length);
      const code = whole.charCodeAt(at);
      const other = String.fromCharCode(code === 0x7e ? 0x21 : Math.max(0x20, code + 1));
      const text = `${whole.slice(0, at)}${other}${whole.slice(at + 1)}`;
      const verdict = await verdictOn(text);
      if (verdict === 'accepted')
        throw new Error(`byte ${at} (${whole[at]} → ${other}) was not noticed; replay with SEED=${seed}`);
    }
  });
});

test('a colluding member that signs anew makes another transcript hash, which is what the others wrote down', async () => {
  const opening = await exampleOpening();
  const honest = await auditTranscript(whole);
  const others = honest.draft.enrolments.filter(({ organisation }) => organisation !== 'bolt');
  const again = await parseEnrolment(
    await forgeEnrolment(opening, 'bolt', { body: { at: '2026-02-01T00:00:00Z' } }),
    opening,
  );
  const draft = await buildDraft(opening, [...others, again], RELEASE);
  expect(draft.draftHash).not.toBe(honest.draft.draftHash);
  expect(draft.genesis.genesisHash).toBe(honest.draft.genesis.genesisHash);
  const old = forgeApproval(opening, honest.draft, 'acme');
  expect(() => parseApproval(old, opening, draft)).toThrow(/expected the approval of acme for the draft/);
});

test('the report names everything that was agreed on, and escapes what it shows', async () => {
  const sealed = await auditTranscript(whole);
  const [text, html] = [reportToText(sealed), reportToHtml(sealed)];
  const { document, genesis, enrolments } = sealed.draft;
  const facts = [
    genesis.genesisHash,
    sealed.transcriptHash,
    ...hashToWords(sealed.draft.draftHash),
    ...genesis.spec.balances.map(({ address }) => address),
    ...enrolments.flatMap(({ document: { keys } }) => keys.map(({ key }) => key)),
    ...(document.l1Code as { hash: string }[]).map(({ hash }) => hash),
  ];
  for (const fact of facts) {
    expect(text).toContain(fact);
    expect(html).toContain(fact);
  }
  expect(html).toContain("default-src 'none'");
  expect(html).not.toMatch(/<script|https?:\/\/[^ <]*\.(js|css|png)/);
});
