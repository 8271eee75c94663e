/** A pool that admits whatever it can decode, unless the test has it refuse. */
import { type Hex, parseTransaction, recoverTransactionAddress, type TransactionSerialized } from 'viem';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { type Address, bytesToHex, type Hash, parseAddress } from '#consensus/primitives.ts';
import type { AdmissionCode, Mempool, PooledTransaction, PoolView } from '#node/mempool/mempool.ts';
import { largerOf } from '#node/rpc/bigints.ts';

export const createFakeMempool = () => {
  const transactions = new Map<Hash, PooledTransaction>();
  const listeners = new Set<(transaction: PooledTransaction) => void>();
  let refusal: { code: AdmissionCode; message: string } | null = null;

  const mempool: Mempool & PoolView = {
    async add(raw) {
      const hash = keccak256Hex(raw);
      if (refusal !== null) return { admitted: false, hash, ...refusal };
      if (transactions.has(hash))
        return { admitted: false, hash, code: 'ALREADY_KNOWN', message: 'already known' };
      const text: Hex = bytesToHex(raw);
      try {
        const { nonce, gas } = parseTransaction(text);
        const sender = parseAddress(
          await recoverTransactionAddress({ serializedTransaction: text as TransactionSerialized }),
        );
        const transaction = { hash, raw, sender, nonce: BigInt(nonce ?? 0), gasLimit: gas ?? 0n };
        transactions.set(hash, transaction);
        for (const listener of listeners) listener(transaction);
        return { admitted: true, hash };
      } catch {
        return { admitted: false, hash: null, code: 'UNDECODABLE', message: 'rlp: expected List' };
      }
    },
    pick: () => [],
    hasWork: () => transactions.size > 0,
    onWork: () => () => {},
    backOff: () => {},
    get: (hash) => transactions.get(hash) ?? null,
    pendingNonce: (sender: Address) => {
      const nonces = [...transactions.values()]
        .filter((transaction) => transaction.sender === sender)
        .map(({ nonce }) => nonce);
      return nonces.length === 0 ? null : nonces.reduce(largerOf) + 1n;
    },
    size: () => transactions.size,
    contents: (sender) => ({
      pending: [...transactions.values()].filter((one) => sender === undefined || one.sender === sender),
      queued: [],
    }),
    onAdmitted: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    mempool,
    refuse: (next: { code: AdmissionCode; message: string } | null) => {
      refusal = next;
    },
    remove: (hash: Hash) => transactions.delete(hash),
    listenerCount: () => listeners.size,
    all: () => [...transactions.values()],
  };
};

export type FakeMempool = ReturnType<typeof createFakeMempool>;
