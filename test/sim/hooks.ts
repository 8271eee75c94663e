/**
 * Puts keyedHash.ts in the place of secp256k1 for everything that is imported afterwards in this process.
 *
 * Here and not in production code: a node has no switch that turns signatures off. To be imported before anything of
 * the product.
 */
import { registerHooks } from 'node:module';

const REPLACED = '#consensus/crypto/secp256k1.ts';
const replacement = new URL('./keyedHash.ts', import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === REPLACED && context.parentURL !== replacement
      ? { url: replacement, format: 'module-typescript', shortCircuit: true }
      : next(specifier, context),
});
