/**
 * What the call threads do besides calls and estimates, and how they answer: JSON text, so that a large answer is
 * written where it was computed, or a refusal with geth's code and words.
 */
import type { Address, Hash } from '#consensus/primitives.ts';
import type { CallRequest } from '#node/chain.ts';
import type { BlockOverrides, StateOverrides } from '#node/execution/tracing/overrides.ts';
import type { LogBounds } from '#node/rpc/logScan.ts';
import type { LogCriteria } from '#node/rpc/params.ts';

/** Null: struct logs. */
export type TracerName =
  | 'callTracer'
  | 'prestateTracer'
  | '4byteTracer'
  | 'flatCallTracer'
  | 'noopTracer'
  | 'muxTracer';
export const TRACER_NAMES: readonly TracerName[] = [
  'callTracer',
  'prestateTracer',
  '4byteTracer',
  'flatCallTracer',
  'noopTracer',
  'muxTracer',
];

export type TraceOptions = {
  readonly tracer: TracerName | null;
  /** Of the tracer; unknown fields are ignored. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly enableMemory: boolean;
  readonly disableStack: boolean;
  readonly disableStorage: boolean;
  readonly enableReturnData: boolean;
  /** Struct logs at most; 0 for no limit of its own. */
  readonly limit: number;
};

/** What `trace_replay…` adds to the trace. */
export type ReplayParts = { readonly trace: boolean; readonly stateDiff: boolean };

export type TraceFilter = {
  readonly fromAddresses: readonly Address[];
  readonly toAddresses: readonly Address[];
  readonly after: number;
  readonly count: number;
};

export type SimulatedCall = CallRequest;
export type SimulatedBlock = {
  readonly blockOverrides: BlockOverrides;
  readonly stateOverrides: StateOverrides;
  readonly calls: readonly SimulatedCall[];
};
export type Simulation = {
  readonly blocks: readonly SimulatedBlock[];
  readonly traceTransfers: boolean;
  readonly validation: boolean;
  readonly returnFullTransactions: boolean;
};

type At = { readonly height: bigint };
type Transaction = At & { readonly index: number };

export type CallJob =
  | (At & { readonly kind: 'accessList'; readonly request: CallRequest })
  | (At & {
      readonly kind: 'proof';
      readonly address: Address;
      /** Each as it is shown, and as the slot that it means. */
      readonly keys: readonly { readonly shown: string; readonly slot: Hash }[];
    })
  | (At & { readonly kind: 'simulate'; readonly simulation: Simulation })
  | (Transaction & { readonly kind: 'traceTransaction'; readonly options: TraceOptions })
  | (At & { readonly kind: 'traceBlock'; readonly options: TraceOptions })
  | (At & { readonly kind: 'traceCall'; readonly request: CallRequest; readonly options: TraceOptions })
  | (At & { readonly kind: 'flatBlock' })
  | (Transaction & { readonly kind: 'flatTransaction' })
  | (At & { readonly kind: 'flatFilter'; readonly toHeight: bigint; readonly filter: TraceFilter })
  | (Transaction & { readonly kind: 'replayTransaction'; readonly parts: ReplayParts })
  | (At & { readonly kind: 'replayBlock'; readonly parts: ReplayParts })
  | (Transaction & { readonly kind: 'internalOperations' })
  | (Transaction & { readonly kind: 'flatCalls' })
  | (At & {
      readonly kind: 'logs';
      readonly toHeight: bigint;
      readonly criteria: LogCriteria;
      readonly bounds: LogBounds;
    })
  | (At & { readonly kind: 'creator'; readonly address: Address })
  | (Transaction & {
      readonly kind: 'storageRange';
      readonly address: Address;
      readonly startKey: Hash;
      readonly maxResults: number;
    });

export type JobOutcome =
  | { readonly status: 'json'; readonly json: string }
  | { readonly status: 'refused'; readonly code: number; readonly message: string; readonly data?: string };

/** Ends a job with what the client hears. */
export class JobRefusal extends Error {
  override readonly name = 'JobRefusal';
  readonly code: number;
  readonly data: string | undefined;
  constructor(code: number, message: string, data?: string) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** Bytes of JSON that one job may write. */
export const MAX_JOB_BYTES = 24 * 1024 * 1024;
const SERVER_ERROR = -32000;

export const tooLarge = (): JobRefusal =>
  new JobRefusal(
    -32003,
    `response too large: more than ${MAX_JOB_BYTES} bytes; ask for less (fewer blocks, "limit", "disableStack")`,
  );
export const serverRefusal = (message: string): JobRefusal => new JobRefusal(SERVER_ERROR, message);
