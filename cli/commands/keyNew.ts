/** `causeway key new`: one key into one new file, or into a token with a file that says where. */
import { InvalidArgumentError } from 'commander';
import { defineCommand } from '#cli/command.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import {
  optionalOption,
  parsePath,
  passphraseFdOption,
  passphraseFileOption,
  requiredOption,
  switchOption,
} from '#cli/options.ts';
import { obtainPassphrase } from '#cli/passphrase.ts';
import { type KeyKind, LIGHT_COST, STANDARD_COST } from '#node/keys/keystore.ts';
import { createSecret, writeKeystoreFile } from '#node/keys/keystoreFile.ts';

const KINDS: Readonly<Record<string, KeyKind>> = { signing: 'secp256k1', node: 'ed25519' };

const parseKind = (text: string): KeyKind => {
  const kind = KINDS[text];
  if (kind === undefined) throw new InvalidArgumentError(`Expected "signing" or "node", found "${text}".`);
  return kind;
};

const sameText = (text: string): string => text;

type TokenPlace = { readonly module: string; readonly token: string; readonly label: string };

/** All three or none. @throws CliError USAGE */
const toTokenPlace = (kind: KeyKind, place: Partial<TokenPlace>): TokenPlace | null => {
  const { module, token, label } = place;
  if (module === undefined && token === undefined && label === undefined) return null;
  if (module === undefined || token === undefined || label === undefined || kind !== 'secp256k1')
    throw new CliError(
      'expected --kind signing with --module, --token and --label together, found only some of them',
      {
        code: 'USAGE',
        exitCode: EXIT.usage,
        hint: 'A key in a token is named by all three. Node keys are kept in keystores.',
      },
    );
  return { module, token, label };
};

export const keyNew = defineCommand({
  path: ['key', 'new'],
  summary: 'create a key in a new keystore file, or in a PKCS#11 token',
  description:
    'Creates a key in a Web3 keystore v3 file, readable by its owner only. A signing key (secp256k1) is for one role: consensus, relayer, governance, deployer or user. A node key (ed25519) is a node’s PeerId. With --module, --token and --label the signing key is made in a PKCS#11 token, from which it cannot be taken, and the file says where it is; the pass phrase is the token’s PIN. Nothing that exists is ever overwritten.',
  examples: [
    'key new --kind signing --out keys/consensus.json',
    'key new --kind node --out keys/node.json --passphrase-file keys/passphrase',
    'key new --kind signing --out keys/consensus.json --module /usr/lib/softhsm/libsofthsm2.so --token acme --label consensus',
  ],
  options: {
    kind: requiredOption('--kind <kind>', '"signing" or "node"', parseKind),
    out: requiredOption('--out <file>', 'the file to create', parsePath),
    module: optionalOption('--module <file>', 'the PKCS#11 library of the token', parsePath),
    token: optionalOption('--token <label>', 'the token’s label', sameText),
    label: optionalOption('--label <label>', 'the new key’s label in the token', sameText),
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
    light: switchOption(
      '--light',
      'cheap key derivation, for tests and devnets whose pass phrase lies beside the key',
    ),
  },
  run: async ({ kind, out, light, module, token, label, ...sources }, io) => {
    const place = toTokenPlace(kind, {
      ...(module === undefined ? {} : { module }),
      ...(token === undefined ? {} : { token }),
      ...(label === undefined ? {} : { label }),
    });
    const passphrase = await obtainPassphrase(sources, io, { repeat: place === null });
    if (place !== null) {
      const { createTokenKey } = await import('#node/keys/pkcs11/createTokenKey.ts');
      const address = await createTokenKey(out, place, passphrase);
      return {
        data: { file: out, kind, address, custody: 'pkcs11', ...place },
        text: `${address}\nin token ${place.token}, written to ${out}`,
      };
    }
    const cost = light ? LIGHT_COST : STANDARD_COST;
    const identity = await writeKeystoreFile(out, kind, createSecret(kind), passphrase, cost);
    const name = identity.kind === 'secp256k1' ? identity.address : identity.peerId;
    return { data: { file: out, ...identity }, text: `${name}\nwritten to ${out}` };
  },
});
