/**
 * What a relayer writes down before it acts, and what it knows again after a restart.
 *
 * Owns the records of the relayer's journal and their fold. Invariants: one hash per deposit count and one valueId
 * per height, whatever the epoch (RULES 25); a contradiction in the journal is damage and refuses to load. What is
 * imported or anchored is forgotten: nothing at or below it is ever signed again (attesters hold to that).
 */
import { type Journal, JournalError } from '#bridge/relayer/journal.ts';
import type { Hash, Hex, Signature } from '#consensus/primitives.ts';

export type RelayerEntry =
  /** Before the signature leaves. */
  | { t: 'depositSigned'; n: string; hash: Hash; relayerEpoch: string; signature: Signature }
  | { t: 'anchorSigned'; height: string; valueId: Hash; relayerEpoch: string; signature: Signature }
  /** Before the raw transaction is handed to the sidechain. */
  | { t: 'importIntent'; first: string; n: string; nonce: string; hash: Hash; raw: Hex }
  /** The sidechain shows the count (whoever imported). */
  | { t: 'imported'; n: string }
  /** Before the raw transaction is handed to the L1. `height` null: a no-op that frees its nonce. */
  | { t: 'l1Attempt'; nonce: number; height: string | null; hash: Hash; raw: Hex }
  /** The nonce is used in a finalised L1 block. */
  | { t: 'l1Settled'; nonce: number }
  /** The verifier shows it at finality (whoever submitted). */
  | { t: 'anchored'; height: string; valueId: Hash };

export type RelayerMemory = {
  /** By count. */
  readonly deposits: Map<bigint, { hash: Hash; relayerEpoch: bigint; signature: Signature }>;
  /** By height. */
  readonly anchors: Map<bigint, { valueId: Hash; relayerEpoch: bigint; signature: Signature }>;
  importIntent: { first: bigint; n: bigint; nonce: bigint; hash: Hash; raw: Hex } | null;
  imported: bigint;
  /** Unsettled, by nonce, attempts in order. */
  readonly l1: Map<number, { height: bigint | null; hash: Hash; raw: Hex }[]>;
  anchored: { height: bigint; valueId: Hash } | null;
};

const contradiction = (what: string): JournalError =>
  new JournalError('DAMAGED', `the journal holds two values for ${what}: restore it from a backup`);

export const replayRelayerJournal = (entries: readonly RelayerEntry[]): RelayerMemory => {
  const memory: RelayerMemory = {
    deposits: new Map(),
    anchors: new Map(),
    importIntent: null,
    imported: 0n,
    l1: new Map(),
    anchored: null,
  };
  for (const entry of entries) applyRelayerEntry(memory, entry);
  return memory;
};

/** @throws JournalError DAMAGED for a second value of one key */
export const applyRelayerEntry = (memory: RelayerMemory, entry: RelayerEntry): void => {
  switch (entry.t) {
    case 'depositSigned': {
      const n = BigInt(entry.n);
      const known = memory.deposits.get(n);
      if (known !== undefined && known.hash !== entry.hash) throw contradiction(`deposit count ${n}`);
      memory.deposits.set(n, { ...entry, relayerEpoch: BigInt(entry.relayerEpoch) });
      return;
    }
    case 'anchorSigned': {
      const height = BigInt(entry.height);
      const known = memory.anchors.get(height);
      if (known !== undefined && known.valueId !== entry.valueId) throw contradiction(`height ${height}`);
      memory.anchors.set(height, { ...entry, relayerEpoch: BigInt(entry.relayerEpoch) });
      return;
    }
    case 'importIntent':
      memory.importIntent = {
        ...entry,
        first: BigInt(entry.first),
        n: BigInt(entry.n),
        nonce: BigInt(entry.nonce),
      };
      return;
    case 'imported':
      memory.imported = BigInt(entry.n);
      memory.importIntent = null;
      for (const n of memory.deposits.keys()) if (n <= memory.imported) memory.deposits.delete(n);
      return;
    case 'l1Attempt': {
      const attempts = memory.l1.get(entry.nonce) ?? [];
      attempts.push({
        height: entry.height === null ? null : BigInt(entry.height),
        hash: entry.hash,
        raw: entry.raw,
      });
      memory.l1.set(entry.nonce, attempts);
      return;
    }
    case 'l1Settled':
      memory.l1.delete(entry.nonce);
      return;
    case 'anchored':
      memory.anchored = { height: BigInt(entry.height), valueId: entry.valueId };
      for (const height of memory.anchors.keys())
        if (height <= memory.anchored.height) memory.anchors.delete(height);
  }
};

/** The journal and the memory that follows it, moved only together. */
export interface RelayerLog {
  readonly memory: RelayerMemory;
  /** Durable, then remembered. */
  record(entry: RelayerEntry): Promise<void>;
}

export const createRelayerLog = (journal: Journal<RelayerEntry>): RelayerLog => {
  const memory = replayRelayerJournal(journal.entries);
  return {
    memory,
    record: async (entry) => {
      await journal.append(entry);
      applyRelayerEntry(memory, entry);
    },
  };
};
