/** Ether from the L1 to the sidechain: lock it in the vault, then follow it until it is credited. */
import { encodeFunctionData, getAddress, type Hex, type LocalAccount, parseEventLogs } from 'viem';
import { CrossingError } from '#bridge/user/errors.ts';
import type { Peg } from '#bridge/user/peg.ts';
import { findNewestEvent } from '#bridge/user/pegEvents.ts';
import { receiptOf, type StepRecord, sendOnce } from '#bridge/user/steps.ts';
import { until, type WaitOptions } from '#bridge/user/waiting.ts';
import { type Address, type Hash, parseAddress, parseHash } from '#consensus/primitives.ts';

export type Deposited = {
  readonly l1Tx: Hash;
  readonly l1Block: bigint;
  readonly nonce: bigint;
  readonly recipient: Address;
  readonly amountWei: bigint;
};

/** @throws CrossingError REFUSED, REVERTED, TIMED_OUT; what the L1 refuses */
export const depositEth = async (
  peg: Peg,
  request: {
    readonly account: LocalAccount;
    readonly recipient: Address;
    readonly amountWei: bigint;
    readonly record: StepRecord;
  } & WaitOptions,
): Promise<Deposited> => {
  const receipt = await sendOnce(
    peg.l1,
    request.account,
    request.record,
    'deposit',
    {
      to: peg.vault.address,
      value: request.amountWei,
      abi: peg.vault.abi,
      data: encodeFunctionData({
        abi: peg.vault.abi,
        functionName: 'deposit',
        args: [getAddress(request.recipient)],
      }),
    },
    { ...request, pollMs: peg.pollMs },
  );
  return (await depositsOf(peg, receipt.transactionHash))[0]!;
};

/** The deposits that an L1 transaction made. @throws CrossingError NOT_FOUND, NOT_A_CROSSING */
export const depositsOf = async (peg: Peg, l1Tx: Hex): Promise<readonly Deposited[]> => {
  const receipt = await receiptOf(peg.l1, l1Tx);
  if (receipt === null)
    throw new CrossingError(
      'NOT_FOUND',
      `expected ${l1Tx} in an L1 block, found none: it may still be pending`,
    );
  const logs = receipt.logs.filter(({ address }) => getAddress(address) === peg.vault.address);
  const events = parseEventLogs({ abi: peg.vault.abi, eventName: 'Deposited', logs });
  if (events.length === 0)
    throw new CrossingError('NOT_A_CROSSING', `expected a deposit into the vault in ${l1Tx}, found none`);
  return events.map(({ args }) => ({
    l1Tx: parseHash(receipt.transactionHash),
    l1Block: receipt.blockNumber,
    nonce: args.nonce,
    recipient: parseAddress(args.recipient),
    amountWei: args.amount,
  }));
};

export type DepositProgress =
  | { readonly stage: 'waitingForFinality'; readonly l1Block: bigint; readonly finalizedBlock: bigint }
  | { readonly stage: 'waitingForImport'; readonly nonce: bigint; readonly importedCount: bigint };

export type Imported = {
  readonly sidechainTx: Hash;
  readonly sidechainBlock: bigint;
  /** False: the recipient did not take it, and it is parked for it at the gateway. */
  readonly credited: boolean;
};

/** Where a deposit is on the sidechain; null: not there yet. */
export const findImport = async (peg: Peg, nonce: bigint): Promise<Imported | null> => {
  const importedCount = await peg.sidechain.readContract({ ...peg.gateway, functionName: 'importedCount' });
  if (importedCount <= nonce) return null;
  const event = await findNewestEvent(
    peg.sidechain,
    {
      contract: peg.gateway,
      eventName: 'Imported',
      fromBlock: 0n,
      toBlock: await peg.sidechain.getBlockNumber(),
      maxBlocks: peg.maxLogBlocks,
    },
    ({ args }) => args.nonce === nonce,
  );
  if (event === null) return null; // the head moved between the two reads
  return {
    sidechainTx: parseHash(event.transactionHash),
    sidechainBlock: event.blockNumber,
    credited: event.args.credited,
  };
};

/** Follows one deposit until the sidechain shows it. @throws CrossingError NOT_FOUND, NOT_A_CROSSING, TIMED_OUT */
export const followDeposit = async (
  peg: Peg,
  l1Tx: Hex,
  options: WaitOptions & { readonly onProgress?: (progress: DepositProgress) => void } = {},
): Promise<Deposited & Imported> => {
  const deposited = (await depositsOf(peg, l1Tx))[0]!;
  const { nonce, l1Block } = deposited;
  const imported = await until(`deposit ${nonce} on the sidechain`, peg.pollMs, options, async () => {
    const found = await findImport(peg, nonce);
    if (found === null) options.onProgress?.(await depositProgress(peg, nonce, l1Block));
    return found;
  });
  return { ...deposited, ...imported };
};

export const depositProgress = async (peg: Peg, nonce: bigint, l1Block: bigint): Promise<DepositProgress> => {
  const { number: finalizedBlock } = await peg.l1.getBlock({ blockTag: 'finalized' });
  if (finalizedBlock < l1Block) return { stage: 'waitingForFinality', l1Block, finalizedBlock };
  const importedCount = await peg.sidechain.readContract({ ...peg.gateway, functionName: 'importedCount' });
  return { stage: 'waitingForImport', nonce, importedCount };
};
