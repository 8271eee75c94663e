import { Wallet } from 'ethers';
import { hexToBytes } from '#consensus/primitives.ts';
import { decryptKeystore, encryptKeystore, LIGHT_COST, parseKeystore } from '#node/keys/keystore.ts';

const SECRET = hexToBytes('0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d');
const ADDRESS = '008aeeda4d805471df9b2a5b0f38a0c3bcba786b';

/** The two test vectors of the Web3 secret storage definition, pass phrase "testpassword". */
const VECTOR_PBKDF2 = {
  crypto: {
    cipher: 'aes-128-ctr',
    cipherparams: { iv: '6087dab2f9fdbbfaddc31a909735c1e6' },
    ciphertext: '5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46',
    kdf: 'pbkdf2',
    kdfparams: {
      c: 262144,
      dklen: 32,
      prf: 'hmac-sha256',
      salt: 'ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd',
    },
    mac: '517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2',
  },
  id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
  version: 3,
};
const VECTOR_SCRYPT = {
  crypto: {
    cipher: 'aes-128-ctr',
    cipherparams: { iv: '83dbcc02d8ccb40e466191a123791e0e' },
    ciphertext: 'd172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c',
    kdf: 'scrypt',
    kdfparams: {
      dklen: 32,
      n: 262144,
      p: 8,
      r: 1,
      salt: 'ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19',
    },
    mac: '2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097',
  },
  id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
  version: 3,
};

const light = () =>
  encryptKeystore(SECRET, { kind: 'secp256k1', address: `0x${ADDRESS}` }, 'testpassword', LIGHT_COST);
const code = (run: () => unknown): string => {
  try {
    run();
    return 'none';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('refuses', () => {
  test('a wrong pass phrase, by the MAC, before decrypting', async () => {
    const keystore = parseKeystore(await light());
    await expect(decryptKeystore(keystore, 'testpassworD')).rejects.toMatchObject({
      code: 'WRONG_PASSPHRASE',
    });
  });

  test('a changed ciphertext', async () => {
    const json = JSON.parse(await light());
    json.crypto.ciphertext = `00${json.crypto.ciphertext.slice(2, -2)}00`;
    await expect(decryptKeystore(parseKeystore(JSON.stringify(json)), 'testpassword')).rejects.toMatchObject({
      code: 'WRONG_PASSPHRASE',
    });
  });

  test('what is not JSON, not version 3, or has another cipher or prf', () => {
    expect(code(() => parseKeystore('{'))).toBe('BAD_JSON');
    expect(code(() => parseKeystore('null'))).toBe('BAD_SHAPE');
    expect(code(() => parseKeystore(JSON.stringify({ ...VECTOR_SCRYPT, version: 4 })))).toBe('BAD_SHAPE');
    for (const change of [
      { cipher: 'aes-256-ctr' },
      { kdf: 'argon2' },
      { mac: 'abcd' },
      { ciphertext: 'xy' },
    ])
      expect(
        code(() =>
          parseKeystore(JSON.stringify({ ...VECTOR_SCRYPT, crypto: { ...VECTOR_SCRYPT.crypto, ...change } })),
        ),
      ).toBe('BAD_SHAPE');
  });

  test('a file that asks for more memory or rounds than a key ever needs', () => {
    const scrypt = (params: object): string =>
      code(() =>
        parseKeystore(
          JSON.stringify({
            ...VECTOR_SCRYPT,
            crypto: { ...VECTOR_SCRYPT.crypto, kdfparams: { ...VECTOR_SCRYPT.crypto.kdfparams, ...params } },
          }),
        ),
      );
    expect(scrypt({ n: 2 ** 29 })).toBe('TOO_COSTLY');
    expect(scrypt({ p: 1_000 })).toBe('TOO_COSTLY');
    expect(scrypt({ r: 4_096, n: 2 })).toBe('TOO_COSTLY');
    expect(scrypt({ n: 1_000 })).toBe('BAD_SHAPE');
    const pbkdf2 = structuredClone(VECTOR_PBKDF2);
    pbkdf2.crypto.kdfparams.c = 2 ** 31;
    expect(code(() => parseKeystore(JSON.stringify(pbkdf2)))).toBe('TOO_COSTLY');
  });
});

test('opens the vectors of the definition, scrypt and pbkdf2', async () => {
  for (const vector of [VECTOR_PBKDF2, VECTOR_SCRYPT])
    expect(await decryptKeystore(parseKeystore(JSON.stringify(vector)), 'testpassword')).toEqual(SECRET);
});

test('opens what ethers wrote, and ethers opens what it wrote', async () => {
  const wallet = new Wallet(`0x${Buffer.from(SECRET).toString('hex')}`);
  const { encryptKeystoreJson } = await import('ethers');
  const theirs = await encryptKeystoreJson(
    { address: wallet.address, privateKey: wallet.privateKey },
    'pässword',
    {
      scrypt: { N: 1024, r: 8, p: 1 },
    },
  );
  expect(await decryptKeystore(parseKeystore(theirs), 'pässword')).toEqual(SECRET);

  const ours = await light();
  expect((await Wallet.fromEncryptedJson(ours, 'testpassword')).privateKey).toBe(wallet.privateKey);
});

test('accepts the older capitalised "Crypto" member', async () => {
  const { crypto, ...rest } = JSON.parse(await light());
  const keystore = parseKeystore(JSON.stringify({ ...rest, Crypto: crypto }));
  expect(await decryptKeystore(keystore, 'testpassword')).toEqual(SECRET);
});
