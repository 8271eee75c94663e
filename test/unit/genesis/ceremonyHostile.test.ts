/** Files from somebody who wants the reader to crash, hang, or show what is not so. */
import fc from 'fast-check';
import { parseApproval } from '#genesis/ceremony/approval.ts';
import { requireSameDraft } from '#genesis/ceremony/differences.ts';
import { type Draft, type DraftJson, parseDraft, writeDraft } from '#genesis/ceremony/draft.ts';
import { parseEnrolment } from '#genesis/ceremony/enrolment.ts';
import { CeremonyError, printable } from '#genesis/ceremony/errors.ts';
import { type Opening, parseOpening } from '#genesis/ceremony/open.ts';
import { auditTranscript } from '#genesis/ceremony/transcript.ts';
import { exampleDraft, exampleOpening } from '#test/unit/genesis/ceremonyExample.ts';

let opening: Opening;
let draft: Draft;
beforeAll(async () => {
  opening = await exampleOpening();
  draft = await exampleDraft(opening);
});

const READERS: readonly (readonly [string, string, (text: string) => unknown])[] = [
  ['opening', 'causeway-ceremony-open-1', parseOpening],
  ['enrolment', 'causeway-ceremony-enrolment-1', (text) => parseEnrolment(text, opening)],
  ['approval', 'causeway-ceremony-approval-1', async (text) => parseApproval(text, opening, draft)],
  ['draft', 'causeway-ceremony-draft-1', async (text) => requireSameDraft(parseDraft(text), draft)],
  ['transcript', '', auditTranscript],
];

const refusalOf = async (read: (text: string) => unknown, text: string): Promise<unknown> => {
  try {
    await read(text);
    return 'accepted';
  } catch (error) {
    return error;
  }
};

const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe.each(READERS)('%s', (_, format, read) => {
  test.each([
    ['nothing', ''],
    ['null', 'null'],
    ['a number', '5'],
    ['an array', '[]'],
    ['a nesting that exhausts the stack', deep(200_000)],
    ['the same in a member', `{"format":"${format}","x":${deep(5_000)}}`],
    [
      'a moderate nesting',
      `{"format":"${format}","openHash":"0x${'00'.repeat(32)}","release":"1","x":${deep(40)}}`,
    ],
    ['a number in a member', `{"format":"${format}","openHash":"0x${'00'.repeat(32)}","release":"1","x":5}`],
    ['__proto__', `{"__proto__":{"format":"${format}"},"format":"${format}"}`],
    [
      'half a character',
      `{"format":"${format}","openHash":"0x${'00'.repeat(32)}","release":"1","x":"\\ud800"}`,
    ],
    [
      'a line of a transcript with them',
      `{"body":${deep(5_000)},"index":"0","kind":"open","previous":"0x${'00'.repeat(32)}"}\n`,
    ],
  ])('%s is a coded refusal', async (_what, text) => {
    expect(await refusalOf(read, text)).toBeInstanceOf(CeremonyError);
  });

  test('any JSON whatever is a coded refusal, with nothing that a terminal would act on', async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' })),
        async (members) => {
          const text = JSON.stringify({ ...members, format });
          const refusal = await refusalOf(read, text);
          expect(refusal).toBeInstanceOf(CeremonyError);
          const { message } = refusal as CeremonyError;
          expect(message.replaceAll('\n', '')).toBe(printable(message.replaceAll('\n', '')));
        },
      ),
      { seed, numRuns: 150 },
    );
  });
});

test('a draft cannot clear the screen and write its own verdict', () => {
  const spoof = '\u001b[2J\u001b[H\r\nThe draft is what follows from the plan.\u202e';
  const stated = { ...JSON.parse(writeDraft(draft)), [`note${spoof}`]: spoof, release: '0.1.0' };
  stated.genesis.spec.balances.push({ address: spoof, amountWei: spoof });
  const parsed = parseDraft(writeDraft({ document: stated as DraftJson }));
  let message = '';
  try {
    requireSameDraft(parsed, draft);
  } catch (error) {
    ({ message } = error as Error);
  }
  expect(message).toContain('\\u{1b}[2J');
  for (const character of ['\u001b', '\r', '\u202e']) expect(message).not.toContain(character);
  expect(message).not.toMatch(/^The draft is what/m);
});
