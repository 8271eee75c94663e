/** `causeway key inspect`: who a key file says it is, and with a pass phrase, whether that is true. */
import { defineCommand } from '#cli/command.ts';
import { parsePath, passphraseFdOption, passphraseFileOption, switchOption } from '#cli/options.ts';
import { obtainPassphrase } from '#cli/passphrase.ts';
import { keystoreIdentity, openKeystoreFile, readKeystoreFile } from '#node/keys/keystoreFile.ts';
import { readTokenKey } from '#node/keys/pkcs11/reference.ts';

export const keyInspect = defineCommand({
  path: ['key', 'inspect'],
  summary: 'show the address or PeerId of a key file',
  description:
    'Shows what a key file says about its key: a keystore, or a key in a PKCS#11 token. With --verify it asks for the pass phrase or PIN, opens the key and compares. The key itself is never shown.',
  examples: ['key inspect keys/node.json', 'key inspect keys/consensus.json --verify --json'],
  argument: { name: 'file', help: 'the key file', parse: parsePath },
  options: {
    verify: switchOption('--verify', 'open the key with its pass phrase and compare'),
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
  },
  run: async ({ argument: file, verify, ...sources }, io) => {
    const verified = verify ? ', verified' : '';
    const tokenKey = await readTokenKey(file);
    if (tokenKey !== null) {
      if (verify) {
        const { openSignerFile } = await import('#node/keys/signerFile.ts');
        await openSignerFile(file, await obtainPassphrase(sources, io));
      }
      const { address, module, token, label } = tokenKey;
      return {
        data: {
          file,
          kind: 'secp256k1',
          address,
          custody: 'pkcs11',
          module,
          token,
          label,
          verified: verify,
        },
        text: `signing key ${address} in token ${token}, labelled ${label}${verified}`,
      };
    }
    const keystore = await readKeystoreFile(file);
    let identity = keystoreIdentity(keystore);
    if (verify) {
      const kind = identity?.kind ?? 'secp256k1';
      identity = (await openKeystoreFile(file, kind, await obtainPassphrase(sources, io))).identity;
    }
    const name =
      identity === null
        ? 'a signing key that does not say its address (use --verify)'
        : identity.kind === 'secp256k1'
          ? `signing key ${identity.address}`
          : `node key ${identity.peerId}`;
    return {
      data: { file, ...(identity ?? { kind: 'secp256k1' }), verified: verify },
      text: `${name}${verified}`,
    };
  },
});
