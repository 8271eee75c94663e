/** One JSON-RPC request over HTTP, for calls that viem has no name for and for health checks before anything is up. */

export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** @throws RpcError for an error answer; what fetch throws when nobody answers */
export const rpcRequest = async <T>(
  url: string,
  method: string,
  params: readonly unknown[] = [],
  timeoutMs = 10_000,
): Promise<T> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const answer = (await response.json()) as { result: T; error?: { code: number; message: string } };
  if (answer.error !== undefined) throw new RpcError(answer.error.code, `${method}: ${answer.error.message}`);
  return answer.result;
};
