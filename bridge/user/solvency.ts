/**
 * Is every ether of the sidechain locked on the L1? Counted from events, compared with the contracts' own books.
 *
 * Owns the comparison: locked (the vault) = circulating (the gateway's counters) + in flight (deposits not yet
 * imported and burns not yet claimed, summed from events). Both sides come from independent sources, so equality
 * says something. The sidechain's block is chosen first, then a final L1 block read after it: whatever the first
 * had imported, the second has.
 */
import type { Peg } from '#bridge/user/peg.ts';
import { readEvents } from '#bridge/user/pegEvents.ts';

export type Solvency = {
  readonly lockedWei: bigint;
  readonly circulatingWei: bigint;
  readonly inFlightWei: bigint;
  /** lockedWei = circulatingWei + inFlightWei. */
  readonly balanced: boolean;
  readonly l1Block: bigint;
  readonly sidechainBlock: bigint;
};

export type SolvencyBlocks = {
  /** The newest final block by default. */
  readonly l1Block?: bigint;
  /** The head by default. */
  readonly sidechainBlock?: bigint;
};

const ETHER = '0x0000000000000000000000000000000000000000';

export const solvency = async (peg: Peg, blocks: SolvencyBlocks = {}): Promise<Solvency> => {
  const sidechainBlock = blocks.sidechainBlock ?? (await peg.sidechain.getBlockNumber());
  const atSidechain = { ...peg.gateway, blockNumber: sidechainBlock } as const;
  const [mintedWei, burnedWei, importedCount] = await Promise.all([
    peg.sidechain.readContract({ ...atSidechain, functionName: 'mintedWei' }),
    peg.sidechain.readContract({ ...atSidechain, functionName: 'burnedWei' }),
    peg.sidechain.readContract({ ...atSidechain, functionName: 'importedCount' }),
  ]);
  const l1Block = blocks.l1Block ?? (await peg.l1.getBlock({ blockTag: 'finalized' })).number;
  const lockedWei = await peg.l1.readContract({
    ...peg.vault,
    functionName: 'locked',
    args: [ETHER],
    blockNumber: l1Block,
  });

  const onL1 = {
    contract: peg.vault,
    fromBlock: peg.fromL1Block,
    toBlock: l1Block,
    maxBlocks: peg.maxLogBlocks,
  };
  const [deposits, claims, burns] = await Promise.all([
    readEvents(peg.l1, { ...onL1, eventName: 'Deposited' }),
    readEvents(peg.l1, { ...onL1, eventName: 'Claimed' }),
    readEvents(peg.sidechain, {
      contract: peg.gateway,
      eventName: 'Burned',
      fromBlock: 0n,
      toBlock: sidechainBlock,
      maxBlocks: peg.maxLogBlocks,
    }),
  ]);
  const claimed = new Set(claims.map(({ args }) => args.index));
  const unimportedWei = sumOf(
    deposits.filter(({ args }) => args.token === ETHER && args.nonce >= importedCount),
  );
  const unclaimedWei = sumOf(burns.filter(({ args }) => args.token === ETHER && !claimed.has(args.nonce)));
  const circulatingWei = mintedWei - burnedWei;
  const inFlightWei = unimportedWei + unclaimedWei;
  return {
    lockedWei,
    circulatingWei,
    inFlightWei,
    balanced: lockedWei === circulatingWei + inFlightWei,
    l1Block,
    sidechainBlock,
  };
};

const sumOf = (events: readonly { readonly args: { readonly amount: bigint } }[]): bigint =>
  events.reduce((sum, { args }) => sum + args.amount, 0n);
