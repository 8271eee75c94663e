/**
 * The first crossing, before the user's eyes: deposit → mint → transfer → burn → claim, journalled and resumable.
 *
 * Owns the order of the steps and what is shown. Each step is bridge/user's, recorded before it is broadcast, so
 * that an interrupted crossing completes exactly once. It is closed only when its claim is final on the L1: a claim
 * in a block that the L1 loses in a crash is broadcast again.
 */
import { bytesToHex as viemBytesToHex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { type DepositProgress, depositEth, followDeposit } from '#bridge/user/deposit.ts';
import type { Peg } from '#bridge/user/peg.ts';
import { type Solvency, solvency } from '#bridge/user/solvency.ts';
import { type CrossingJournal, sendOnce } from '#bridge/user/steps.ts';
import { until } from '#bridge/user/waiting.ts';
import {
  claim,
  findClaimed,
  type WithdrawalProgress,
  waitForClaim,
  withdrawEth,
} from '#bridge/user/withdrawal.ts';
import type { DevnetAccounts } from '#cli/devnet/accounts.ts';
import { formatEth, type Io } from '#cli/io.ts';
import type { Hash } from '#consensus/primitives.ts';

const ETHER = 10n ** 18n;
const DEPOSIT_WEI = ETHER;
const TRANSFER_WEI = ETHER / 4n;
const WITHDRAW_WEI = ETHER / 2n;

export type CrossingReport = {
  readonly deposit: { readonly l1Tx: Hash; readonly sidechainTx: Hash; readonly seconds: number };
  readonly transfer: { readonly tx: Hash; readonly seconds: number };
  readonly withdrawal: { readonly burnTx: Hash; readonly claimTx: Hash; readonly seconds: number };
  readonly solvency: {
    readonly lockedWei: bigint;
    readonly circulatingWei: bigint;
    readonly inFlightWei: bigint;
  };
};

type Amounts = { readonly depositWei: bigint; readonly transferWei: bigint; readonly withdrawWei: bigint };

export type CrossingInput = {
  readonly peg: Peg;
  readonly accounts: DevnetAccounts;
  readonly journal: CrossingJournal;
  readonly io: Io;
};

type OpenCrossing = Amounts & { readonly id: string; readonly resumed: boolean };

const openCrossing = async (journal: CrossingJournal): Promise<OpenCrossing> => {
  const [unfinished] = journal.unfinished();
  if (unfinished !== undefined) {
    const { depositWei, transferWei, withdrawWei } = unfinished.details;
    return {
      id: unfinished.id,
      depositWei: BigInt(depositWei!),
      transferWei: BigInt(transferWei!),
      withdrawWei: BigInt(withdrawWei!),
      resumed: true,
    };
  }
  const id = `devnet-${new Date().toISOString()}`;
  const amounts = { depositWei: DEPOSIT_WEI, transferWei: TRANSFER_WEI, withdrawWei: WITHDRAW_WEI };
  await journal.open(id, {
    depositWei: String(DEPOSIT_WEI),
    transferWei: String(TRANSFER_WEI),
    withdrawWei: String(WITHDRAW_WEI),
  });
  return { id, ...amounts, resumed: false };
};

/** Seconds with one decimal since `start`. */
const secondsSince = (start: number): number => Math.round((performance.now() - start) / 100) / 10;

const describeDeposit = (progress: DepositProgress): string =>
  progress.stage === 'waitingForFinality'
    ? `L1 block ${progress.l1Block} is not final yet (final: ${progress.finalizedBlock})`
    : `final on the L1; relayers attest, validators compare with their own view (imported so far: ${progress.importedCount})`;

const describeWithdrawal = ({ burnHeight, anchoredHeight }: WithdrawalProgress): string =>
  `burned in block ${burnHeight}; relayers sign the checkpoint and submit it (anchored: ${anchoredHeight})`;

/** Shows each state once. */
const createTicker = ({ progress, style }: Io): ((text: string) => void) => {
  let last = '';
  return (text) => {
    if (text !== last) progress(style('dim', `      … ${text}`));
    last = text;
  };
};

export const runCrossing = async ({ peg, accounts, journal, io }: CrossingInput): Promise<CrossingReport> => {
  const { signal } = io;
  const crossing = await openCrossing(journal);
  const { id, depositWei, transferWei, withdrawWei } = crossing;
  const record = { journal, id };
  const account = privateKeyToAccount(viemBytesToHex(accounts.traveller.privateKey));
  const recipient = accounts.traveller.address;
  const tick = createTicker(io);
  const done = (text: string): void => io.progress(`${io.style('green', '  ✓')} ${text}`);
  const step = (text: string, ...rest: readonly string[]): void =>
    done([text.padEnd(32), ...rest].join('  '));
  io.progress(
    io.style('bold', crossing.resumed ? 'The interrupted crossing goes on' : 'ETH crosses both ways'),
  );

  let start = performance.now();
  const deposited = await depositEth(peg, { account, recipient, amountWei: depositWei, record, signal });
  step(`deposited ${formatEth(depositWei)} on the L1`, deposited.l1Tx);
  const imported = await followDeposit(peg, deposited.l1Tx, {
    signal,
    onProgress: (progress) => tick(describeDeposit(progress)),
  });
  const deposit = { l1Tx: deposited.l1Tx, sidechainTx: imported.sidechainTx, seconds: secondsSince(start) };
  step('minted on the sidechain', deposit.sidechainTx, `${deposit.seconds} s`);

  start = performance.now();
  const transferred = await sendOnce(
    peg.sidechain,
    account,
    record,
    'transfer',
    { to: accounts.travellersFriend.address, data: '0x', value: transferWei },
    { signal, pollMs: peg.pollMs },
  );
  const transfer = { tx: transferred.transactionHash as Hash, seconds: secondsSince(start) };
  step(`transferred ${formatEth(transferWei)} there`, transfer.tx, `${transfer.seconds} s`);

  start = performance.now();
  const burned = await withdrawEth(peg, { account, recipient, amountWei: withdrawWei, record, signal });
  step(`burned ${formatEth(withdrawWei)} on the sidechain`, burned.burnTx);
  const proof = await waitForClaim(peg, burned.burnTx, {
    index: burned.index,
    signal,
    onProgress: (progress) => tick(describeWithdrawal(progress)),
  });
  const claimed = await claim(peg, { account, claim: proof, record, signal });
  const withdrawal = { burnTx: burned.burnTx, claimTx: claimed.claimTx, seconds: secondsSince(start) };
  step('claimed on the L1', withdrawal.claimTx, `${withdrawal.seconds} s`);

  await awaitFinalClaim(peg, burned.index, io, tick);
  const { lockedWei, circulatingWei, inFlightWei } = await balancedBooks(peg, io);
  done(
    `locked ${formatEth(lockedWei)} = circulating ${formatEth(circulatingWei)} + in flight ${formatEth(inFlightWei)}`,
  );
  await journal.close(id);
  return { deposit, transfer, withdrawal, solvency: { lockedWei, circulatingWei, inFlightWei } };
};

const awaitFinalClaim = async (
  peg: Peg,
  index: bigint,
  { signal }: Io,
  tick: (text: string) => void,
): Promise<void> => {
  await until('the claim at finality', peg.pollMs, { signal }, async () => {
    const [claimed, { number }] = await Promise.all([
      findClaimed(peg, index),
      peg.l1.getBlock({ blockTag: 'finalized' }),
    ]);
    if (claimed !== null && claimed.l1Block <= number) return true;
    tick(`the claim is not final yet (final: ${number})`);
    return null;
  });
};

/** Books of two chains are never read at one instant; whoever uses the devnet meanwhile moves them. */
const balancedBooks = (peg: Peg, { signal }: Io): Promise<Solvency> =>
  until('locked = circulating + in flight', peg.pollMs, { signal, timeoutMs: 60_000 }, async () => {
    const books = await solvency(peg);
    return books.balanced ? books : null;
  });
