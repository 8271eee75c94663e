import { randomBytes } from 'node:crypto';
import { privateKeyToAddress } from '#consensus/crypto/secp256k1.ts';
import { restoreSecret } from '#node/keys/backup.ts';
import { createSecret } from '#node/keys/keystoreFile.ts';
import { seedToPeerId } from '#node/keys/nodeIdentity.ts';
import { combineShares, formatShare, type KeyShare, parseShare, splitKey } from '#node/keys/shares.ts';

const secret = createSecret('secp256k1');
const address = privateKeyToAddress(secret);
const shared = (shares = 5, threshold = 3) => splitKey(secret, 'secp256k1', address, shares, threshold);
const picked = (shares: readonly KeyShare[], ...at: number[]) => at.map((index) => shares[index]!);

describe('what does not restore the key is refused', () => {
  test('too few, one twice, or shares of two backups', async () => {
    const [one, two] = [await shared(), await shared()];
    for (const [shares, message] of [
      [picked(one, 0, 1), /at least 3 shares/],
      [picked(one, 0, 1, 1), /one twice/],
      [[...picked(one, 0, 1), two[2]!], /shares of one backup/],
      [[], /found none/],
    ] as const)
      await expect(combineShares(shares)).rejects.toMatchObject({
        code: 'BAD_SHARE',
        message: expect.stringMatching(message),
      });
  });

  test('an altered value, point or name: the library would hand out another secret, we do not', async () => {
    const shares = await shared();
    const changed = (change: Partial<KeyShare>) => [{ ...shares[0]!, ...change }, ...picked(shares, 1, 2)];
    const values = Uint8Array.from(shares[0]!.values);
    values[7]! ^= 1;
    const point = Array.from({ length: 255 }, (_, index) => index + 1).find((value) =>
      shares.every((share) => share.point !== value),
    )!;
    for (const altered of [changed({ values }), changed({ point })]) {
      expect(await combineShares(altered)).not.toEqual(secret);
      await expect(restoreSecret(altered)).rejects.toMatchObject({
        code: 'BAD_SHARE',
        message: expect.stringMatching(/was altered/),
      });
    }
    const other = `0x${'ab'.repeat(20)}`;
    await expect(restoreSecret(shares.map((share) => ({ ...share, name: other })))).rejects.toMatchObject({
      code: 'BAD_SHARE',
    });
    await expect(
      restoreSecret(shares.map((share) => ({ ...share, kind: 'ed25519' as const }))),
    ).rejects.toMatchObject({ code: 'BAD_SHARE' });
  });

  test.each([
    [1, 1],
    [5, 1],
    [2, 3],
    [17, 3],
  ])('%i shares with threshold %i', async (shares, threshold) => {
    await expect(shared(shares, threshold)).rejects.toMatchObject({ code: 'BAD_SHARE' });
  });

  test('a misspelt, missing or moved word is noticed in the share in which it is', async () => {
    const [share] = await shared();
    const text = formatShare(share!);
    const words = [...text.matchAll(/\d+ ([a-z]+)/g)].map(([, word]) => word!).slice(-24);
    const [first, second] = [words[0]!, words.find((word) => word !== words[0])!];
    for (const altered of [
      text.replace(` ${first}`, ' zzzz'),
      text.replace(` ${words.at(-1)}`, ''),
      text.replace(` ${first} `, ' @ ').replace(` ${second} `, ` ${first} `).replace(' @ ', ` ${second} `),
      text.replace('causeway-key-share-1', 'causeway-key-share-2'),
      text.replace(/point: \d+/, 'point: 0'),
      text.replace('backup: ', 'backup: x'),
      '',
    ]) {
      expect(altered).not.toBe(text);
      expect(() => parseShare(altered)).toThrow(expect.objectContaining({ code: 'BAD_SHARE' }));
    }
  });
});

test('any three of five restore the key, from what was printed', async () => {
  const shares = (await shared()).map(formatShare).map(parseShare);
  for (let a = 0; a < 5; a++)
    for (let b = a + 1; b < 5; b++)
      for (let c = b + 1; c < 5; c++) expect(await restoreSecret(picked(shares, c, a, b))).toEqual(secret);
  expect(await restoreSecret(shares)).toEqual(secret);
});

test('a share that was typed in, with other line breaks and without numbers, is the same share', async () => {
  const [share] = await shared();
  const typed = formatShare(share!).replace(/^( ?\d+ [a-z].*)$/gm, (line) => line.replace(/\d+/g, '').trim());
  expect(parseShare(typed)).toEqual(parseShare(formatShare(share!)));
});

test('a node key is shared in the same way', async () => {
  const seed = new Uint8Array(randomBytes(32));
  const shares = await splitKey(seed, 'ed25519', await seedToPeerId(seed), 3, 2);
  expect(await restoreSecret(picked(shares, 2, 0))).toEqual(seed);
});

test('two shares say nothing about a key that needs three: any secret fits them', async () => {
  // For a fixed pair of shares each value of the third gives another secret: all 256 values of a byte are reached.
  const [one, two, three] = await shared();
  const reached = new Set<number>();
  for (let value = 0; value < 256; value++) {
    const values = Uint8Array.from(three!.values);
    values[0] = value;
    reached.add((await combineShares([one!, two!, { ...three!, values }]))[0]!);
  }
  expect(reached.size).toBe(256);
});
