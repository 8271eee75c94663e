/** A key in SoftHSM2, Debian's software token: the real library behind the real interface. Needs softhsm2. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSoftToken, SOFTHSM_MODULE, type SoftToken } from '#test/unit/node/keys/softHsm.ts';

const SCENARIO = new URL('./tokenScenario.ts', import.meta.url);
const describeWithToken = SOFTHSM_MODULE === null ? describe.skip : describe;

describeWithToken('a signing key in a PKCS#11 token', () => {
  let token: SoftToken;
  let key: string;
  let address: unknown;

  const newKey = (out: string, label: string, pinFile = token.pinFile) =>
    token.causeway(
      ...['key', 'new', '--kind', 'signing', '--out', out, '--module', token.module, '--token', token.label],
      ...['--label', label, '--passphrase-file', pinFile],
    );
  const inspect = (file: string, ...more: string[]) => token.causeway('key', 'inspect', file, ...more);
  const verify = (file: string, pinFile = token.pinFile) =>
    inspect(file, '--verify', '--passphrase-file', pinFile);
  const altered = async (name: string, changes: object): Promise<string> => {
    const path = join(token.root, name);
    await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(key, 'utf8')), ...changes }));
    return path;
  };

  beforeAll(async () => {
    token = await createSoftToken('acme', '483920');
    key = join(token.root, 'consensus.json');
    const made = await newKey(key, 'consensus');
    expect(made).toMatchObject({ code: 0, answer: { custody: 'pkcs11' } });
    address = made.answer.address;
  });
  afterAll(() => token.remove());

  test('the file that stands for it holds no secret, and says who it is without the PIN', async () => {
    expect(JSON.parse(await readFile(key, 'utf8'))).toEqual({
      format: 'causeway-pkcs11-key-1',
      module: token.module,
      token: 'acme',
      label: 'consensus',
      address,
    });
    expect(await inspect(key)).toMatchObject({ code: 0, answer: { address, verified: false } });
    expect(await verify(key)).toMatchObject({ code: 0, answer: { address, verified: true } });
  });

  test('signs in the strict form of RULES 46 every time, in order, and refuses what it cannot keep up with', async () => {
    const { code, stdout, stderr } = await token.script(SCENARIO, key, token.pinFile, '200');
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({
      address,
      valid: 200,
      differs: true,
      ordered: true,
      // of 80 at once, those beyond the bound of 64 are refused, not queued
      refused: 16,
      extraction: 'CKR_ATTRIBUTE_SENSITIVE',
    });
  });

  test('a token that is pulled out is a coded error, and works again when it is back', async () => {
    const tokens = join(token.root, 'tokens');
    const { code, stdout, stderr } = await token.script(SCENARIO, key, token.pinFile, '1', tokens);
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({
      away: ['TOKEN_UNAVAILABLE', 'TOKEN_UNAVAILABLE'],
      back: true,
    });
  });

  test('a key is never overwritten, in the token or on disk', async () => {
    const before = await readdir(token.root);
    expect(await newKey(join(token.root, 'other.json'), 'consensus')).toMatchObject({
      code: 3,
      answer: { error: { code: 'EXISTS', message: expect.stringMatching(/labelled "consensus"/) } },
    });
    expect(await newKey(key, 'another')).toMatchObject({ code: 3, answer: { error: { code: 'EXISTS' } } });
    expect(await readdir(token.root)).toEqual(before);
    // and no key was made in the token whose file could not be written
    expect(await newKey(join(token.root, 'another.json'), 'another')).toMatchObject({ code: 0 });
  });

  test('a wrong PIN, token, label, library or address is told apart', async () => {
    const wrongPin = join(token.root, 'wrong-pin');
    await writeFile(wrongPin, '000000\n');
    const cases: readonly (readonly [string, string, number, string])[] = [
      [key, wrongPin, 6, 'WRONG_PASSPHRASE'],
      [await altered('a.json', { token: 'bolt' }), token.pinFile, 4, 'TOKEN_UNAVAILABLE'],
      [await altered('b.json', { label: 'nobody' }), token.pinFile, 3, 'BAD_KEY'],
      [await altered('c.json', { module: '/nowhere/lib.so' }), token.pinFile, 3, 'UNSUPPORTED'],
      [await altered('d.json', { address: `0x${'ab'.repeat(20)}` }), token.pinFile, 3, 'BAD_KEY'],
      [await altered('e.json', { privateKey: 'x' }), token.pinFile, 3, 'BAD_SHAPE'],
    ];
    for (const [file, pinFile, code, name] of cases)
      expect([name, await verify(file, pinFile)]).toMatchObject([
        name,
        { code, answer: { error: { code: name } } },
      ]);
  });

  test('a PIN file that the reference names is used instead of the pass phrase', async () => {
    const other = join(token.root, 'passphrase');
    await writeFile(other, 'of the node key\n');
    const file = await altered('with-pin.json', { pin_file: 'pin' });
    expect(await verify(file, other)).toMatchObject({ code: 0, answer: { verified: true } });
  });
});

test('half a place in a token is a usage error', async () => {
  const { runJson } = await import('#test/unit/cli/runInProcess.ts');
  for (const place of [
    ['--module', '/x'],
    ['--token', 'a', '--label', 'b'],
    ['--label', 'b'],
  ])
    expect(
      await runJson('key', 'new', '--kind', 'signing', '--out', '/nowhere/key.json', ...place),
    ).toMatchObject({ code: 2, error: { code: 'USAGE' } });
});
