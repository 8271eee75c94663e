/**
 * What a request can be answered with instead of a result: geth's codes and, where tools match on them, geth's words.
 *
 * Invariant: only an `RpcError` reaches a client with its own message; anything else is answered as
 * "internal error" and logged, so that no internals leak.
 */
export const RPC_CODES = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  server: -32000,
  timeout: -32002,
  responseTooLarge: -32003,
  limitExceeded: -32005,
  reverted: 3,
  /** geth's, for transactions and receipts that were deleted (EIP-4444). */
  prunedHistory: 4444,
} as const;

export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: number;
  readonly data: unknown;
  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export const invalidParams = (message: string): RpcError => new RpcError(RPC_CODES.invalidParams, message);
export const serverError = (message: string): RpcError => new RpcError(RPC_CODES.server, message);
export const invalidRequest = (message: string): RpcError => new RpcError(RPC_CODES.invalidRequest, message);
export const headerNotFound = (): RpcError => serverError('header not found');
