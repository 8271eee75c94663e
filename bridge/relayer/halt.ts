/** The relayer's one way to stop for good: a reason, said once and loudly, that every part asks before it acts. */
import type { Logger } from '#bridge/l1/ports.ts';

export interface Halt {
  /** Null while the relayer may act. */
  reason(): string | null;
  /** The first reason stays. */
  halt(reason: string): void;
}

export const createHalt = (logger: Logger, onHalt: () => void = () => undefined): Halt => {
  let reason: string | null = null;
  return {
    reason: () => reason,
    halt: (found) => {
      if (reason !== null) return;
      reason = found;
      logger.error({ reason }, 'relayer halted: it signs and submits nothing more');
      onHalt();
    },
  };
};
