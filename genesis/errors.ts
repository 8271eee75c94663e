/** What can be wrong with a specification or a genesis file; each message says expected, found and the remedy. */
export type GenesisErrorCode =
  | 'NOT_CANONICAL'
  | 'UNREADABLE'
  | 'BAD_JSON'
  | 'BAD_SHAPE'
  | 'NOT_ASCENDING'
  | 'TOO_FEW_VALIDATORS'
  | 'BAD_POWER'
  | 'BAD_THRESHOLD'
  | 'BAD_GOVERNORS'
  | 'BAD_PEER_ID'
  | 'SHARED_KEY'
  | 'BAD_CHAIN_ID'
  | 'BAD_LIMIT'
  | 'BAD_BALANCE'
  | 'MISMATCH';

export class GenesisError extends Error {
  override readonly name = 'GenesisError';
  readonly code: GenesisErrorCode;
  constructor(code: GenesisErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
