/** Every way in which a call on the network can fail, as codes. */
export type NetworkErrorCode =
  | 'BAD_OPTIONS'
  | 'NOT_STARTED'
  | 'NOT_CONNECTED'
  | 'TIMEOUT'
  | 'STREAM'
  | 'OVERSIZED'
  | 'MALFORMED'
  | 'HANDSHAKE';

export class NetworkError extends Error {
  override readonly name = 'NetworkError';
  readonly code: NetworkErrorCode;
  constructor(code: NetworkErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The text of anything that was thrown. */
export const errorMessage = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown);

export const isCode = (thrown: unknown, code: NetworkErrorCode): boolean =>
  thrown instanceof NetworkError && thrown.code === code;
