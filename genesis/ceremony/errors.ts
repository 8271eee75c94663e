/** Why something in a ceremony does not count; each message says expected, found and the remedy. */
export type CeremonyErrorCode =
  | 'BAD_DOCUMENT'
  | 'OTHER_FORMAT'
  | 'BAD_PLAN'
  | 'NOT_ON_ROSTER'
  | 'WRONG_KEY'
  | 'OTHER_CEREMONY'
  | 'BAD_SIGNATURE'
  | 'BAD_PROOF'
  | 'BAD_SEATS'
  | 'SHARED_KEY'
  | 'CONFLICT'
  | 'CLOCK'
  | 'MISSING'
  | 'DIFFERENT'
  | 'OTHER_RELEASE'
  | 'OTHER_DRAFT'
  | 'WRONG_WORDS'
  | 'CHAIN_BROKEN'
  | 'OUT_OF_ORDER'
  | 'NOT_SEALED';

export class CeremonyError extends Error {
  override readonly name = 'CeremonyError';
  readonly code: CeremonyErrorCode;
  constructor(code: CeremonyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
