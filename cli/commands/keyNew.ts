/** `causeway key new`: one key into one new file. */
import { InvalidArgumentError } from 'commander';
import { defineCommand } from '#cli/command.ts';
import {
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

export const keyNew = defineCommand({
  path: ['key', 'new'],
  summary: 'create a key in a new keystore file',
  description:
    'Creates a key in a Web3 keystore v3 file, readable by its owner only. A signing key (secp256k1) is for one role: consensus, relayer, deployer or user. A node key (ed25519) is a node’s PeerId. An existing file is never overwritten.',
  examples: [
    'key new --kind signing --out keys/consensus.json',
    'key new --kind node --out keys/node.json --passphrase-file keys/passphrase',
  ],
  options: {
    kind: requiredOption('--kind <kind>', '"signing" or "node"', parseKind),
    out: requiredOption('--out <file>', 'the file to create', parsePath),
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
    light: switchOption(
      '--light',
      'cheap key derivation, for tests and devnets whose pass phrase lies beside the key',
    ),
  },
  run: async ({ kind, out, light, ...sources }, io) => {
    const passphrase = await obtainPassphrase(sources, io, { repeat: true });
    const cost = light ? LIGHT_COST : STANDARD_COST;
    const identity = await writeKeystoreFile(out, kind, createSecret(kind), passphrase, cost);
    const name = identity.kind === 'secp256k1' ? identity.address : identity.peerId;
    return { data: { file: out, ...identity }, text: `${name}\nwritten to ${out}` };
  },
});
