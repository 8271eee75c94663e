/** How long one recovery takes here, by the code that the node uses: run by itself, it prints seconds as JSON. */
import secp256k1 from 'secp256k1/bindings.js';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { recoverPublicKey } from '#node/execution/nativeCrypto.ts';
import { median } from './arithmetic.ts';
import { benchKey } from './signing.ts';

const SAMPLES = 15;
const RECOVERIES = 400;

const { privateKey } = benchKey(0);
const signed = Array.from({ length: RECOVERIES }, (_, index) => {
  const hash = keccak256(Uint8Array.of(index & 0xff, index >> 8));
  const { signature, recid } = secp256k1.ecdsaSign(hash, privateKey);
  return { hash, v: BigInt(recid), r: signature.slice(0, 32), s: signature.slice(32) };
});
const recoverAll = (): number => {
  const { user, system } = process.cpuUsage();
  for (const { hash, v, r, s } of signed) recoverPublicKey(hash, v, r, s);
  const used = process.cpuUsage({ user, system });
  return (used.user + used.system) / 1e6 / RECOVERIES;
};
recoverAll();
const seconds = median(Array.from({ length: SAMPLES }, recoverAll));
process.stdout.write(`${JSON.stringify({ secondsPerRecover: seconds })}\n`);
