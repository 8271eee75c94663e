/**
 * Parameters of what executes: call objects, overrides of state and block, options of traces, simulations.
 *
 * As geth decodes them: unknown and null fields are ignored, so that a tool's newer option does no harm.
 */
import { z } from 'zod';
import { TRACER_NAMES, type TraceOptions, type TracerName } from '#node/execution/tracing/jobs.ts';
import type { AccountOverride, BlockOverrides, StateOverrides } from '#node/execution/tracing/overrides.ts';
import { address, data, flag, hash, nullable, quantity, storageKey, uint64 } from '#node/rpc/params.ts';

const MAX_ACCESS_LIST_KEYS = 10_000;
const MAX_AUTHORIZATIONS = 1_000;
const MAX_OVERRIDDEN_ACCOUNTS = 1_000;
const MAX_OVERRIDDEN_SLOTS = 10_000;

const accessList = z
  .array(z.object({ address, storageKeys: nullable(z.array(hash).max(MAX_ACCESS_LIST_KEYS)) }))
  .max(MAX_ACCESS_LIST_KEYS);

const authorization = z
  .object({
    chainId: quantity,
    address,
    nonce: uint64,
    yParity: nullable(quantity),
    v: nullable(quantity),
    r: quantity,
    s: quantity,
  })
  .transform(({ v, yParity, ...rest }) => ({ ...rest, yParity: yParity ?? v ?? 0n }));

export const callObject = z.object(
  {
    from: nullable(address),
    to: nullable(address),
    gas: nullable(uint64),
    gasPrice: nullable(quantity),
    maxFeePerGas: nullable(quantity),
    maxPriorityFeePerGas: nullable(quantity),
    value: nullable(quantity),
    nonce: nullable(uint64),
    data: nullable(data),
    input: nullable(data),
    accessList: nullable(accessList),
    chainId: nullable(quantity),
    authorizationList: nullable(z.array(authorization).max(MAX_AUTHORIZATIONS)),
    blobVersionedHashes: nullable(z.array(z.unknown())),
  },
  'expected a call object',
);
export type CallObject = z.output<typeof callObject>;

/** Slots to values, each as written; the number of both is bounded. */
const slots = z
  .record(z.string(), hash)
  .refine((value) => Object.keys(value).length <= MAX_OVERRIDDEN_SLOTS, 'too many slots')
  .transform((value, context) => {
    const parsed = Object.entries(value).map(([slot, word]) => [storageKey.safeParse(slot), word] as const);
    if (parsed.every(([slot]) => slot.success))
      return parsed.map(([slot, word]) => [slot.data!, word] as const);
    context.addIssue({ code: 'custom', message: 'expected storage slots of up to 32 bytes' });
    return z.NEVER;
  });

const accountOverride = z
  .object(
    {
      nonce: nullable(uint64),
      balance: nullable(quantity),
      code: nullable(data),
      state: nullable(slots),
      stateDiff: nullable(slots),
      movePrecompileToAddress: nullable(address),
    },
    'expected an account override',
  )
  .transform(
    ({ nonce, balance, code, state, stateDiff, movePrecompileToAddress }): AccountOverride => ({
      ...(nonce === undefined ? {} : { nonce }),
      ...(balance === undefined ? {} : { balance }),
      ...(code === undefined ? {} : { code }),
      ...(state === undefined ? {} : { state }),
      ...(stateDiff === undefined ? {} : { stateDiff }),
      ...(movePrecompileToAddress === undefined ? {} : { movePrecompileTo: movePrecompileToAddress }),
    }),
  );

export const stateOverrides: z.ZodType<StateOverrides> = z
  .record(z.string(), accountOverride, 'expected an object of overrides by address')
  .refine((value) => Object.keys(value).length <= MAX_OVERRIDDEN_ACCOUNTS, 'too many overridden accounts')
  .transform((value, context): StateOverrides => {
    const parsed = Object.entries(value).map(
      ([key, override]) => [address.safeParse(key), override] as const,
    );
    if (parsed.every(([key]) => key.success)) return parsed.map(([key, override]) => [key.data!, override]);
    context.addIssue({ code: 'custom', message: 'expected addresses of 20 bytes' });
    return z.NEVER;
  });

/** `random` and `coinbase` are geth's older names. */
export const blockOverrides: z.ZodType<BlockOverrides> = z
  .object(
    {
      number: nullable(uint64),
      time: nullable(uint64),
      gasLimit: nullable(uint64),
      feeRecipient: nullable(address),
      coinbase: nullable(address),
      prevRandao: nullable(storageKey),
      random: nullable(storageKey),
      baseFeePerGas: nullable(quantity),
      baseFee: nullable(quantity),
    },
    'expected block overrides',
  )
  .transform((value): BlockOverrides => {
    const feeRecipient = value.feeRecipient ?? value.coinbase;
    const prevRandao = value.prevRandao ?? value.random;
    const baseFeePerGas = value.baseFeePerGas ?? value.baseFee;
    return {
      ...(value.number === undefined ? {} : { number: value.number }),
      ...(value.time === undefined ? {} : { time: value.time }),
      ...(value.gasLimit === undefined ? {} : { gasLimit: value.gasLimit }),
      ...(feeRecipient === undefined ? {} : { feeRecipient }),
      ...(prevRandao === undefined ? {} : { prevRandao }),
      ...(baseFeePerGas === undefined ? {} : { baseFeePerGas }),
    };
  });

const MAX_TRACER_CHARACTERS = 100_000;
const isTracerName = (name: string): name is TracerName => TRACER_NAMES.includes(name as TracerName);

const traceFields = {
  tracer: nullable(
    z
      .string('expected the name of a tracer')
      .max(MAX_TRACER_CHARACTERS)
      .refine(
        (name) => name === '' || isTracerName(name),
        `expected one of ${TRACER_NAMES.join(', ')}: tracers in JavaScript are not run`,
      ),
  ),
  tracerConfig: nullable(z.record(z.string(), z.unknown())),
  enableMemory: nullable(flag),
  disableMemory: nullable(flag),
  disableStack: nullable(flag),
  disableStorage: nullable(flag),
  enableReturnData: nullable(flag),
  limit: nullable(z.number().int().nonnegative()),
};

const toOptions = (value: z.output<z.ZodObject<typeof traceFields>>): TraceOptions => ({
  tracer: value.tracer === undefined || !isTracerName(value.tracer) ? null : value.tracer,
  config: value.tracerConfig ?? {},
  enableMemory: value.enableMemory ?? (value.disableMemory === undefined ? false : !value.disableMemory),
  disableStack: value.disableStack ?? false,
  disableStorage: value.disableStorage ?? false,
  enableReturnData: value.enableReturnData ?? false,
  limit: value.limit ?? 0,
});

export const traceOptions: z.ZodType<TraceOptions> = z
  .object(traceFields, 'expected trace options')
  .transform(toOptions);
export const DEFAULT_TRACE: TraceOptions = traceOptions.parse({});

/** Of debug_traceCall: overrides beside the options. */
export const traceCallOptions = z
  .object(
    {
      ...traceFields,
      stateOverrides: nullable(stateOverrides),
      blockOverrides: nullable(blockOverrides),
      txIndex: nullable(uint64),
    },
    'expected trace options',
  )
  .transform((value) => ({
    options: toOptions(value),
    stateOverrides: value.stateOverrides,
    blockOverrides: value.blockOverrides,
  }));

const MAX_SIMULATED_CALLS = 1_000;
const MAX_LISTED_BLOCKS = 1_024;

export const simulation = z.object(
  {
    blockStateCalls: z
      .array(
        z.object({
          blockOverrides: nullable(blockOverrides),
          stateOverrides: nullable(stateOverrides),
          calls: nullable(z.array(callObject).max(MAX_SIMULATED_CALLS, 'too many calls in a block')),
        }),
      )
      .min(1, 'empty input')
      .max(MAX_LISTED_BLOCKS, 'too many blocks'),
    traceTransfers: nullable(flag),
    validation: nullable(flag),
    returnFullTransactions: nullable(flag),
  },
  'expected a simulation',
);
