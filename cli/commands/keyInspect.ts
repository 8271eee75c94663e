/** `causeway key inspect`: who a key file says it is, and with a pass phrase, whether that is true. */
import { defineCommand } from '#cli/command.ts';
import { parsePath, passphraseFdOption, passphraseFileOption, switchOption } from '#cli/options.ts';
import { obtainPassphrase } from '#cli/passphrase.ts';
import { keystoreIdentity, openKeystoreFile, readKeystoreFile } from '#node/keys/keystoreFile.ts';

export const keyInspect = defineCommand({
  path: ['key', 'inspect'],
  summary: 'show the address or PeerId of a key file',
  description:
    'Shows what a keystore file says about its key. With --verify it asks for the pass phrase, opens the key and compares. The key itself is never shown.',
  examples: ['key inspect keys/node.json', 'key inspect keys/consensus.json --verify --json'],
  argument: { name: 'file', help: 'the keystore file', parse: parsePath },
  options: {
    verify: switchOption('--verify', 'open the key with its pass phrase and compare'),
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
  },
  run: async ({ argument: file, verify, ...sources }, io) => {
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
      text: `${name}${verify ? ', verified' : ''}`,
    };
  },
});
