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

/** What a terminal would act on: control characters, line breaks, and those that turn the reading direction. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const escaped = (character: string): string => `\\u{${character.codePointAt(0)!.toString(16)}}`;

/** Text out of somebody's file, so that it cannot clear a screen and write "verified" on it. */
export const printable = (text: string): string => text.replace(UNPRINTABLE, escaped);

export class CeremonyError extends Error {
  override readonly name = 'CeremonyError';
  readonly code: CeremonyErrorCode;
  constructor(code: CeremonyErrorCode, message: string, options?: ErrorOptions) {
    // our own line breaks stay
    super(message.split('\n').map(printable).join('\n'), options);
    this.code = code;
  }
}
