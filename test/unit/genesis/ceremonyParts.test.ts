import { hashTypedData } from 'viem';
import { type CeremonyStatement, ceremonyDigest } from '#consensus/ceremonyDigests.ts';
import type { Hash } from '#consensus/primitives.ts';
import { planToLocks } from '#genesis/ceremony/locks.ts';
import type { Plan } from '#genesis/ceremony/plan.ts';
import { formatWords, hashToWords, requireWords } from '#genesis/ceremony/words.ts';
import { addressOf, exampleOpening } from '#test/unit/genesis/ceremonyExample.ts';

const HASH = `0x${'0123456789abcdef'.repeat(4)}` as Hash;

describe('ceremonyDigest is EIP-712', () => {
  const domain = { chainId: 42_424n, openHash: HASH };
  const text = (name: string) => ({ name, type: 'string' });
  const hash = (name: string) => ({ name, type: 'bytes32' });
  const types = {
    possession: {
      KeyPossession: ['organisation', 'role', 'seat', 'key', 'peerId', 'p2p', 'exchange'].map(text),
    },
    enrolment: { Enrolment: [text('organisation'), hash('bodyHash')] },
    approval: { Approval: [text('organisation'), hash('draftHash'), hash('genesisHash'), text('at')] },
  };
  const statements: readonly CeremonyStatement[] = [
    {
      type: 'possession',
      organisation: 'acme',
      role: 'consensus',
      seat: 'acme-validator',
      key: addressOf('x'),
      peerId: '12D3KooW',
      p2p: '/dns4/ä/tcp/1',
      exchange: '',
    },
    { type: 'enrolment', organisation: 'acme', bodyHash: HASH },
    { type: 'approval', organisation: 'acme', draftHash: HASH, genesisHash: HASH, at: 'now' },
  ];
  test.each(statements)('$type, as viem hashes it', ({ type, ...message }) => {
    const [primaryType] = Object.keys(types[type]);
    const expected = hashTypedData({
      domain: { name: 'Causeway', version: '1', chainId: 42_424, salt: HASH },
      types: types[type] as Record<string, { name: string; type: string }[]>,
      primaryType: primaryType!,
      message,
    });
    expect(ceremonyDigest(domain, { type, ...message } as CeremonyStatement)).toBe(expected);
  });
});

describe('words', () => {
  test('are BIP-39 with its own test vectors', () => {
    expect(hashToWords(`0x${'00'.repeat(32)}` as Hash).join(' ')).toBe(`${'abandon '.repeat(23)}art`);
    expect(hashToWords(`0x${'7f'.repeat(32)}` as Hash).join(' ')).toBe(
      'legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title',
    );
    expect(formatWords(HASH).split('\n')).toHaveLength(6);
  });

  test('twelve to twenty-four are enough, in any case and spacing', () => {
    const words = hashToWords(HASH);
    for (const typed of [
      words.slice(0, 12).join(' '),
      words.join(' '),
      `  ${words.slice(0, 13).join(',\n ').toUpperCase()} `,
    ])
      expect(() => requireWords(typed, HASH)).not.toThrow();
  });

  test('eleven, another word, another order, or none are refused, and the message tells no word', () => {
    const words = hashToWords(HASH);
    const [a, b, ...rest] = words.slice(0, 12) as [string, string, ...string[]];
    for (const typed of [
      words.slice(0, 11).join(' '),
      [b, a, ...rest].join(' '),
      ['zoo', b, ...rest].join(' '),
      '',
      `${words.join(' ')} zoo`,
      HASH,
    ])
      try {
        requireWords(typed, HASH);
        throw new Error(`accepted: ${typed}`);
      } catch (error) {
        expect(error).toMatchObject({ code: 'WRONG_WORDS' });
        for (const word of new Set(words))
          if (word.length > 4) expect((error as Error).message).not.toContain(` ${word} `);
      }
  });
});

describe('who could do harm together', () => {
  const organisation = (power: string[], relayers: number) => ({
    name: 'x',
    governanceKey: addressOf('x'),
    validators: power.map((value, index) => ({ name: `v${index}`, power: value })),
    relayers: Array.from({ length: relayers }, (_, index) => ({ name: `r${index}` })),
  });

  test('is what trying every group finds', async () => {
    const { plan } = await exampleOpening();
    const shapes = [
      [
        [['1'], 1],
        [['1'], 1],
        [['1'], 1],
        [['1'], 0],
        [['1'], 0],
      ],
      [
        [['5', '5'], 0],
        [['1'], 3],
        [['1'], 0],
        [['1'], 0],
      ],
      [
        [['1'], 0],
        [['1'], 0],
        [['1'], 0],
        [['1'], 0],
        [[], 1],
        [[], 1],
        [[], 1],
      ],
      [
        [['100'], 2],
        [['1'], 0],
        [['1'], 1],
      ],
      [
        [['2'], 1],
        [['3'], 0],
        [['4'], 1],
        [['5'], 0],
        [['6'], 1],
        [['7'], 2],
      ],
    ] as [string[], number][][];
    for (const shape of shapes) {
      const organisations = shape.map(([power, relayers]) => organisation(power, relayers));
      const threshold = Math.floor(shape.reduce((sum, [, relayers]) => sum + relayers, 0) / 2) + 1;
      const changed: Plan = { ...plan, organisations, relayerThreshold: String(threshold) };
      const total = shape.flatMap(([power]) => power).reduce((sum, power) => sum + Number(power), 0);
      const relayers = shape.reduce((sum, [, count]) => sum + count, 0);
      const fewest = (isEnough: (power: number, relayers: number) => boolean): number => {
        let least = Number.POSITIVE_INFINITY;
        for (let group = 0; group < 1 << shape.length; group++) {
          const chosen = shape.filter((_, index) => (group >> index) & 1);
          const power = chosen.flatMap(([values]) => values).reduce((sum, value) => sum + Number(value), 0);
          const count = chosen.reduce((sum, [, value]) => sum + value, 0);
          if (isEnough(power, count)) least = Math.min(least, chosen.length);
        }
        return least;
      };
      expect(planToLocks(changed)).toEqual({
        fewestWithBothLocks: fewest((power, count) => 3 * power > 2 * total && count >= threshold),
        fewestToHalt: fewest((power) => 3 * power >= total),
        fewestToStopRelaying: fewest((_, count) => relayers - count < threshold),
        decidingOrganisations: Math.ceil((2 * shape.length) / 3),
        organisations: shape.length,
      });
    }
  });
});
