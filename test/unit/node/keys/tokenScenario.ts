/**
 * Uses a token as a node does, in a process of its own, and prints what happened as one line of JSON.
 *
 * usage: tokenScenario.ts KEY-FILE PIN-FILE SIGNATURES [TOKENS-FOLDER: pulled out and plugged in again on the way]
 */
import { rename } from 'node:fs/promises';
import { recoverAddress } from '#consensus/crypto/secp256k1.ts';
import type { Hash } from '#consensus/primitives.ts';
import { type SignRequest, signRequestDigest } from '#consensus/signer.ts';
import { readPassphraseFile } from '#node/keys/passphrase.ts';
import { readTokenKey } from '#node/keys/pkcs11/reference.ts';
import { openSignerFile } from '#node/keys/signerFile.ts';

const [keyFile, pinFile, count, tokensFolder] = process.argv.slice(2) as [string, string, string, string?];

const requestOf = (height: number): SignRequest => ({
  kind: 'vote',
  domain: { chainId: 42_424n, genesisHash: `0x${'ab'.repeat(32)}` as Hash },
  vote: { type: 'prevote', height: BigInt(height), round: 0, valueId: `0x${'cd'.repeat(32)}` as Hash },
});

const signer = await openSignerFile(keyFile, await readPassphraseFile(pinFile));
let valid = 0;
for (let height = 0; height < Number(count); height++) {
  const request = requestOf(height);
  if (recoverAddress(signRequestDigest(request), await signer.sign(request)) === signer.address) valid++;
}
const twice = [await signer.sign(requestOf(0)), await signer.sign(requestOf(0))];
const many = await Promise.all(Array.from({ length: 32 }, (_, height) => signer.sign(requestOf(height))));
const ordered = many.every(
  (signature, height) => recoverAddress(signRequestDigest(requestOf(height)), signature) === signer.address,
);
const tooMany = await Promise.allSettled(Array.from({ length: 80 }, (_, at) => signer.sign(requestOf(at))));

/** What the library says when somebody with the PIN asks for the private key itself. */
const tryExtraction = async (): Promise<string> => {
  const { default: pkcs11js } = await import('pkcs11js');
  const key = (await readTokenKey(keyFile))!;
  const library = new pkcs11js.PKCS11();
  library.load(key.module);
  try {
    library.C_Initialize();
  } catch {
    // the signer's thread did
  }
  const slot = library
    .C_GetSlotList(true)
    .find((one) => library.C_GetTokenInfo(one).label.trim() === key.token);
  const session = library.C_OpenSession(slot!, pkcs11js.CKF_SERIAL_SESSION);
  library.C_FindObjectsInit(session, [
    { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PRIVATE_KEY },
    { type: pkcs11js.CKA_LABEL, value: key.label },
  ]);
  const [handle] = library.C_FindObjects(session, 1);
  try {
    library.C_GetAttributeValue(session, handle!, [{ type: pkcs11js.CKA_VALUE }]);
    return 'extracted';
  } catch (error) {
    return (error as Error).message;
  }
};

const codeOf = (error: unknown) => (error as { code?: string }).code ?? String(error);
const away: string[] = [];
let back: boolean | null = null;
if (tokensFolder !== undefined) {
  await rename(tokensFolder, `${tokensFolder}-away`);
  for (const height of [1, 2]) away.push(await signer.sign(requestOf(height)).then(() => 'signed', codeOf));
  await rename(`${tokensFolder}-away`, tokensFolder);
  const again = await signer.sign(requestOf(1));
  back = recoverAddress(signRequestDigest(requestOf(1)), again) === signer.address;
}
console.log(
  JSON.stringify({
    address: signer.address,
    valid,
    differs: twice[0] !== twice[1],
    ordered,
    refused: tooMany.filter(({ status }) => status === 'rejected').length,
    extraction: await tryExtraction(),
    away,
    back,
  }),
);
