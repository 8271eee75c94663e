/**
 * Sends this relayer's L1 transactions: one unmined at a time, recorded before broadcast, repriced when stuck.
 *
 * Owns nonces, fees and repetition. Invariants: every raw transaction is durable before it is broadcast; a nonce
 * whose transaction is not mined is used again (a replacement), never skipped, so that nothing queues behind a gap;
 * the chain is asked for the nonce each time, so that one used from outside only costs a look. Does not own what is
 * sent or when it is pointless (checkpointSubmitter.ts); double effects are excluded by the verifier, not here.
 */
import {
  type Hex,
  keccak256,
  type LocalAccount,
  type PublicClient,
  parseTransaction,
  TransactionNotFoundError,
  type Address as ViemAddress,
} from 'viem';
import { type Clock, describeFault, type Logger } from '#bridge/l1/ports.ts';
import type { RelayerLog } from '#bridge/relayer/records.ts';
import { parseHash } from '#consensus/primitives.ts';

export type L1FeeOptions = {
  /** Never bid more per gas; at the cap the sender keeps broadcasting until the price falls. */
  readonly maxFeePerGasWei: bigint;
  readonly priorityFeeWei: bigint;
  /** A transaction unmined for this long is repriced. */
  readonly bumpAfterMs: number;
};

export type L1Call = { readonly to: ViemAddress; readonly data: Hex; readonly gas: bigint };

export type UnminedTransaction = {
  readonly nonce: number;
  /** The checkpoint height it carries; null for a no-op. */
  readonly height: bigint | null;
};

export interface L1Sender {
  /** Looks at the chain, settles what is final. @returns the unmined transaction, if there is one */
  refresh(): Promise<UnminedTransaction | null>;
  /** Sends a checkpoint, in place of an unmined transaction of ours if there is one. */
  send(height: bigint, call: L1Call): Promise<void>;
  /** Broadcasts the unmined transaction again, repriced when it is stuck. */
  nudge(): Promise<void>;
  /** The unmined transaction has lost its purpose: forgotten if no node knows it, made a no-op if it is stuck. */
  withdraw(): Promise<void>;
}

type Fees = { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint };

const NOOP_GAS = 21_000n;
/** Nodes ask for 10% more; geth's rule, with a margin. */
const bumped = (wei: bigint): bigint => (wei * 1_125n) / 1_000n + 1n;
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);

export const createL1Sender = (
  fees: L1FeeOptions,
  modules: {
    readonly client: PublicClient;
    readonly chainId: bigint;
    readonly account: LocalAccount;
    readonly log: RelayerLog;
    readonly clock: Clock;
    readonly logger: Logger;
  },
): L1Sender => {
  const { client, account, log, clock, logger } = modules;
  const { address } = account;
  let nextNonce = 0;
  /** When the newest attempt of a nonce was broadcast in this life. */
  const broadcastMs = new Map<number, number>();

  const marketFees = async (): Promise<Fees> => {
    const { baseFeePerGas } = await client.getBlock({ blockTag: 'latest' });
    const wanted = 2n * (baseFeePerGas ?? 0n) + fees.priorityFeeWei;
    const maxFeePerGas = wanted < fees.maxFeePerGasWei ? wanted : fees.maxFeePerGasWei;
    return {
      maxFeePerGas,
      maxPriorityFeePerGas: fees.priorityFeeWei < maxFeePerGas ? fees.priorityFeeWei : maxFeePerGas,
    };
  };

  const attemptsAt = (nonce: number) => log.memory.l1.get(nonce) ?? [];
  const newestAt = (nonce: number) => attemptsAt(nonce).at(-1) ?? null;

  const broadcast = async (nonce: number): Promise<void> => {
    const attempt = newestAt(nonce);
    if (attempt === null) return;
    broadcastMs.set(nonce, clock.nowMs());
    try {
      await client.sendRawTransaction({ serializedTransaction: attempt.raw });
      logger.info({ nonce, height: attempt.height, hash: attempt.hash }, 'sent to the L1');
    } catch (fault) {
      const reason = describeFault(fault);
      if (/already known|already imported|known transaction/i.test(reason)) return;
      logger.warn(
        { nonce, height: attempt.height, hash: attempt.hash, reason },
        'the L1 did not take a transaction; it is tried again',
      );
    }
  };

  /** Fees that replace everything tried under this nonce, or null when the cap is in the way. */
  const replacementFees = async (nonce: number): Promise<Fees | null> => {
    const market = await marketFees();
    const tried = newestAt(nonce);
    if (tried === null) return market;
    const before = parseTransaction(tried.raw);
    const maxPriorityFeePerGas = max(bumped(before.maxPriorityFeePerGas ?? 0n), market.maxPriorityFeePerGas);
    const maxFeePerGas = max(bumped(before.maxFeePerGas ?? 0n), market.maxFeePerGas);
    if (maxFeePerGas > fees.maxFeePerGasWei) return null;
    return { maxFeePerGas, maxPriorityFeePerGas };
  };

  const attempt = async (nonce: number, height: bigint | null, call: L1Call, price: Fees): Promise<void> => {
    const raw = await account.signTransaction({
      type: 'eip1559',
      chainId: Number(modules.chainId),
      nonce,
      value: 0n,
      ...call,
      ...price,
    });
    await log.record({
      t: 'l1Attempt',
      nonce,
      height: height === null ? null : String(height),
      hash: parseHash(keccak256(raw)),
      raw,
    });
    await broadcast(nonce);
  };

  const isKnown = async (nonce: number): Promise<boolean> => {
    for (const { hash } of attemptsAt(nonce)) {
      const found = await client.getTransaction({ hash }).catch((fault: unknown) => {
        if (fault instanceof TransactionNotFoundError) return null;
        throw fault;
      });
      if (found !== null) return true;
    }
    return false;
  };

  const unminedNonce = (): number | null => (attemptsAt(nextNonce).length > 0 ? nextNonce : null);

  return {
    refresh: async () => {
      const [latest, final] = await Promise.all([
        client.getTransactionCount({ address, blockTag: 'latest' }),
        client.getTransactionCount({ address, blockTag: 'finalized' }),
      ]);
      nextNonce = latest;
      for (const nonce of [...log.memory.l1.keys()])
        if (nonce < final) {
          await log.record({ t: 'l1Settled', nonce });
          broadcastMs.delete(nonce);
        }
      const nonce = unminedNonce();
      return nonce === null ? null : { nonce, height: newestAt(nonce)!.height };
    },
    send: async (height, call) => {
      const nonce = unminedNonce() ?? nextNonce;
      const price = await replacementFees(nonce);
      if (price === null) await broadcast(nonce);
      else await attempt(nonce, height, call, price);
    },
    nudge: async () => {
      const nonce = unminedNonce();
      if (nonce === null) return;
      const sentMs = broadcastMs.get(nonce);
      if (sentMs === undefined) return broadcast(nonce); // known from an earlier life
      if (clock.nowMs() - sentMs < fees.bumpAfterMs) return;
      const price = await replacementFees(nonce);
      if (price === null) return broadcast(nonce);
      const newest = newestAt(nonce)!;
      const { to, data, gas } = parseTransaction(newest.raw);
      logger.warn({ nonce, height: newest.height, ...stringified(price) }, 'stuck on the L1: repriced');
      await attempt(nonce, newest.height, { to: to!, data: data ?? '0x', gas: gas! }, price);
    },
    withdraw: async () => {
      const nonce = unminedNonce();
      if (nonce === null) return;
      const sentMs = broadcastMs.get(nonce);
      if (sentMs === undefined) broadcastMs.set(nonce, clock.nowMs());
      else if (clock.nowMs() - sentMs < fees.bumpAfterMs) return;
      if (!(await isKnown(nonce))) return log.record({ t: 'l1Settled', nonce });
      if (sentMs === undefined) return;
      const price = await replacementFees(nonce);
      if (price === null) return broadcast(nonce);
      await attempt(nonce, null, { to: address, data: '0x', gas: NOOP_GAS }, price);
    },
  };
};

const stringified = ({ maxFeePerGas, maxPriorityFeePerGas }: Fees) => ({
  maxFeePerGasWei: String(maxFeePerGas),
  maxPriorityFeePerGasWei: String(maxPriorityFeePerGas),
});
