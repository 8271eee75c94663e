/**
 * What this validator proposes: a fresh payload from the mempool (RULES 4, 10, 31).
 *
 * An import goes in only in round 0, only when our own finalised L1 view has held what it imports for the import lag,
 * and only when it really moves the gateway's count: that is known from executing the payload, so a payload with an
 * import is derived before it is proposed; any other is proposed at once.
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { Payload } from '#consensus/types.ts';
import type { Derivation, Head } from '#node/chain.ts';
import type { HostDependencies, HostOptions } from '#node/consensus/hostPorts.ts';
import { roundGasLimit } from '#node/consensus/payloadWeight.ts';

/** 2 MiB less the payload's own fields (RULES 2). */
const MAX_TRANSACTION_BYTES = 2 * 1024 * 1024 - 16 * 1024;
const MIN_TRANSACTION_GAS = 21_000n;
/** How long an import that failed stays out (RULES 31). */
export const IMPORT_BACK_OFF_HEIGHTS = 10;

export type BuildRequest = {
  readonly head: Head;
  readonly round: number;
  /** False while a failed import backs off. */
  readonly allowImport: boolean;
};

export type BuildDependencies = Pick<HostDependencies, 'mempool' | 'l1View' | 'clock'> & {
  readonly derive: (payload: Payload) => Promise<Derivation>;
};

const sameBytes = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a !== undefined && b !== undefined && a.length === b.length && a.every((byte, index) => byte === b[index]);

type ImportFault = {
  readonly reason: string;
  /** Waiting does not help: the transaction itself is no good. */
  readonly futile: boolean;
};

/** Null for a derivation that our own view vouches for, otherwise why it does not. */
const findImportFault = (
  derivation: Derivation,
  l1View: HostDependencies['l1View'],
  lagMs: number,
): ImportFault | null => {
  if (!derivation.valid) return { reason: derivation.reason, futile: true };
  if (!derivation.imports) return { reason: 'the import changes nothing', futile: true };
  const { importedCount, importedHash } = derivation.checkpoint;
  const held = l1View?.heldForMs(importedCount) ?? null;
  if (held === null || held < lagMs)
    return { reason: `deposit ${importedCount} is not held for ${lagMs} ms yet`, futile: false };
  return l1View?.depositHashAt(importedCount) === importedHash
    ? null
    : { reason: 'its deposit chain differs from ours', futile: true };
};

export type BuiltPayload = {
  readonly payload: Payload;
  readonly withImport: boolean;
  /** Why an import that was there was left out; null when none was. */
  readonly importLeftOut: (ImportFault & { readonly hash: Hash }) | null;
};

export const buildPayload = async (
  { head, round, allowImport }: BuildRequest,
  options: Pick<HostOptions, 'feeRecipient' | 'blockGasLimit' | 'importLagMs'>,
  { mempool, l1View, clock, derive }: BuildDependencies,
): Promise<BuiltPayload> => {
  const nowSeconds = BigInt(Math.floor(clock.nowMs() / 1_000));
  const { block } = head;
  const limits = {
    maxGas: roundGasLimit(options.blockGasLimit, round),
    maxBytes: MAX_TRANSACTION_BYTES,
    maxCount: Number(options.blockGasLimit / MIN_TRANSACTION_GAS),
  };
  const payloadOf = (transactions: readonly Uint8Array[]): Payload => ({
    parentHash: block.hash,
    timestamp: nowSeconds > block.timestamp ? nowSeconds : block.timestamp,
    feeRecipient: options.feeRecipient,
    transactions,
  });
  const plain = payloadOf(mempool.pick({ ...limits, allowImport: false }));
  if (!allowImport || round > 0 || l1View?.status().state !== 'ready')
    return { payload: plain, withImport: false, importLeftOut: null };
  const picked = mempool.pick({ ...limits, allowImport: true });
  const first = picked[0];
  if (first === undefined || sameBytes(first, plain.transactions[0]))
    return { payload: plain, withImport: false, importLeftOut: null };
  const withImport = payloadOf(picked);
  const fault = findImportFault(await derive(withImport), l1View, options.importLagMs);
  if (fault === null) return { payload: withImport, withImport: true, importLeftOut: null };
  return { payload: plain, withImport: false, importLeftOut: { hash: keccak256Hex(first), ...fault } };
};
