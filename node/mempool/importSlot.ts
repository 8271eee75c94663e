/**
 * Deposit imports that wait: one per relayer, beside the other transactions (RULES 31).
 *
 * They pay nothing, so fees cannot order or bound them; the relayer set does. A newer one replaces an older one
 * freely. Invariants: the first deposit of `best` is exactly the next one to import and its nonce is its sender's,
 * anything else would revert or be dropped; relayers take turns, the one proposed longest ago first, so that a stolen
 * key that sends one worthless import after another delays the honest ones and never starves them.
 */
import type { Address, Hash } from '#consensus/primitives.ts';
import { bytesToHex } from '#consensus/primitives.ts';
import type { DecodedTransaction, SenderState } from '#node/execution/transactionChecks.ts';

export type PendingImport = {
  readonly transaction: DecodedTransaction;
  readonly firstNonce: bigint;
  readonly sequence: number;
  readonly arrivedMs: number;
  readonly local: boolean;
  state: SenderState;
};

const SELECTOR_BYTES = 4;
const WORD_BYTES = 32;

/** The first argument of `importDeposits(uint64 firstNonce, …)`; null when the call data is too short. */
export const importFirstNonce = ({ tx }: DecodedTransaction): bigint | null => {
  const word = tx.data.subarray(SELECTOR_BYTES, SELECTOR_BYTES + WORD_BYTES);
  return word.length === WORD_BYTES ? BigInt(bytesToHex(word)) : null;
};

export type ImportSlots = {
  get(relayer: Address): PendingImport | null;
  put(pending: PendingImport): PendingImport | null;
  remove(relayer: Address): PendingImport | null;
  all(): readonly PendingImport[];
  best(importedCount: bigint, isHeldBack: (hash: Hash) => boolean): PendingImport | null;
  /** The relayer had its turn in a proposal. */
  proposed(relayer: Address): void;
};

export const createImportSlots = (): ImportSlots => {
  const byRelayer = new Map<Address, PendingImport>();
  /** The proposal in which each relayer last had its turn; only members come here, so they bound it. */
  const lastTurn = new Map<Address, number>();
  let turns = 0;
  const turnOf = ({ transaction }: PendingImport): number => lastTurn.get(transaction.sender) ?? 0;
  const goesFirst = (a: PendingImport, b: PendingImport): boolean =>
    turnOf(a) === turnOf(b) ? a.sequence > b.sequence : turnOf(a) < turnOf(b);
  return {
    get: (relayer) => byRelayer.get(relayer) ?? null,
    put(pending) {
      const before = byRelayer.get(pending.transaction.sender) ?? null;
      byRelayer.set(pending.transaction.sender, pending);
      return before;
    },
    remove(relayer) {
      const before = byRelayer.get(relayer) ?? null;
      byRelayer.delete(relayer);
      return before;
    },
    all: () => [...byRelayer.values()],
    best(importedCount, isHeldBack) {
      let best: PendingImport | null = null;
      for (const pending of byRelayer.values()) {
        const { transaction, firstNonce, state } = pending;
        if (firstNonce !== importedCount || transaction.nonce !== state.nonce) continue;
        if (state.code !== 'none' || isHeldBack(transaction.hash)) continue;
        if (best === null || goesFirst(pending, best)) best = pending;
      }
      return best;
    },
    proposed(relayer) {
      lastTurn.set(relayer, ++turns);
    },
  };
};
