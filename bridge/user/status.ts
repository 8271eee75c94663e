/** Where a crossing is, from the transaction hash alone, of either chain, and what comes next. */
import { type Hex, TransactionNotFoundError } from 'viem';
import { depositProgress, depositsOf, findImport } from '#bridge/user/deposit.ts';
import { CrossingError } from '#bridge/user/errors.ts';
import type { Peg } from '#bridge/user/peg.ts';
import { burnsOf, findClaimed, newestAcceptedRoot } from '#bridge/user/withdrawal.ts';
import type { Address, Hash } from '#consensus/primitives.ts';

export type CrossingStatus = {
  readonly direction: 'deposit' | 'withdrawal';
  /** The deposit's nonce, or the withdrawal's index. */
  readonly nonce: bigint;
  readonly recipient: Address;
  readonly amountWei: bigint;
  readonly stage:
    | 'waitingForFinality'
    | 'waitingForImport'
    | 'waitingForCheckpoint'
    | 'claimable'
    | 'parked'
    | 'done';
  readonly sourceTx: Hash;
  /** On the other chain, once there. */
  readonly destinationTx: Hash | null;
  /** For people. */
  readonly next: string;
};

/** All crossings that a transaction began. @throws CrossingError NOT_FOUND, NOT_A_CROSSING */
export const bridgeStatus = async (peg: Peg, hash: Hex): Promise<readonly CrossingStatus[]> => {
  const [onL1, onSidechain] = await Promise.all([
    depositsOf(peg, hash).catch(asAbsent),
    burnsOf(peg, hash).catch(asAbsent),
  ]);
  if (Array.isArray(onL1)) return Promise.all(onL1.map((deposit) => depositStatus(peg, deposit)));
  if (Array.isArray(onSidechain)) return Promise.all(onSidechain.map((burn) => withdrawalStatus(peg, burn)));
  if (onL1 === 'NOT_A_CROSSING' || onSidechain === 'NOT_A_CROSSING')
    throw new CrossingError(
      'NOT_A_CROSSING',
      `${hash} is in a block but neither deposits nor withdraws: give the hash of the deposit or of the burn`,
    );
  const [l1Pending, sidechainPending] = await Promise.all([
    isKnown(peg.l1, hash),
    isKnown(peg.sidechain, hash),
  ]);
  throw new CrossingError(
    'NOT_FOUND',
    l1Pending || sidechainPending
      ? `${hash} waits for a block of ${l1Pending ? 'the L1' : 'the sidechain'}: ask again in a moment`
      : `${hash} is on neither chain: check the hash and the endpoints`,
  );
};

type Deposit = Awaited<ReturnType<typeof depositsOf>>[number];
type Burn = Awaited<ReturnType<typeof burnsOf>>[number];

const asAbsent = (fault: unknown): 'NOT_FOUND' | 'NOT_A_CROSSING' => {
  if (fault instanceof CrossingError && (fault.code === 'NOT_FOUND' || fault.code === 'NOT_A_CROSSING'))
    return fault.code;
  throw fault;
};

const isKnown = async (client: Peg['l1'], hash: Hex): Promise<boolean> => {
  try {
    await client.getTransaction({ hash });
    return true;
  } catch (fault) {
    if (fault instanceof TransactionNotFoundError) return false;
    throw fault;
  }
};

const depositStatus = async (peg: Peg, deposit: Deposit): Promise<CrossingStatus> => {
  const { nonce, recipient, amountWei, l1Tx, l1Block } = deposit;
  const common = { direction: 'deposit', nonce, recipient, amountWei, sourceTx: l1Tx } as const;
  const imported = await findImport(peg, nonce);
  if (imported !== null)
    return {
      ...common,
      stage: imported.credited ? 'done' : 'parked',
      destinationTx: imported.sidechainTx,
      next: imported.credited
        ? 'credited on the sidechain'
        : 'the recipient did not take it: it can withdraw it from the gateway with withdrawParked',
    };
  const progress = await depositProgress(peg, nonce, l1Block);
  return {
    ...common,
    stage: progress.stage,
    destinationTx: null,
    next:
      progress.stage === 'waitingForFinality'
        ? `L1 block ${l1Block} must become final; block ${progress.finalizedBlock} is`
        : `relayers attest it and one of them imports it; ${progress.importedCount} deposits are imported`,
  };
};

const withdrawalStatus = async (peg: Peg, burn: Burn): Promise<CrossingStatus> => {
  const { index, leaf, burnTx, sidechainBlock } = burn;
  const common = {
    direction: 'withdrawal',
    nonce: index,
    recipient: leaf.recipient,
    amountWei: leaf.amount,
    sourceTx: burnTx,
  } as const;
  const claimed = await findClaimed(peg, index);
  if (claimed !== null)
    return { ...common, stage: 'done', destinationTx: claimed.claimTx, next: 'paid on the L1' };
  const accepted = await newestAcceptedRoot(peg);
  if (accepted !== null && accepted.count > index)
    return {
      ...common,
      stage: 'claimable',
      destinationTx: null,
      next: 'anyone may claim it on the L1: causeway bridge claim',
    };
  return {
    ...common,
    stage: 'waitingForCheckpoint',
    destinationTx: null,
    next: `a checkpoint of height ${sidechainBlock} or later must be accepted on the L1; height ${accepted?.height ?? 0n} is`,
  };
};
