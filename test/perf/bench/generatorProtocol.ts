/** What the bench and its load generator, a process of its own, tell each other. */
import type { SeenBlock, Summary } from './arithmetic.ts';
import type { BenchContracts, Workload } from './workloads.ts';

export const TRANSPORTS = ['ws', 'batch', 'http'] as const;
/** `ws` and `batch`: JSON-RPC batches over a WebSocket, over HTTP; `http`: a request for each transaction. */
export type Transport = (typeof TRANSPORTS)[number];

export const MAX_BATCH = 50;

export type GeneratorSetup = {
  readonly urls: readonly string[];
  readonly chainId: string;
  readonly baseFeeWei: string;
  readonly contracts: BenchContracts;
  readonly senders: number;
};

export type PhasePlan = {
  readonly seed: string;
  readonly workload: Workload;
  readonly transport: Transport;
  readonly ratePerSecond: number;
  readonly warmUpMs: number;
  readonly steadyMs: number;
};

export type PhaseReport = {
  readonly offered: number;
  readonly accepted: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly committed: number;
  /** Accepted or not, and not committed when waiting for the rest ended. */
  readonly missing: number;
  /** Not yet committed when the last one was sent. */
  readonly backlogAtEnd: number;
  /** Of the transactions that were due in the steady window: from when each was due to when its validator had the receipt. */
  readonly latencyMs: Summary;
  readonly blocks: readonly SeenBlock[];
  readonly fromMs: number;
  readonly toMs: number;
  /** How late the generator itself was at worst. */
  readonly latestSendMs: number;
};

export type ToGenerator =
  | { readonly type: 'setup'; readonly setup: GeneratorSetup }
  | { readonly type: 'phase'; readonly plan: PhasePlan }
  | { readonly type: 'go' }
  | { readonly type: 'idle'; readonly count: number }
  | { readonly type: 'end' };

export type FromGenerator =
  | { readonly type: 'ready' }
  | { readonly type: 'signed'; readonly count: number }
  | { readonly type: 'steady' }
  | { readonly type: 'sent' }
  | { readonly type: 'done'; readonly report: PhaseReport }
  | { readonly type: 'idleDone'; readonly latencyMs: readonly number[] }
  | { readonly type: 'failed'; readonly message: string };
