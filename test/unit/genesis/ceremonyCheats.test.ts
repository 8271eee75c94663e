import type { Hash } from '#consensus/primitives.ts';
import { toCanonicalJson } from '#genesis/canonicalJson.ts';
import { parseApproval, requireAllApproved } from '#genesis/ceremony/approval.ts';
import { describeDifferences, requireSameDraft } from '#genesis/ceremony/differences.ts';
import { buildDraft, type DraftJson, parseDraft, writeDraft } from '#genesis/ceremony/draft.ts';
import { parseEnrolment, requireAllEnrolled } from '#genesis/ceremony/enrolment.ts';
import { type Opening, parseOpening, writeOpening } from '#genesis/ceremony/open.ts';
import { parsePlan } from '#genesis/ceremony/plan.ts';
import { planWarnings } from '#genesis/ceremony/summary.ts';
import {
  addressOf,
  type EnrolmentForgery,
  exampleApprovals,
  exampleDraft,
  exampleEnrolments,
  exampleOpening,
  type ForgedKey,
  forgeApproval,
  forgeEnrolment,
  NAMES,
  planJson,
  RELEASE,
} from '#test/unit/genesis/ceremonyExample.ts';
import { toHighS } from '#test/unit/genesis/malleable.ts';

const codeOf = async (judge: () => unknown): Promise<string> => {
  try {
    await judge();
    return 'accepted';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
};

type Entry = Record<string, string>;
/** A draft that a coordinator edits. */
type Stated = Record<string, unknown> & {
  release: string;
  note?: string;
  enrolments: Entry[];
  predeployCode: Entry[];
  l1Code: Entry[];
  genesis: Record<string, unknown> & {
    genesisHash: string;
    spec: Record<'balances' | 'governors' | 'validators' | 'relayers', Entry[]>;
  };
};

let opening: Opening;
let rehearsal: Opening;
beforeAll(async () => {
  opening = await exampleOpening();
  rehearsal = await exampleOpening({}, `0x${'11'.repeat(32)}` as Hash);
});

/** Changes one key of the honest list, proof included. */
const changing =
  (role: string, seat: string, change: Partial<ForgedKey>) =>
  (keys: ForgedKey[]): ForgedKey[] =>
    keys.map((key) => (key.role === role && key.seat === seat ? { ...key, ...change } : key));
const seat = (name: string, change: Partial<ForgedKey>) => (keys: ForgedKey[]) =>
  keys.map((key) => (key.seat === name ? { ...key, ...change } : key));

const enrolmentCode = async (forgery: EnrolmentForgery, name = 'bolt'): Promise<string> => {
  const text = await forgeEnrolment(opening, name, forgery);
  return codeOf(() => parseEnrolment(text, opening));
};

describe('a dishonest member', () => {
  test('an honest enrolment is accepted, so that every refusal below has one cause', async () => {
    for (const name of NAMES) expect(await enrolmentCode({}, name)).toBe('accepted');
  });

  test('cannot enrol a key that it does not hold', async () => {
    const stranger = { key: addressOf('coda-validator') };
    expect(await enrolmentCode({ keys: changing('consensus', 'bolt-validator', stranger) })).toBe(
      'BAD_PROOF',
    );
    expect(await enrolmentCode({ keys: changing('relayer', 'bolt-relayer', stranger) })).toBe('BAD_PROOF');
  });

  test('cannot enrol the node of another member', async () => {
    const theirs = await forgeEnrolment(opening, 'coda');
    const { peerId } = JSON.parse(theirs).keys[0];
    expect(
      await enrolmentCode({
        keys: (keys) =>
          keys.map((key) =>
            key.seat === 'bolt-validator'
              ? { ...key, peerId, ...(key.role === 'node' ? { key: peerId } : {}) }
              : key,
          ),
      }),
    ).toBe('BAD_PROOF');
  });

  test('cannot prove its own node and name that of another', async () => {
    const { peerId } = JSON.parse(await forgeEnrolment(opening, 'coda')).keys[0];
    expect(await enrolmentCode({ keys: seat('bolt-validator', { peerId }) })).toBe('BAD_PROOF');
  });

  test('cannot take a proof that another member made', async () => {
    const theirs = JSON.parse(await forgeEnrolment(opening, 'coda')).keys[0];
    const stolen = { key: theirs.key, proof: theirs.proof };
    expect(await enrolmentCode({ keys: changing('consensus', 'bolt-validator', stolen) })).toBe('BAD_PROOF');
  });

  test.each<[string, Partial<ForgedKey>]>([
    ['organisation', { proves: { organisation: 'coda' } }],
    ['role', { proves: { role: 'relayer' } }],
    ['seat', { proves: { seat: 'bolt-relayer' } }],
    ['key', { proves: { key: addressOf('bolt-relayer') } }],
    ['PeerId', { proves: { peerId: '12D3KooWRawPbxPtP1eZaJpumGnyWX2DcUyd3RQnydr3eAto4Az7' } }],
    ['p2p endpoint', { proves: { p2p: '/dns4/evil.example.org/tcp/26656' } }],
    ['exchange endpoint', { proves: { exchange: 'https://evil.example.org' } }],
  ])('a proof for another %s is none', async (_, change) => {
    expect(await enrolmentCode({ keys: changing('consensus', 'bolt-validator', change) })).toBe('BAD_PROOF');
    expect(await enrolmentCode({ keys: changing('node', 'bolt-validator', change) })).toBe('BAD_PROOF');
  });

  test('cannot use one key in two roles', async () => {
    const shared = { key: addressOf('bolt-validator'), secret: 'bolt-validator' };
    expect(await enrolmentCode({ keys: changing('relayer', 'bolt-relayer', shared) })).toBe('SHARED_KEY');
  });

  test('cannot use its governance key, or that of another, as a key of the network', async () => {
    const own = { key: addressOf('bolt governance'), secret: 'bolt governance' };
    expect(await enrolmentCode({ keys: changing('consensus', 'bolt-validator', own) })).toBe('SHARED_KEY');
  });

  test('cannot use one key in two members, even if both agree', async () => {
    const shared = { key: addressOf('one key'), secret: 'one key' };
    const enrolments = await exampleEnrolments(opening);
    for (const [index, name] of (['bolt', 'coda'] as const).entries())
      enrolments[1 + index] = await parseEnrolment(
        await forgeEnrolment(opening, name, { keys: changing('consensus', `${name}-validator`, shared) }),
        opening,
      );
    expect(await codeOf(() => requireAllEnrolled(opening, enrolments))).toBe('SHARED_KEY');
  });

  test.each<[string, (keys: ForgedKey[]) => ForgedKey[]]>([
    ['a seat too few', (keys) => keys.slice(0, 2)],
    ['a key twice', (keys) => [...keys, keys[0]!]],
    ['another order', (keys) => [...keys].reverse()],
    [
      'the deployer, which is of another',
      (keys) => [...keys, { ...keys[0]!, role: 'deployer', seat: 'deployer' }],
    ],
    ['a seat of another', seat('bolt-validator', { seat: 'coda-validator', proves: {} })],
    ['a node that the consensus key does not name', changing('consensus', 'bolt-validator', { peerId: '' })],
    ['no endpoint', seat('bolt-validator', { p2p: '' })],
    ['a relayer without exchange', seat('bolt-relayer', { exchange: '' })],
    ['a validator with an exchange', seat('bolt-validator', { exchange: 'https://x.example.org' })],
    ['endpoints that differ', changing('node', 'bolt-validator', { p2p: '/dns4/y.example.org/tcp/1' })],
  ])('cannot bring other seats than the plan gives it: %s', async (_, keys) => {
    expect(await enrolmentCode({ keys })).toBe('BAD_SEATS');
  });

  test.each([
    ['credentials in a URL', { exchange: 'https://user:secret@x.example.org' }],
    ['a path', { exchange: 'https://x.example.org/a' }],
    ['control characters', { p2p: '/dns4/x\u001b[2J/tcp/1' }],
    ['a quote that would leave a configuration', { p2p: '/dns4/x"\n[rpc]/tcp/1' }],
    ['markup', { exchange: 'https://<script>' }],
  ])('cannot smuggle %s into an endpoint', async (_, change) => {
    expect(await enrolmentCode({ keys: seat('bolt-relayer', change) })).toBe('BAD_DOCUMENT');
  });

  test('cannot enrol for another organisation, or for one that is not on the roster', async () => {
    expect(await enrolmentCode({ governance: 'coda governance' })).toBe('BAD_SIGNATURE');
    expect(await enrolmentCode({ body: { organisation: 'coda' } })).toBe('BAD_SIGNATURE');
    expect(await enrolmentCode({ body: { organisation: 'mallory' } })).toBe('NOT_ON_ROSTER');
  });

  test('cannot enrol twice: two enrolments that it signed are a conflict, whoever brings them', async () => {
    const enrolments = await exampleEnrolments(opening);
    const second = await parseEnrolment(
      await forgeEnrolment(opening, 'bolt', { body: { at: '2026-02-01T00:00:00Z' } }),
      opening,
    );
    expect(await codeOf(() => requireAllEnrolled(opening, [...enrolments, second]))).toBe('CONFLICT');
  });

  test('cannot enrol before the opening', async () => {
    expect(await enrolmentCode({ body: { at: '2026-01-29T00:00:00Z' } })).toBe('CLOCK');
    expect(await enrolmentCode({ body: { at: '1970-01-01T00:00:00Z' } })).toBe('CLOCK');
  });
});

describe('a dishonest coordinator', () => {
  test('cannot use what was signed for a rehearsal of the same plan', async () => {
    expect(await enrolmentCode({ signedFor: rehearsal })).toBe('OTHER_CEREMONY');
    expect(await enrolmentCode({ signedFor: rehearsal, body: { openHash: opening.openHash } })).toBe(
      'BAD_SIGNATURE',
    );
    const draft = await exampleDraft(opening);
    const replayed = forgeApproval(opening, draft, 'bolt', { signedFor: rehearsal });
    expect(await codeOf(() => parseApproval(replayed, opening, draft))).toBe('OTHER_CEREMONY');
    const relabelled = forgeApproval(opening, draft, 'bolt', {
      signedFor: rehearsal,
      body: { openHash: opening.openHash },
    });
    expect(await codeOf(() => parseApproval(relabelled, opening, draft))).toBe('BAD_SIGNATURE');
  });

  test('cannot give members different openings: one byte of the plan makes another ceremony', async () => {
    const other = await exampleOpening({ relayerThreshold: '3' });
    const text = await forgeEnrolment(other, 'bolt');
    expect(await codeOf(() => parseEnrolment(text, opening))).toBe('OTHER_CEREMONY');
  });

  test('cannot change an enrolment, to the last byte', async () => {
    const text = await forgeEnrolment(opening, 'bolt');
    const edits: readonly (readonly [string, string, RegExp])[] = [
      ['an endpoint', text.replace('bolt-validator.example.org', 'evil.example.org'), /BAD_SIGNATURE/],
      ['a key', text.replace(addressOf('bolt-validator'), addressOf('mallory')), /BAD_SIGNATURE/],
      ['the time', text.replace('13:00:00', '13:00:01'), /BAD_SIGNATURE/],
      ['a space', text.replace(',"', ', "'), /BAD_DOCUMENT/],
      ['a member twice', text.replace('{"at"', '{"at":"2026-01-31T13:00:09Z","at"'), /BAD_DOCUMENT/],
      ['an unknown member', text.replace('{"at"', '{"aa":"x","at"'), /BAD_DOCUMENT/],
      ['its end', text.slice(0, -20), /BAD_DOCUMENT/],
      ['a later format', text.replace('enrolment-1', 'enrolment-2'), /OTHER_FORMAT/],
    ];
    for (const [what, edited, code] of edits) {
      expect(edited).not.toBe(text);
      expect([what, await codeOf(() => parseEnrolment(edited, opening))]).toEqual([
        what,
        expect.stringMatching(code),
      ]);
    }
  });

  test('cannot pass a malleated signature as another document', async () => {
    const draft = await exampleDraft(opening);
    const text = forgeApproval(opening, draft, 'bolt');
    const { signature } = JSON.parse(text);
    const malleated = text.replace(signature, toHighS(signature));
    expect(await codeOf(() => parseApproval(malleated, opening, draft))).toBe('BAD_SIGNATURE');
  });

  test.each<[string, (draft: Stated) => void, RegExp]>([
    [
      'a balance',
      (draft) => draft.genesis.spec.balances.push({ address: `0x${'ab'.repeat(20)}`, amountWei: '5' }),
      /balance 0xabab.* is in the draft, and nobody agreed on it/,
    ],
    [
      'more of a balance',
      (draft) => {
        draft.genesis.spec.balances[0]!.amountWei = '900';
      },
      /balance 0x8888.*amountWei: the draft says 900, rebuilt it is 100000000000000000000/,
    ],
    [
      'an administrator',
      (draft) => draft.genesis.spec.governors.push({ name: 'mallory', address: `0x${'ab'.repeat(20)}` }),
      /administrator 0xabab.* nobody agreed on it/,
    ],
    [
      'no administrator',
      (draft) => draft.genesis.spec.governors.pop(),
      /administrator 0x\w+ was agreed on, and is not in the draft/,
    ],
    [
      'a validator',
      (draft) => {
        draft.genesis.spec.validators[0]!.address = `0x${'ab'.repeat(20)}`;
      },
      /validator 0xabab/,
    ],
    [
      'a validator’s power',
      (draft) => {
        draft.genesis.spec.validators[0]!.power = '7';
      },
      /validator 0x\w+, power: the draft says 7, rebuilt it is 1/,
    ],
    [
      'a relayer twice',
      (draft) => draft.genesis.spec.relayers.push(draft.genesis.spec.relayers[0]!),
      /entries twice or in another order/,
    ],
    [
      'a contract on the sidechain',
      (draft) => draft.predeployCode.push({ address: `0x${'ab'.repeat(20)}`, hash: `0x${'00'.repeat(32)}` }),
      /contract on the sidechain 0xabab.*nobody agreed/,
    ],
    [
      'other code of a contract on the L1',
      (draft) => {
        draft.l1Code[1]!.hash = `0x${'00'.repeat(32)}`;
      },
      /contract on the L1 0x\w+, hash/,
    ],
    [
      'another genesis hash',
      (draft) => {
        draft.genesis.genesisHash = `0x${'00'.repeat(32)}`;
      },
      /the genesis hash: the draft says 0x0000/,
    ],
    [
      'another enrolment',
      (draft) => {
        draft.enrolments[1]!.hash = `0x${'00'.repeat(32)}`;
      },
      /enrolment bolt, hash/,
    ],
    [
      'a member of its own',
      (draft) => {
        draft.note = 'x';
      },
      /note: the draft says x, rebuilt it is nothing/,
    ],
    [
      'another release',
      (draft) => {
        draft.release = '0.2.0';
      },
      /the release of the tool: the draft says 0.2.0, rebuilt it is 0.1.0/,
    ],
  ])('cannot slip into a draft: %s', async (_, change, sentence) => {
    const draft = await exampleDraft(opening);
    const stated: Stated = JSON.parse(writeDraft(draft));
    change(stated);
    const parsed = parseDraft(writeDraft({ document: stated as unknown as DraftJson }));
    expect(describeDifferences(parsed, draft.document).join('\n')).toMatch(sentence);
    expect(await codeOf(() => requireSameDraft(parsed, draft))).toBe('DIFFERENT');
  });

  test('cannot build without everyone, and is told who is missing', async () => {
    const enrolments = (await exampleEnrolments(opening)).filter(({ organisation }) => organisation < 'd');
    await expect(buildDraft(opening, enrolments, RELEASE)).rejects.toMatchObject({
      code: 'MISSING',
      message: expect.stringMatching(/none of dune, echo/),
    });
  });

  test('cannot use an approval of another draft, of another member, or one that was edited', async () => {
    const draft = await exampleDraft(opening);
    const other = { draftHash: `0x${'22'.repeat(32)}` };
    const forged: readonly (readonly [string, string, string])[] = [
      ['another draft', forgeApproval(opening, draft, 'bolt', { body: other }), 'OTHER_DRAFT'],
      [
        'another genesis',
        forgeApproval(opening, draft, 'bolt', { body: { genesisHash: other.draftHash } }),
        'OTHER_DRAFT',
      ],
      [
        'another signer',
        forgeApproval(opening, draft, 'bolt', { governance: 'coda governance' }),
        'BAD_SIGNATURE',
      ],
      [
        'a consensus key',
        forgeApproval(opening, draft, 'bolt', { governance: 'bolt-validator' }),
        'BAD_SIGNATURE',
      ],
      ['a stranger', forgeApproval(opening, draft, 'mallory'), 'NOT_ON_ROSTER'],
      ['an edit', forgeApproval(opening, draft, 'bolt').replace('14:00:00', '14:00:01'), 'BAD_SIGNATURE'],
      [
        'a wrong clock',
        forgeApproval(opening, draft, 'bolt', { body: { at: '2026-01-30T12:00:00Z' } }),
        'CLOCK',
      ],
    ];
    for (const [what, text, code] of forged)
      expect([what, await codeOf(() => parseApproval(text, opening, draft))]).toEqual([what, code]);
  });

  test('cannot seal without all, and one approval twice is not two', async () => {
    const draft = await exampleDraft(opening);
    const approvals = exampleApprovals(opening, draft);
    const [first] = approvals;
    expect(() => requireAllApproved(opening, [first!, first!, first!, first!, first!])).toThrow(
      /none of bolt, coda, dune, echo/,
    );
    expect(() => requireAllApproved(opening, approvals.slice(0, 4))).toThrow(/none of echo/);
    expect(
      requireAllApproved(opening, [...approvals].reverse()).map(({ organisation }) => organisation),
    ).toEqual([...NAMES]);
  });

  test('cannot open with a plan that breaks a rule, or hand over one that was not judged', async () => {
    const [first, ...others] = planJson().organisations;
    const plans: readonly (readonly [string, object, RegExp])[] = [
      ['three validators', { organisations: [first, ...others.slice(0, 2)] }, /allowed explicitly/],
      ['a threshold of one', { relayerThreshold: '1' }, /relayer threshold/],
      [
        'two organisations, one key',
        {
          organisations: [
            ...planJson().organisations,
            { ...first, name: 'mallory', validators: [], relayers: [] },
          ],
        },
        /ascending|duplicates/,
      ],
      ['a name twice', { organisations: [...planJson().organisations, { ...others[0] }] }, /distinct names/],
      ['a deployer of nobody', { deployer: 'mallory' }, /deployer/],
      [
        'a balance of a predeploy',
        { balances: [{ address: '0x0000000000000000000000000000000000001001', amountWei: '1' }] },
        /ordinary accounts/,
      ],
      ['a balance twice', { balances: [planJson().balances[0], planJson().balances[0]] }, /duplicates/],
      ['an unknown member', { admin: addressOf('mallory') }, /[Uu]nrecognized/],
    ];
    for (const [what, changes, message] of plans) {
      const text = JSON.stringify(planJson(changes));
      await expect(parsePlan(text).then(() => what)).rejects.toMatchObject({
        code: 'BAD_PLAN',
        message: expect.stringMatching(message),
      });
      const handed = JSON.parse(writeOpening(opening));
      await expect(
        parseOpening(toCanonicalJson({ ...handed, plan: planJson(changes) })).then(() => what),
      ).rejects.toMatchObject({ code: expect.stringMatching(/^BAD_(PLAN|DOCUMENT)$/) });
    }
  });

  test('fewer than four validators are accepted only when the plan says so, and everyone is told', async () => {
    const few = await exampleOpening({
      fewValidators: 'yes',
      organisations: planJson().organisations.slice(0, 3),
    });
    expect(planWarnings(few.plan).join(' ')).toMatch(/Only 3 validators/);
    expect((await exampleDraft(few)).genesis.validators.validators).toHaveLength(3);
  });
});

test('two machines that collect in another order build the same draft', async () => {
  const enrolments = await exampleEnrolments(opening);
  const [a, b] = [
    await buildDraft(opening, enrolments, RELEASE),
    await buildDraft(opening, [...enrolments].reverse(), RELEASE),
  ];
  expect(writeDraft(a)).toBe(writeDraft(b));
  expect(describeDifferences(a.document, b.document)).toEqual([]);
});
