/**
 * One L1 RPC endpoint, reduced to the few reads that the watcher makes, each with a time-out and no retry.
 *
 * Owns the calls. Does not own trust: nothing here is believed until other endpoints, the vault's own hash chain and
 * the verifier's own counters agree with it (agreement.ts, watcher.ts).
 */
import { createPublicClient, getAddress, http, type PublicClient } from 'viem';
import type { L1Addresses } from '#bridge/addresses.ts';
import { pegVaultAbi, pegVerifierAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { type Hash, parseHash } from '#consensus/primitives.ts';

export type L1Block = { readonly number: bigint; readonly hash: Hash; readonly timestamp: bigint };

/** What vault and verifier say of themselves at one block. */
export type PegCounters = {
  readonly depositCount: bigint;
  readonly depositHash: Hash;
  readonly latestHeight: bigint;
  readonly latestValueId: Hash;
};

export interface L1Endpoint {
  readonly url: string;
  chainId(): Promise<bigint>;
  finalized(): Promise<L1Block>;
  blockAt(number: bigint): Promise<L1Block>;
  countersAt(number: bigint): Promise<PegCounters>;
  readonly client: PublicClient;
}

const toL1Block = (block: { number: bigint | null; hash: string | null; timestamp: bigint }): L1Block => {
  if (block.number === null) throw new Error('expected a mined block, found a pending one');
  return { number: block.number, hash: parseHash(block.hash), timestamp: block.timestamp };
};

export const createL1Endpoint = (
  url: string,
  addresses: Pick<L1Addresses, 'vault' | 'verifier'>,
  timeoutMs: number,
): L1Endpoint => {
  const client = createPublicClient({ transport: http(url, { retryCount: 0, timeout: timeoutMs }) });
  const vault = { address: getAddress(addresses.vault), abi: pegVaultAbi } as const;
  const verifier = { address: getAddress(addresses.verifier), abi: pegVerifierAbi } as const;
  return {
    url,
    client,
    chainId: async () => BigInt(await client.getChainId()),
    finalized: async () => toL1Block(await client.getBlock({ blockTag: 'finalized' })),
    blockAt: async (blockNumber) => {
      const block = toL1Block(await client.getBlock({ blockNumber }));
      if (block.number !== blockNumber)
        throw new Error(
          `expected block ${blockNumber} from ${endpointName(url)}, found block ${block.number}`,
        );
      return block;
    },
    countersAt: async (blockNumber) => {
      const [depositCount, depositHash, latestHeight, latestValueId] = await Promise.all([
        client.readContract({ ...vault, functionName: 'depositCount', blockNumber }),
        client.readContract({ ...vault, functionName: 'depositHash', blockNumber }),
        client.readContract({ ...verifier, functionName: 'latestHeight', blockNumber }),
        client.readContract({ ...verifier, functionName: 'latestValueId', blockNumber }),
      ]);
      return {
        depositCount,
        depositHash: parseHash(depositHash),
        latestHeight,
        latestValueId: parseHash(latestValueId),
      };
    },
  };
};

/** An endpoint as a log may name it: without a path, where providers put their API keys. */
export const endpointName = (url: string): string => {
  try {
    return new URL(url).host;
  } catch {
    return 'an endpoint with a malformed URL';
  }
};
