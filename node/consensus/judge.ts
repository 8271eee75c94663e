/**
 * The subjective half of line 22: would this node, now, prevote a fresh payload that derives correctly?
 *
 * Pure; the clock and the L1 view are arguments. Never asked about a locked value or one with a polka (RULES 9, 31).
 * A refusal that time or the L1 can turn says so, and the host asks again until the round is over.
 * Source: RULES 4, 10, 11, 31.
 */
import type { Hash } from '#consensus/primitives.ts';
import type { Derivation } from '#node/chain.ts';
import { findRoundFault } from '#node/consensus/payloadWeight.ts';

export type ValidDerivation = Extract<Derivation, { valid: true }>;

export type JudgeContext = {
  readonly round: number;
  readonly nowMs: number;
  readonly blockGasLimit: bigint;
  /** The folded deposit chain after `count` deposits; null when the finalised view does not reach so far. */
  readonly depositHashAt: (count: bigint) => Hash | null;
};

export type Verdict =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly reason: string; readonly retry: 'never' | 'clock' | 'l1' };

export const CLOCK_BOUND_MS = 500;

/** When a payload with this timestamp stops being early. */
export const acceptableFromMs = (timestamp: bigint): number => Number(timestamp) * 1_000 - CLOCK_BOUND_MS;

const refuse = (reason: string, retry: 'never' | 'clock' | 'l1' = 'never'): Verdict => ({
  accepted: false,
  reason,
  retry,
});

export const judgePayload = (derivation: ValidDerivation, context: JudgeContext): Verdict => {
  const { round, nowMs, blockGasLimit, depositHashAt } = context;
  const { imports, timestamp, checkpoint } = derivation;
  const fault = findRoundFault(derivation, round, blockGasLimit);
  if (fault !== null) return refuse(fault);
  if (imports) {
    const own = depositHashAt(checkpoint.importedCount);
    if (own === null)
      return refuse(`own L1 view does not cover ${checkpoint.importedCount} deposits yet`, 'l1');
    if (own !== checkpoint.importedHash)
      return refuse(`expected the deposit chain ${own} of the own L1 view, found ${checkpoint.importedHash}`);
  }
  if (acceptableFromMs(timestamp) > nowMs)
    return refuse(`timestamp ${timestamp} is more than ${CLOCK_BOUND_MS} ms ahead of the own clock`, 'clock');
  return { accepted: true };
};
