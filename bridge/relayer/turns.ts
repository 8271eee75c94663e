/**
 * Whose turn it is to submit, without a leader: relayer (index + key) mod N waits that many turns.
 *
 * Races are rare because turns differ; one living relayer suffices because everybody's turn comes. A key is a number
 * that all relayers see alike (what is imported, what is accepted), and a new key starts the turns again.
 */
import type { Clock } from '#bridge/l1/ports.ts';

export interface Turns {
  /** @returns milliseconds until this relayer may submit under `key`; 0 when it may now */
  waitMs(key: bigint): number;
  /** Nothing to submit: the next key starts afresh. */
  idle(): void;
}

export const createTurns = (index: number, members: number, turnMs: number, clock: Clock): Turns => {
  let current: { key: bigint; sinceMs: number } | null = null;
  return {
    waitMs: (key) => {
      if (current?.key !== key) current = { key, sinceMs: clock.nowMs() };
      const position = (BigInt(index) + key) % BigInt(members);
      return Math.max(0, current.sinceMs + Number(position) * turnMs - clock.nowMs());
    },
    idle: () => {
      current = null;
    },
  };
};
