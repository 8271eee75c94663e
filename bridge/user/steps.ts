/**
 * Transactions that are sent once, whatever happens in between: recorded before broadcast, asked for before resent.
 *
 * Owns the crossing journal and `sendOnce`. Invariants: the raw transaction is durable before it leaves; a step that
 * has one is never signed again while that one can still be mined; the chain decides what has happened.
 */
import {
  type Abi,
  type Address,
  BaseError,
  decodeErrorResult,
  type Hex,
  isHex,
  keccak256,
  type LocalAccount,
  type PublicClient,
  type TransactionReceipt,
  TransactionReceiptNotFoundError,
} from 'viem';
import { describeFault } from '#bridge/l1/ports.ts';
import { type Journal, openJournal } from '#bridge/relayer/journal.ts';
import { CrossingError } from '#bridge/user/errors.ts';
import { until, type WaitOptions } from '#bridge/user/waiting.ts';

export type CrossingEntry =
  /** A crossing begins; `details` is the caller's, so that it can be resumed from the journal alone. */
  | { t: 'opened'; id: string; details: Readonly<Record<string, string>> }
  | { t: 'sent'; id: string; step: string; nonce: number; hash: Hex; raw: Hex }
  | { t: 'closed'; id: string };

export type SentStep = { readonly nonce: number; readonly hash: Hex; readonly raw: Hex };

export interface CrossingJournal {
  open(id: string, details: Readonly<Record<string, string>>): Promise<void>;
  close(id: string): Promise<void>;
  /** Crossings opened and not closed, oldest first. */
  unfinished(): readonly { readonly id: string; readonly details: Readonly<Record<string, string>> }[];
  sent(id: string, step: string): readonly SentStep[];
  /** False: nothing of it was ever signed, so nothing of it can happen. */
  hasSent(id: string): boolean;
  record(id: string, step: string, sent: SentStep): Promise<void>;
  /** Ends the use of the file. */
  end(): Promise<void>;
}

const createCrossingJournal = (journal: Journal<CrossingEntry>): CrossingJournal => {
  const opened = new Map<string, Readonly<Record<string, string>>>();
  const steps = new Map<string, SentStep[]>();
  const keyOf = (id: string, step: string): string => `${id}\n${step}`;
  const apply = (entry: CrossingEntry): void => {
    if (entry.t === 'opened') opened.set(entry.id, entry.details);
    else if (entry.t === 'closed') opened.delete(entry.id);
    else {
      const { id, step, nonce, hash, raw } = entry;
      const known = steps.get(keyOf(id, step)) ?? [];
      steps.set(keyOf(id, step), [...known, { nonce, hash, raw }]);
    }
  };
  const append = async (entry: CrossingEntry): Promise<void> => {
    await journal.append(entry);
    apply(entry);
  };
  journal.entries.forEach(apply);
  return {
    open: async (id, details) => {
      if (!opened.has(id)) await append({ t: 'opened', id, details });
    },
    close: (id) => append({ t: 'closed', id }),
    unfinished: () => [...opened].map(([id, details]) => ({ id, details })),
    sent: (id, step) => steps.get(keyOf(id, step)) ?? [],
    hasSent: (id) => [...steps.keys()].some((key) => key.startsWith(keyOf(id, ''))),
    record: (id, step, sent) => append({ t: 'sent', id, step, ...sent }),
    end: () => journal.close(),
  };
};

/** @throws JournalError DAMAGED */
export const openCrossingJournal = async (path: string): Promise<CrossingJournal> =>
  createCrossingJournal(await openJournal<CrossingEntry>(path));

/** For one-off commands whose transaction hash the user keeps. */
export const createMemoryCrossingJournal = (): CrossingJournal =>
  createCrossingJournal({ entries: [], append: async () => undefined, close: async () => undefined });

/** @param abi names the errors with which the contract refuses */
export type StepCall = {
  readonly to: Address;
  readonly data: Hex;
  readonly value: bigint;
  readonly abi?: Abi;
};

/** Where a step is recorded; `id` names the crossing. */
export type StepRecord = { readonly journal: CrossingJournal; readonly id: string };

const GAS_MARGIN_PERCENT = 125n;

/** Null: not in a block of this chain. */
export const receiptOf = async (client: PublicClient, hash: Hex): Promise<TransactionReceipt | null> => {
  try {
    return await client.getTransactionReceipt({ hash });
  } catch (fault) {
    if (fault instanceof TransactionReceiptNotFoundError) return null;
    throw fault;
  }
};

const minedReceipt = async (
  client: PublicClient,
  attempts: readonly SentStep[],
): Promise<TransactionReceipt | null> => {
  for (const { hash } of attempts) {
    const receipt = await receiptOf(client, hash);
    if (receipt !== null) return receipt;
  }
  return null;
};

/** The contract's own error in a refused estimation, as its name and fields; null: the fault is another. */
const namedRevert = (fault: unknown, abi: Abi): string | null => {
  if (!(fault instanceof BaseError)) return null;
  const carrier = fault.walk((cause) => isHex((cause as { data?: unknown }).data)) as { data: Hex } | null;
  if (carrier === null) return null;
  try {
    const { errorName, abiItem, args = [] } = decodeErrorResult({ abi, data: carrier.data });
    const fields = (args as readonly unknown[]).map((value, place) =>
      `${abiItem.type === 'error' ? (abiItem.inputs[place]?.name ?? '') : ''} ${value}`.trim(),
    );
    return `${errorName}(${fields.join(', ')})`;
  } catch {
    return null;
  }
};

const broadcast = async (client: PublicClient, raw: Hex): Promise<void> => {
  try {
    await client.sendRawTransaction({ serializedTransaction: raw });
  } catch (fault) {
    // It may be there already, or mined meanwhile: the receipt decides. Any other refusal is the caller's to see.
    if (!/already known|already imported|known transaction|nonce too low/i.test(describeFault(fault)))
      throw fault;
  }
};

/**
 * Sends the call and waits until it is in a block; resumes where an earlier life of this step stopped.
 * @throws CrossingError REFUSED, REVERTED, TIMED_OUT; what the chain refuses
 */
export const sendOnce = async (
  client: PublicClient,
  account: LocalAccount,
  { journal, id }: StepRecord,
  step: string,
  { abi = [], ...call }: StepCall,
  wait: WaitOptions & { readonly pollMs: number },
): Promise<TransactionReceipt> => {
  const { address } = account;

  /** True when a recorded transaction can still be mined. */
  const isAlive = async (): Promise<boolean> => {
    const newest = journal.sent(id, step).at(-1);
    if (newest === undefined) return false;
    return (await client.getTransactionCount({ address, blockTag: 'latest' })) <= newest.nonce;
  };

  const estimateGas = async (): Promise<bigint> => {
    try {
      return await client.estimateGas({ account: address, ...call });
    } catch (fault) {
      const refusal = namedRevert(fault, abi);
      if (refusal === null) throw fault;
      throw new CrossingError(
        'REFUSED',
        `expected the contract to accept the ${step}, found that it refuses: ${refusal}; nothing was sent`,
      );
    }
  };

  const sign = async (): Promise<void> => {
    const [chainId, nonce, fees, gas] = await Promise.all([
      client.getChainId(),
      client.getTransactionCount({ address, blockTag: 'pending' }),
      client.estimateFeesPerGas(),
      estimateGas(),
    ]);
    const raw = await account.signTransaction({
      type: 'eip1559',
      chainId,
      nonce,
      ...call,
      maxFeePerGas: fees.maxFeePerGas,
      maxPriorityFeePerGas: fees.maxPriorityFeePerGas,
      gas: (gas * GAS_MARGIN_PERCENT) / 100n,
    });
    await journal.record(id, step, { nonce, hash: keccak256(raw), raw });
  };

  const receipt = await until(`${step} in a block`, wait.pollMs, wait, async () => {
    const alive = await isAlive(); // asked before the receipt: a nonce used by our own transaction then shows its receipt
    const mined = await minedReceipt(client, journal.sent(id, step));
    if (mined !== null) return mined;
    if (!alive) await sign();
    await broadcast(client, journal.sent(id, step).at(-1)!.raw);
    return null;
  });
  if (receipt.status === 'reverted')
    throw new CrossingError(
      'REVERTED',
      `expected ${step} to succeed, found it reverted in block ${receipt.blockNumber} (${receipt.transactionHash}): nothing moved`,
    );
  return receipt;
};
