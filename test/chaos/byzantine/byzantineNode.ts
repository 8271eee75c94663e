/**
 * `causeway node run` with a Byzantine consensus host: byzantineNode.ts FAULT SEED CONFIG.
 *
 * The product has no switch for this: a resolve hook puts byzantineHost.ts in the place of the host, in this process.
 */

import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { privateKeyToAddress } from '#consensus/crypto/secp256k1.ts';
import { loadConfig } from '#node/config.ts';
import { openKeystoreFile } from '#node/keys/keystoreFile.ts';
import { setByzantine } from '#test/chaos/byzantine/settings.ts';
import type { FaultName } from '#test/faults/fault.ts';

const [fault, seed, configPath] = process.argv.slice(2) as [FaultName, string, string];
const { keys } = await loadConfig(configPath);
const passphrase = readFileSync(keys.passphraseFile!, 'utf8').trimEnd();
const { secret: privateKey } = await openKeystoreFile(keys.consensus!, 'secp256k1', passphrase);
setByzantine({ fault, seed: Number(seed), key: { privateKey, address: privateKeyToAddress(privateKey) } });

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === '#node/consensus/host.ts' && !context.parentURL?.endsWith('/byzantineHost.ts')
      ? next('#test/chaos/byzantine/byzantineHost.ts', context)
      : next(specifier, context),
});

const { runProcess } = await import('#cli/main.ts');
process.argv = [
  process.execPath,
  fileURLToPath(new URL('../../../cli/main.ts', import.meta.url)),
  ...['node', 'run', '--config', configPath],
];
await runProcess();
