import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recoverAddress } from '#consensus/crypto/secp256k1.ts';
import { parseHash, ZERO_HASH } from '#consensus/primitives.ts';
import { type SignRequest, signRequestDigest } from '#consensus/signer.ts';
import { LIGHT_COST } from '#node/keys/keystore.ts';
import {
  createSecret,
  keystoreIdentity,
  openKeystoreFile,
  readKeystoreFile,
  writeKeystoreFile,
} from '#node/keys/keystoreFile.ts';
import { createLocalSigner } from '#node/keys/localSigner.ts';
import { readPassphraseFile } from '#node/keys/passphrase.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-keys-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const rejectsWith = (promise: Promise<unknown>, code: string) =>
  expect(promise).rejects.toMatchObject({ name: 'KeyError', code });

test('never overwrites a key, and leaves no temporary file behind', async () => {
  const path = join(folder, 'key.json');
  await writeKeystoreFile(path, 'secp256k1', createSecret('secp256k1'), 'p', LIGHT_COST);
  const before = await readFile(path, 'utf8');
  await rejectsWith(
    writeKeystoreFile(path, 'secp256k1', createSecret('secp256k1'), 'p', LIGHT_COST),
    'EXISTS',
  );
  expect(await readFile(path, 'utf8')).toBe(before);
  expect(await readdir(folder)).toEqual(['key.json']);
});

test('writes for its owner only', async () => {
  const path = join(folder, 'deep', 'key.json');
  await writeKeystoreFile(path, 'ed25519', createSecret('ed25519'), 'p', LIGHT_COST);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a file that is missing, torn or huge is a typed error that names it', async () => {
  const path = join(folder, 'key.json');
  await rejectsWith(readKeystoreFile(path), 'UNREADABLE');
  await writeFile(path, '{"version":3,"cry');
  await rejectsWith(readKeystoreFile(path), 'BAD_JSON');
  await expect(readKeystoreFile(path)).rejects.toThrow(path);
  await writeFile(path, ' '.repeat(70_000));
  await rejectsWith(readKeystoreFile(path), 'UNREADABLE');
});

test('a node key is refused where a signing key is expected, and the reverse', async () => {
  const node = join(folder, 'node.json');
  const signing = join(folder, 'signing.json');
  await writeKeystoreFile(node, 'ed25519', createSecret('ed25519'), 'p', LIGHT_COST);
  await writeKeystoreFile(signing, 'secp256k1', createSecret('secp256k1'), 'p', LIGHT_COST);
  await rejectsWith(openKeystoreFile(node, 'secp256k1', 'p'), 'WRONG_KIND');
  await rejectsWith(openKeystoreFile(signing, 'ed25519', 'p'), 'WRONG_KIND');
});

test('a file whose claimed address was altered is refused', async () => {
  const path = join(folder, 'key.json');
  await writeKeystoreFile(path, 'secp256k1', createSecret('secp256k1'), 'p', LIGHT_COST);
  const json = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...json, address: '00'.repeat(20) }));
  await rejectsWith(openKeystoreFile(path, 'secp256k1', 'p'), 'BAD_KEY');
});

test('both kinds round-trip and tell who they are without the pass phrase', async () => {
  for (const kind of ['secp256k1', 'ed25519'] as const) {
    const path = join(folder, `${kind}.json`);
    const secret = createSecret(kind);
    const identity = await writeKeystoreFile(path, kind, secret, 'pass phrase', LIGHT_COST);
    expect(keystoreIdentity(await readKeystoreFile(path))).toEqual(identity);
    expect(await openKeystoreFile(path, kind, 'pass phrase')).toEqual({ secret, identity });
  }
});

test('a local signer signs typed requests that recover to its address, whatever becomes of the caller’s copy', async () => {
  const secret = createSecret('secp256k1');
  const signer = createLocalSigner(secret);
  secret.fill(0);
  const request: SignRequest = {
    kind: 'vote',
    domain: { chainId: 42424n, genesisHash: ZERO_HASH },
    vote: { type: 'precommit', height: 7n, round: 1, valueId: parseHash(`0x${'ab'.repeat(32)}`) },
  };
  expect(recoverAddress(signRequestDigest(request), await signer.sign(request))).toBe(signer.address);
  expect(() => createLocalSigner(new Uint8Array(32))).toThrow('scalar out of range');
});

test('a pass phrase file loses one line break and nothing else', async () => {
  const path = join(folder, 'passphrase');
  await writeFile(path, ' spaced out \n\n');
  expect(await readPassphraseFile(path)).toBe(' spaced out \n');
  await writeFile(path, '\n');
  await rejectsWith(readPassphraseFile(path), 'NO_PASSPHRASE');
  await rejectsWith(readPassphraseFile(join(folder, 'none')), 'NO_PASSPHRASE');
});
