/**
 * geth's struct logs: one entry an opcode, written as JSON at once so that a long trace holds text and no objects.
 *
 * A call's cost includes the gas that it forwards, as geth shows it; the library reports it without.
 */
import type { EVMResult, InterpreterStep } from '@ethereumjs/evm';
import { EVMError } from '@ethereumjs/evm';
import { bytesToHex } from '#consensus/primitives.ts';
import { gethWords } from '#node/execution/runCall.ts';
import { MAX_JOB_BYTES, type TraceOptions, tooLarge } from '#node/execution/tracing/jobs.ts';
import { type Tracer, Written } from '#node/execution/tracing/tracer.ts';

const WORD = 32;
const SLOAD = 0x54;
const SSTORE = 0x55;
const FORWARDING = new Set([0xf1, 0xf2, 0xf4, 0xfa]);

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const word = (value: bigint): string => `0x${value.toString(16).padStart(64, '0')}`;
const top = (stack: readonly bigint[], depth: number): bigint => stack[stack.length - 1 - depth] ?? 0n;

const forwardedGas = (gasLeft: bigint, cost: bigint, requested: bigint): bigint => {
  const available = gasLeft - cost;
  if (available <= 0n) return 0n;
  const most = available - available / 64n;
  return requested < most ? requested : most;
};

export const createStructTracer = (options: TraceOptions): Tracer => {
  const logs: string[] = [];
  let size = 0;
  /** Everything but the closing brace, which waits for an error. */
  let open: string | null = null;
  let returnData = '0x';
  const storages = new Map<string, Map<string, string>>();

  const close = (error: string | null): void => {
    if (open === null) return;
    const log = error === null ? `${open}}` : `${open},"error":${JSON.stringify(error)}}`;
    open = null;
    size += log.length;
    if (size > MAX_JOB_BYTES) throw tooLarge();
    logs.push(log);
  };

  const storageOf = async ({ opcode, address, stack, stateManager }: InterpreterStep) => {
    const owner = address.toString();
    const slots = storages.get(owner) ?? new Map<string, string>();
    storages.set(owner, slots);
    const slot = word(top(stack, 0));
    if (opcode.code === SSTORE) slots.set(slot, word(top(stack, 1)));
    else {
      const value = await stateManager.getStorage(address, Buffer.from(slot.slice(2), 'hex'));
      slots.set(slot, `0x${Buffer.from(value).toString('hex').padStart(64, '0')}`);
    }
    return Object.fromEntries(slots);
  };

  const write = (step: InterpreterStep, storage: Record<string, string> | null): void => {
    const { opcode, stack, gasLeft, memory } = step;
    let cost = opcode.dynamicFee ?? BigInt(opcode.fee);
    if (FORWARDING.has(opcode.code)) cost += forwardedGas(gasLeft, cost, top(stack, 0));
    let log = `{"pc":${step.pc},"op":"${opcode.name}","gas":${gasLeft},"gasCost":${cost},"depth":${step.depth + 1}`;
    if (step.gasRefund > 0n) log += `,"refund":${step.gasRefund}`;
    if (!options.disableStack) log += `,"stack":[${stack.map((item) => `"${hex(item)}"`).join(',')}]`;
    if (options.enableMemory) {
      const words: string[] = [];
      for (let at = 0; at < memory.length; at += WORD)
        words.push(`"${bytesToHex(memory.subarray(at, at + WORD))}"`);
      log += `,"memory":[${words.join(',')}]`;
    }
    if (options.enableReturnData) log += `,"returnData":"${returnData}"`;
    if (storage !== null) log += `,"storage":${JSON.stringify(storage)}`;
    open = log;
  };

  return {
    step: (step) => {
      close(null);
      if (options.limit > 0 && logs.length >= options.limit) return;
      const isStorage = step.opcode.code === SLOAD || step.opcode.code === SSTORE;
      if (options.disableStorage || !isStorage) return write(step, null);
      return storageOf(step).then((storage) => write(step, storage));
    },
    exit: ({ execResult }: EVMResult) => {
      const failed = execResult.exceptionError;
      const isFault = failed !== undefined && failed.error !== EVMError.errorMessages.REVERT;
      close(isFault ? gethWords(failed.error)[1] : null);
      returnData = bytesToHex(execResult.returnValue);
    },
    end: ({ gasUsed, failed, returnValue }) => {
      close(null);
      return new Written(
        `{"gas":${gasUsed},"failed":${failed},"returnValue":"${bytesToHex(returnValue)}","structLogs":[${logs.join(',')}]}`,
      );
    },
  };
};
