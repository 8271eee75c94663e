import { RLP } from '@ethereumjs/rlp';
import { decodeRlp, encodeRlp, type RlpItem } from '#node/consensus/rlp.ts';
import { seededRandom } from '#test/sim/cluster/virtualClock.ts';

/** Lengths on both sides of every change of the header's form. */
const LENGTHS = [0, 1, 2, 55, 56, 57, 255, 256, 257, 65_535, 65_536];

const randomItem = (random: () => number, depth: number): RlpItem => {
  if (depth > 0 && random() < 0.4)
    return Array.from({ length: Math.floor(random() * 8) }, () => randomItem(random, depth - 1));
  const length = LENGTHS[Math.floor(random() * (random() < 0.9 ? 6 : LENGTHS.length))]!;
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
};

test('items encode as the reference library encodes them, and come back as they were', () => {
  const seed = Number(process.env.SEED ?? 5);
  process.stdout.write(
    `seed ${seed}; replay: SEED=${seed} npm test -- test/unit/node/consensus/rlp.test.ts\n`,
  );
  const random = seededRandom(seed);
  const fixed: RlpItem[] = [
    ...LENGTHS.map((length) => new Uint8Array(length).fill(0x7f)),
    Uint8Array.of(0x80),
    [],
  ];
  for (const item of [...fixed, ...Array.from({ length: 300 }, () => randomItem(random, 4))]) {
    const bytes = encodeRlp(item);
    expect(Buffer.from(bytes).equals(Buffer.from(RLP.encode(item as Uint8Array)))).toBe(true);
    expect(Buffer.from(encodeRlp(decodeRlp(bytes))).equals(Buffer.from(bytes))).toBe(true);
  }
});
