/**
 * What each kind of custody costs a signature: key in this process, key in SoftHSM2 behind its thread.
 *
 * usage: custody.ts [SIGNATURES]. One signature after the other, as a validator signs; latency by the wall clock, so run it
 * alone. SoftHSM2 is left out where it is not installed.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Hash } from '#consensus/primitives.ts';
import type { Signer } from '#consensus/signer.ts';
import { createSecret } from '#node/keys/keystoreFile.ts';
import { createLocalSigner } from '#node/keys/localSigner.ts';
import { openSignerFile } from '#node/keys/signerFile.ts';
import { createSoftToken, SOFTHSM_MODULE } from '#test/unit/node/keys/softHsm.ts';

const PIN = '271828';
const WARM_UP = 200;
const [countText = '5000', keyFile] = process.argv.slice(2);
const count = Number(countText);

const measure = async (name: string, signer: Signer): Promise<void> => {
  const took: number[] = [];
  for (let height = 0; height < WARM_UP + count; height++) {
    const started = performance.now();
    await signer.sign({
      kind: 'vote',
      domain: { chainId: 42_424n, genesisHash: `0x${'ab'.repeat(32)}` as Hash },
      vote: { type: 'precommit', height: BigInt(height), round: 0, valueId: `0x${'cd'.repeat(32)}` as Hash },
    });
    if (height >= WARM_UP) took.push(performance.now() - started);
  }
  took.sort((a, b) => a - b);
  const at = (share: number): string => took[Math.floor(share * (took.length - 1))]!.toFixed(3);
  const rate = Math.round((1_000 * count) / took.reduce((sum, ms) => sum + ms, 0));
  console.log(`${name.padEnd(10)} ${String(rate).padStart(7)}/s   median ${at(0.5)} ms   p99 ${at(0.99)} ms`);
};

if (keyFile !== undefined) await measure('SoftHSM2', await openSignerFile(keyFile, PIN));
else {
  await measure('keystore', createLocalSigner(createSecret('secp256k1')));
  if (SOFTHSM_MODULE !== null) {
    const token = await createSoftToken('bench', PIN);
    const key = join(token.root, 'key.json');
    await token.causeway(
      ...['key', 'new', '--kind', 'signing', '--out', key, '--module', token.module],
      ...['--token', token.label, '--label', 'bench', '--passphrase-file', token.pinFile],
    );
    // The library reads its configuration from the environment that a process starts with.
    spawnSync(process.execPath, [fileURLToPath(import.meta.url), String(count), key], {
      env: token.env,
      stdio: 'inherit',
    });
    await token.remove();
  }
}
