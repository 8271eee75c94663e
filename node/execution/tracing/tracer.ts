/**
 * A tracer hears what the EVM does in one transaction or call, and says at its end what it saw.
 *
 * Owns the interface and how it hangs on the EVM's events. A listener that throws ends the run; one that must read
 * state first returns a promise, which the EVM waits for.
 */
import type { EVMResult, InterpreterStep, Message } from '@ethereumjs/evm';
import type { Address } from '@ethereumjs/util';
import type { Machine } from '#node/execution/machine.ts';
import type { OverlayState } from '#node/execution/overlayState.ts';

export type TracedTransaction = {
  readonly from: Address;
  /** Null for a creation. */
  readonly to: Address | null;
  /** Set for a creation. */
  readonly created: Address | null;
  readonly coinbase: Address;
  readonly authorities: readonly Address[];
  readonly gasLimit: bigint;
};

export type TracedOutcome = {
  readonly gasUsed: bigint;
  readonly failed: boolean;
  readonly returnValue: Uint8Array;
};

export type Tracer = {
  /** Before the transaction changes anything. */
  begin?(transaction: TracedTransaction, state: OverlayState): Promise<void>;
  step?(step: InterpreterStep): void | Promise<void>;
  enter?(message: Message): void;
  exit?(result: EVMResult): void;
  /** @returns what JSON.stringify takes, or JSON text in a `Written` */
  end(outcome: TracedOutcome, state: OverlayState): Promise<unknown> | unknown;
};

/** JSON that a tracer wrote itself, piece by piece. */
export class Written {
  readonly json: string;
  constructor(json: string) {
    this.json = json;
  }
}

export const toJson = (value: unknown): string =>
  value instanceof Written ? value.json : JSON.stringify(value ?? null);

/** Runs with the tracer attached. @throws what the run or the tracer throws */
export const runTraced = async <T>({ vm }: Machine, tracer: Tracer, run: () => Promise<T>): Promise<T> => {
  const { events } = vm.evm;
  if (events === undefined) throw new TypeError('expected an EVM with events, found one without');
  let failure: { readonly error: unknown } | null = null;
  const check = (): void => {
    if (failure !== null) throw failure.error;
  };
  const onStep = (step: InterpreterStep, next?: () => void): void => {
    check();
    const pending = tracer.step?.(step);
    if (pending === undefined) {
      next?.();
      return;
    }
    pending
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => next?.());
  };
  const onEnter = (message: Message): void => tracer.enter?.(message);
  const onExit = (result: EVMResult): void => tracer.exit?.(result);
  if (tracer.step !== undefined) events.on('step', onStep);
  events.on('beforeMessage', onEnter);
  events.on('afterMessage', onExit);
  try {
    const result = await run();
    check();
    return result;
  } finally {
    events.off('step', onStep);
    events.off('beforeMessage', onEnter);
    events.off('afterMessage', onExit);
  }
};
