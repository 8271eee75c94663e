/**
 * Ether from the sidechain to the L1: burn it, wait until a checkpoint covers the burn, claim it by proof.
 *
 * Owns the proof: built from the sidechain's own Burned events and checked here against a root that PegVerifier has
 * accepted, so that an endpoint which hides or invents events is found out before any gas is spent.
 */
import { encodeFunctionData, getAddress, type Hex, type LocalAccount, parseEventLogs } from 'viem';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { type Leaf, type LeafContext, leafHash } from '#bridge/encoding/leaf.ts';
import { outboxProof } from '#bridge/encoding/outboxTree.ts';
import { CrossingError } from '#bridge/user/errors.ts';
import type { Peg } from '#bridge/user/peg.ts';
import { findNewestEvent, readEvents } from '#bridge/user/pegEvents.ts';
import { receiptOf, type StepRecord, sendOnce } from '#bridge/user/steps.ts';
import { until, type WaitOptions } from '#bridge/user/waiting.ts';
import { type Address, type Hash, parseAddress, parseHash } from '#consensus/primitives.ts';

export type Burned = {
  readonly burnTx: Hash;
  readonly sidechainBlock: bigint;
  /** Place in the outbox tree. */
  readonly index: bigint;
  readonly leaf: Leaf;
};

export type Claim = {
  readonly leaf: Leaf;
  readonly index: bigint;
  /** 32 siblings, from the leaf's level upwards. */
  readonly proof: readonly Hash[];
  readonly outboxRoot: Hash;
};

type BurnedArgs = {
  readonly kind: number;
  readonly nonce: bigint;
  readonly token: string;
  readonly sender: string;
  readonly recipient: string;
  readonly amount: bigint;
  readonly fee: bigint;
  readonly dataHash: string;
};

export const burnedToLeaf = (args: BurnedArgs): Leaf => ({
  kind: args.kind,
  nonce: args.nonce,
  token: parseAddress(args.token),
  sender: parseAddress(args.sender),
  recipient: parseAddress(args.recipient),
  amount: args.amount,
  fee: args.fee,
  dataHash: parseHash(args.dataHash),
});

const withdrawalContext = (peg: Peg): LeafContext => ({
  srcChainId: peg.sidechainId,
  dstChainId: peg.l1ChainId,
  srcBridge: PEG_GATEWAY,
  dstBridge: peg.addresses.vault,
});

/** @throws CrossingError REFUSED, REVERTED, TIMED_OUT; what the sidechain refuses */
export const withdrawEth = async (
  peg: Peg,
  request: {
    readonly account: LocalAccount;
    readonly recipient: Address;
    readonly amountWei: bigint;
    readonly record: StepRecord;
  } & WaitOptions,
): Promise<Burned> => {
  const receipt = await sendOnce(
    peg.sidechain,
    request.account,
    request.record,
    'burn',
    {
      to: peg.gateway.address,
      value: request.amountWei,
      abi: peg.gateway.abi,
      data: encodeFunctionData({
        abi: peg.gateway.abi,
        functionName: 'withdraw',
        args: [getAddress(request.recipient)],
      }),
    },
    { ...request, pollMs: peg.pollMs },
  );
  return (await burnsOf(peg, receipt.transactionHash))[0]!;
};

/** The burns that a sidechain transaction made. @throws CrossingError NOT_FOUND, NOT_A_CROSSING */
export const burnsOf = async (peg: Peg, burnTx: Hex): Promise<readonly Burned[]> => {
  const receipt = await receiptOf(peg.sidechain, burnTx);
  if (receipt === null)
    throw new CrossingError(
      'NOT_FOUND',
      `expected ${burnTx} in a sidechain block, found none: it may still be pending`,
    );
  const logs = receipt.logs.filter(({ address }) => getAddress(address) === peg.gateway.address);
  const events = parseEventLogs({ abi: peg.gateway.abi, eventName: 'Burned', logs });
  if (events.length === 0)
    throw new CrossingError('NOT_A_CROSSING', `expected a withdrawal in ${burnTx}, found none`);
  return events.map(({ args }) => ({
    burnTx: parseHash(receipt.transactionHash),
    sidechainBlock: receipt.blockNumber,
    index: args.nonce,
    leaf: burnedToLeaf(args),
  }));
};

/** One burn of a transaction. @throws CrossingError SEVERAL_WITHDRAWALS when the index is needed */
const burnOf = async (peg: Peg, burnTx: Hex, index?: bigint): Promise<Burned> => {
  const burns = await burnsOf(peg, burnTx);
  const chosen = index === undefined ? burns : burns.filter((burn) => burn.index === index);
  if (chosen.length === 1) return chosen[0]!;
  throw new CrossingError(
    'SEVERAL_WITHDRAWALS',
    `expected one withdrawal in ${burnTx}, found ${burns.map((burn) => burn.index).join(', ')}: name the index`,
  );
};

export type AcceptedRoot = { readonly root: Hash; readonly count: bigint; readonly height: bigint };

/** The newest outbox root that PegVerifier has accepted; null before the first checkpoint. */
export const newestAcceptedRoot = async (peg: Peg): Promise<AcceptedRoot | null> => {
  const latestHeight = await peg.l1.readContract({ ...peg.verifier, functionName: 'latestHeight' });
  if (latestHeight === 0n) return null;
  const event = await findNewestEvent(peg.l1, {
    contract: peg.verifier,
    eventName: 'CheckpointAccepted',
    fromBlock: peg.fromL1Block,
    toBlock: await peg.l1.getBlockNumber(),
    maxBlocks: peg.maxLogBlocks,
  });
  if (event === null) return null;
  const { outboxRoot, outboxCount, height } = event.args;
  return { root: parseHash(outboxRoot), count: outboxCount, height };
};

export type ClaimOutcome =
  | { readonly state: 'ready'; readonly claim: Claim }
  /** No accepted checkpoint covers the burn yet. */
  | {
      readonly state: 'waiting';
      readonly index: bigint;
      readonly burnHeight: bigint;
      readonly anchoredHeight: bigint;
    };

/**
 * The proof for a burn, against the newest accepted root.
 * @param index which withdrawal, when the transaction made several
 * @throws CrossingError NOT_FOUND, NOT_A_CROSSING, SEVERAL_WITHDRAWALS, ROOT_MISMATCH
 */
export const buildClaim = async (peg: Peg, burnTx: Hex, index?: bigint): Promise<ClaimOutcome> => {
  const burned = await burnOf(peg, burnTx, index);
  const accepted = await newestAcceptedRoot(peg);
  if (accepted === null || accepted.count <= burned.index)
    return {
      state: 'waiting',
      index: burned.index,
      burnHeight: burned.sidechainBlock,
      anchoredHeight: accepted?.height ?? 0n,
    };
  const count = Number(accepted.count);
  const events = await readEvents(
    peg.sidechain,
    {
      contract: peg.gateway,
      eventName: 'Burned',
      fromBlock: 0n,
      toBlock: accepted.height,
      maxBlocks: peg.maxLogBlocks,
    },
    (found) => found >= count,
  );
  const context = withdrawalContext(peg);
  const leaves = events.slice(0, count).map(({ args }) => leafHash(context, burnedToLeaf(args)));
  const isWhole = leaves.length === count && events.every(({ args }, place) => args.nonce === BigInt(place));
  const proof = isWhole ? outboxProof(leaves, Number(burned.index), count) : null;
  if (proof === null || proof.root !== accepted.root || proof.leaf !== leafHash(context, burned.leaf))
    throw new CrossingError(
      'ROOT_MISMATCH',
      `expected the sidechain's ${count} withdrawals to lead to the accepted root ${accepted.root}, found ${leaves.length} that do not: this endpoint hides or invents events; ask another`,
    );
  return {
    state: 'ready',
    claim: { leaf: burned.leaf, index: burned.index, proof: proof.siblings, outboxRoot: accepted.root },
  };
};

export type WithdrawalProgress = {
  readonly stage: 'waitingForCheckpoint';
  readonly burnHeight: bigint;
  readonly anchoredHeight: bigint;
};

/** Waits until a checkpoint covers the burn. @throws as buildClaim; CrossingError TIMED_OUT */
export const waitForClaim = (
  peg: Peg,
  burnTx: Hex,
  options: WaitOptions & {
    readonly index?: bigint;
    readonly onProgress?: (progress: WithdrawalProgress) => void;
  } = {},
): Promise<Claim> =>
  until('a checkpoint on the L1 that covers the withdrawal', peg.pollMs, options, async () => {
    const outcome = await buildClaim(peg, burnTx, options.index);
    if (outcome.state === 'ready') return outcome.claim;
    const { burnHeight, anchoredHeight } = outcome;
    options.onProgress?.({ stage: 'waitingForCheckpoint', burnHeight, anchoredHeight });
    return null;
  });

export type Claimed = {
  readonly claimTx: Hash;
  readonly l1Block: bigint;
  readonly recipient: Address;
  readonly amountWei: bigint;
};

/** The claim of a withdrawal, by whoever made it; null: not claimed. */
export const findClaimed = async (peg: Peg, index: bigint): Promise<Claimed | null> => {
  if (!(await peg.l1.readContract({ ...peg.vault, functionName: 'isClaimed', args: [index] }))) return null;
  const event = await findNewestEvent(
    peg.l1,
    {
      contract: peg.vault,
      eventName: 'Claimed',
      fromBlock: peg.fromL1Block,
      toBlock: await peg.l1.getBlockNumber(),
      maxBlocks: peg.maxLogBlocks,
    },
    ({ args }) => args.index === index,
  );
  if (event === null) return null;
  return {
    claimTx: parseHash(event.transactionHash),
    l1Block: event.blockNumber,
    recipient: parseAddress(event.args.recipient),
    amountWei: event.args.amount,
  };
};

/** The vault's enum, by its numbers. */
const OUTLOOKS = ['pays', 'queues', 'queued', 'vetoed', 'paused', 'claimed'] as const;

/** @property until when that ends, seconds; 0n where there is nothing to wait for */
export type ClaimOutlook = { readonly outlook: (typeof OUTLOOKS)[number]; readonly until: bigint };

/** What claiming this leaf would do now, its proof being good. */
export const previewClaim = async (peg: Peg, leaf: Leaf): Promise<ClaimOutlook> => {
  const [outlook, until] = await peg.l1.readContract({
    ...peg.vault,
    functionName: 'previewClaim',
    args: [leaf],
  });
  return { outlook: OUTLOOKS[outlook]!, until };
};

const requireNotHeld = ({ outlook, until: seconds }: ClaimOutlook): void => {
  const time = new Date(Number(seconds) * 1_000).toISOString();
  if (outlook === 'queued')
    throw new CrossingError(
      'QUEUED',
      `expected a withdrawal within the limit, found one above it: it waits in the vault's queue; claim again after ${time}`,
    );
  if (outlook === 'paused')
    throw new CrossingError(
      'PAUSED',
      `expected an open vault, found it paused by a sentry: claim again after ${time}`,
    );
  if (outlook === 'vetoed')
    throw new CrossingError(
      'VETOED',
      seconds === UPHELD
        ? 'expected a withdrawal that nobody stopped, found its veto upheld by the council: ask the network’s governors'
        : `expected a withdrawal that nobody stopped, found a sentry's veto: it lapses at ${time} unless the council upholds it`,
    );
};

/** A veto without an end. */
const UPHELD = (1n << 64n) - 1n;

/**
 * Claims on the L1. Anyone may; the leaf's recipient is paid. A withdrawal that is claimed already, by whomever,
 * is a success: the answer is that claim.
 * @throws CrossingError QUEUED above the limit: it has its place in the queue now; PAUSED, VETOED; REFUSED, REVERTED,
 * TIMED_OUT; what the L1 refuses
 */
export const claim = async (
  peg: Peg,
  request: {
    readonly account: LocalAccount;
    readonly claim: Claim;
    readonly record: StepRecord;
  } & WaitOptions,
): Promise<Claimed> => {
  const { leaf, index, proof, outboxRoot } = request.claim;
  const already = await findClaimed(peg, index);
  if (already !== null) return already;
  requireNotHeld(await previewClaim(peg, leaf));
  const [queuedAt] = await peg.l1.readContract({
    ...peg.vault,
    functionName: 'holdOf',
    args: [leafHash(withdrawalContext(peg), leaf)],
  });
  try {
    await sendOnce(
      peg.l1,
      request.account,
      request.record,
      // The first may queue it; then there is a second.
      queuedAt === 0n ? 'claim' : 'claimQueued',
      {
        to: peg.vault.address,
        value: 0n,
        abi: peg.vault.abi,
        data: encodeFunctionData({
          abi: peg.vault.abi,
          functionName: 'claim',
          args: [leaf, index, proof as unknown as FixedProof, outboxRoot],
        }),
      },
      { ...request, pollMs: peg.pollMs },
    );
  } catch (fault) {
    const others = await findClaimed(peg, index); // somebody was faster
    if (others !== null) return others;
    throw fault;
  }
  return until('the claim in the vault', peg.pollMs, request, async () => {
    requireNotHeld(await previewClaim(peg, leaf));
    return findClaimed(peg, index);
  });
};

/** viem's type for bytes32[32]. */
type FixedProof = Parameters<typeof encodeFunctionData<Peg['vault']['abi'], 'claim'>>[0]['args'][2];
