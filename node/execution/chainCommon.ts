/**
 * EthereumJS' parameter object for our chain: Osaka, our chain id, WASM keccak and native recovery.
 *
 * The rules never change while a `ChainCommon` lives, so one instance is shared by every transaction, block and
 * machine: `copy` returns the object itself and a parameter set is merged once. (Copying and merging per
 * transaction was measured to cost more than a plain transfer.)
 */
import { Common, type CustomCrypto, Hardfork, Mainnet, type ParamsDict } from '@ethereumjs/common';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { recoverPublicKey } from '#node/execution/nativeCrypto.ts';

export class ChainCommon extends Common {
  readonly #merged = new Set<ParamsDict>();

  override copy(): Common {
    return this;
  }

  override updateParams(params: ParamsDict): void {
    if (this.#merged.has(params)) return;
    this.#merged.add(params);
    super.updateParams(params);
  }
}

/**
 * @param kzg needed to execute; decoding and checking transactions does without
 * @param hardfork other than ours for Ethereum's tests of older rules alone
 */
export const createChainCommon = (
  chainId: bigint,
  kzg?: NonNullable<CustomCrypto['kzg']>,
  hardfork: Hardfork = Hardfork.Osaka,
): ChainCommon =>
  new ChainCommon({
    chain: { ...Mainnet, name: 'causeway', chainId: chainId.toString() },
    hardfork,
    customCrypto: { keccak256, ecrecover: recoverPublicKey, ...(kzg === undefined ? {} : { kzg }) },
  });
