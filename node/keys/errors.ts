/** What can be wrong with a key file or its pass phrase; each message says expected, found and the remedy. */
export type KeyErrorCode =
  | 'UNREADABLE'
  | 'BAD_JSON'
  | 'BAD_SHAPE'
  | 'UNSUPPORTED'
  | 'TOO_COSTLY'
  | 'WRONG_PASSPHRASE'
  | 'WRONG_KIND'
  | 'BAD_KEY'
  | 'EXISTS'
  | 'UNWRITABLE'
  | 'TOKEN_UNAVAILABLE'
  | 'BAD_SHARE'
  | 'NO_PASSPHRASE';

export class KeyError extends Error {
  override readonly name = 'KeyError';
  readonly code: KeyErrorCode;
  constructor(code: KeyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
