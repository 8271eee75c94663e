/** The bounds of the pool. All of them hold at every moment, whatever is added. */
export type PoolLimits = {
  readonly maxTransactions: number;
  readonly maxBytes: number;
  /** Transactions of one sender that could go into the next block. */
  readonly maxExecutablePerSender: number;
  /** Transactions of one sender that wait for an earlier nonce, or for their turn. */
  readonly maxQueuedPerSender: number;
  /** How far ahead of the account's nonce one may wait. */
  readonly maxNonceGap: bigint;
  /** Transactions that are being checked at the same time. */
  readonly maxInFlight: number;
};

export const DEFAULT_LIMITS: PoolLimits = {
  maxTransactions: 8_192,
  maxBytes: 64 * 1024 * 1024,
  maxExecutablePerSender: 64,
  maxQueuedPerSender: 32,
  maxNonceGap: 1_024n,
  maxInFlight: 4_096,
};
