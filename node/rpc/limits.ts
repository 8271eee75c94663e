/** Every bound of the server in one place; each can be set, none can be switched off. */
export type RpcLimits = {
  readonly maxBodyBytes: number;
  readonly maxResponseBytes: number;
  readonly maxBatchItems: number;
  /** Nesting of arrays and objects in a request. */
  readonly maxDepth: number;
  readonly maxConnections: number;
  readonly maxWebSockets: number;
  /** From one address; those of this machine, where proxies and tools are, are not counted. */
  readonly maxConnectionsPerAddress: number;
  /** Requests (a batch counts once) in work at one time, over all connections. */
  readonly maxInFlight: number;
  /** Messages of one WebSocket in work at one time; beyond it the socket is not read. */
  readonly maxInFlightPerSocket: number;
  /** Unsent bytes beyond which a WebSocket's reader counts as not draining and is disconnected. */
  readonly maxSocketBufferBytes: number;
  readonly maxSubscriptionsPerSocket: number;
  readonly maxFilters: number;
  readonly filterExpiryMs: number;
  /** Blocks that one log query may cover. */
  readonly maxLogBlocks: number;
  readonly maxLogResults: number;
  /** Log queries in work at one time, and how many may wait for their turn. */
  readonly maxLogScans: number;
  readonly maxWaitingLogScans: number;
  /** Calls and estimates in work at one time, and how many may wait for their turn, timed out or not. */
  readonly maxCalls: number;
  readonly maxWaitingCalls: number;
  /** Of one client, calls and log queries that may wait. */
  readonly maxWaitingPerClient: number;
  /** Blocks that one trace_filter may cover. */
  readonly maxTraceBlocks: number;
  /** Gas of an eth_call or eth_estimateGas; a larger wish is lowered to it, as geth does. */
  readonly callGasCap: bigint;
  /** Until a request, or a whole batch, is answered with a time-out error. */
  readonly callTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Silence after which an HTTP connection is closed; longer than `callTimeoutMs`. */
  readonly idleTimeoutMs: number;
  readonly pingIntervalMs: number;
};

const MIB = 1024 * 1024;

export const DEFAULT_RPC_LIMITS: RpcLimits = {
  maxBodyBytes: 5 * MIB,
  maxResponseBytes: 25 * MIB,
  maxBatchItems: 1_000,
  maxDepth: 64,
  maxConnections: 4_096,
  maxWebSockets: 2_048,
  maxConnectionsPerAddress: 64,
  maxInFlight: 256,
  maxInFlightPerSocket: 16,
  maxSocketBufferBytes: 8 * MIB,
  maxSubscriptionsPerSocket: 64,
  maxFilters: 1_000,
  filterExpiryMs: 5 * 60_000,
  maxLogBlocks: 10_000,
  maxLogResults: 10_000,
  maxLogScans: 4,
  maxWaitingLogScans: 128,
  maxCalls: 4,
  maxWaitingCalls: 256,
  maxWaitingPerClient: 64,
  maxTraceBlocks: 1_000,
  callGasCap: 50_000_000n,
  callTimeoutMs: 30_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  idleTimeoutMs: 75_000,
  pingIntervalMs: 30_000,
};
