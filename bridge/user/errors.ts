/** Why a crossing cannot go on, with what the user can do about it. */
export type CrossingErrorCode =
  /** The contract would refuse it: nothing was sent. */
  | 'REFUSED'
  | 'REVERTED'
  | 'NOT_FOUND'
  | 'NOT_A_CROSSING'
  | 'SEVERAL_WITHDRAWALS'
  | 'ROOT_MISMATCH'
  /** Above the limit: the vault pays it a day later. */
  | 'QUEUED'
  | 'PAUSED'
  | 'VETOED'
  | 'TIMED_OUT'
  | 'WRONG_CHAIN';

export class CrossingError extends Error {
  override readonly name = 'CrossingError';
  readonly code: CrossingErrorCode;
  constructor(code: CrossingErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
