/**
 * A user's two chains: plain RPC endpoints, and where the peg's contracts are on them.
 *
 * Owns the clients and the check that they are the chains one thinks. Does not own keys: accounts come with each call.
 */
import { createPublicClient, getAddress, http, type PublicClient } from 'viem';
import { type L1Addresses, PEG_GATEWAY } from '#bridge/addresses.ts';
import { pegGatewayAbi, pegVaultAbi, pegVerifierAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { CrossingError } from '#bridge/user/errors.ts';

export type PegOptions = {
  readonly l1Url: string;
  readonly sidechainUrl: string;
  readonly l1ChainId: bigint;
  readonly sidechainId: bigint;
  readonly addresses: L1Addresses;
  /** The oldest L1 block that may hold a log of the peg. */
  readonly fromL1Block?: bigint;
  readonly maxLogBlocks?: bigint;
  /** How often a chain is asked while waiting for it. */
  readonly pollMs?: number;
};

export type Peg = Required<Omit<PegOptions, 'l1Url' | 'sidechainUrl'>> & {
  readonly l1: PublicClient;
  readonly sidechain: PublicClient;
  readonly vault: { readonly address: `0x${string}`; readonly abi: typeof pegVaultAbi };
  readonly verifier: { readonly address: `0x${string}`; readonly abi: typeof pegVerifierAbi };
  readonly gateway: { readonly address: `0x${string}`; readonly abi: typeof pegGatewayAbi };
};

/** Makes no request yet. */
export const createPeg = (options: PegOptions): Peg => {
  const pollMs = options.pollMs ?? 500;
  const connect = (url: string): PublicClient =>
    createPublicClient({ transport: http(url, { timeout: 15_000 }), pollingInterval: pollMs, cacheTime: 0 });
  return {
    l1: connect(options.l1Url),
    sidechain: connect(options.sidechainUrl),
    l1ChainId: options.l1ChainId,
    sidechainId: options.sidechainId,
    addresses: options.addresses,
    fromL1Block: options.fromL1Block ?? 0n,
    maxLogBlocks: options.maxLogBlocks ?? 2_000n,
    pollMs,
    vault: { address: getAddress(options.addresses.vault), abi: pegVaultAbi },
    verifier: { address: getAddress(options.addresses.verifier), abi: pegVerifierAbi },
    gateway: { address: getAddress(PEG_GATEWAY), abi: pegGatewayAbi },
  };
};

/** @throws CrossingError WRONG_CHAIN */
export const requireChains = async (peg: Peg): Promise<void> => {
  const [l1, sidechain] = await Promise.all([peg.l1.getChainId(), peg.sidechain.getChainId()]);
  for (const [name, expected, found] of [
    ['the L1', peg.l1ChainId, l1],
    ['the sidechain', peg.sidechainId, sidechain],
  ] as const)
    if (expected !== BigInt(found))
      throw new CrossingError(
        'WRONG_CHAIN',
        `expected chain id ${expected} at ${name}'s endpoint, found ${found}: correct the URL`,
      );
};
