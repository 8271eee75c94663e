/**
 * How a command fails: a code, a message, a hint, and an exit code that scripts can rely on.
 *
 * Owns the exit codes and the translation of every coded error below into one of them. Does not own the errors.
 */

export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  config: 3,
  unreachable: 4,
  verification: 5,
  denied: 6,
  timeout: 7,
  guard: 8,
  upgrade: 9,
  /** The nodes answer, and the chain does not commit. */
  stalled: 10,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export type CliErrorFields = {
  readonly code: string;
  readonly exitCode: ExitCode;
  readonly hint?: string;
  readonly cause?: unknown;
};

export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: string;
  readonly exitCode: ExitCode;
  readonly hint: string | null;
  constructor(message: string, { code, exitCode, hint, cause }: CliErrorFields) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.exitCode = exitCode;
    this.hint = hint ?? null;
  }
}

/** Exit code by code of a typed error; a code that is not here takes its class's. */
const BY_CODE: Readonly<Record<string, ExitCode>> = {
  ECONNREFUSED: EXIT.unreachable,
  ECONNRESET: EXIT.unreachable,
  EHOSTUNREACH: EXIT.unreachable,
  ENOTFOUND: EXIT.unreachable,
  UNREACHABLE: EXIT.unreachable,
  NOT_CONNECTED: EXIT.unreachable,
  TOKEN_UNAVAILABLE: EXIT.unreachable,
  ETIMEDOUT: EXIT.timeout,
  TIMEOUT: EXIT.timeout,
  TIMED_OUT: EXIT.timeout,
  EADDRINUSE: EXIT.config,
  EACCES: EXIT.denied,
  EPERM: EXIT.denied,
  WRONG_PASSPHRASE: EXIT.denied,
  WRONG_WORDS: EXIT.denied,
  BAD_SHARE: EXIT.verification,
  BAD_PLAN: EXIT.config,
  NOT_PERMITTED: EXIT.denied,
  REFUSED: EXIT.denied,
  REVERTED: EXIT.denied,
  MISMATCH: EXIT.verification,
  VERIFICATION_FAILED: EXIT.verification,
  ROOT_MISMATCH: EXIT.verification,
  DIVERGED: EXIT.verification,
  BAD_BLOCK: EXIT.verification,
  BAD_CERTIFICATE: EXIT.verification,
  WRONG_DATA_FOLDER: EXIT.config,
  CRYPTO_UNAVAILABLE: EXIT.config,
  NOT_AN_ARCHIVE: EXIT.config,
  BAD_OPTIONS: EXIT.config,
  WRONG_CHAIN: EXIT.config,
  WRONG_SIGNER: EXIT.config,
  DEPLOYER_USED: EXIT.config,
  NOT_FUNDED: EXIT.config,
  TOO_MUCH_GAS: EXIT.config,
  NOT_FOUND: EXIT.usage,
  NOT_A_CROSSING: EXIT.usage,
  SEVERAL_WITHDRAWALS: EXIT.usage,
};

const BY_CLASS: Readonly<Record<string, ExitCode>> = {
  GenesisError: EXIT.config,
  KeyError: EXIT.config,
  CeremonyError: EXIT.verification,
  ConfigError: EXIT.config,
  PrimitiveError: EXIT.usage,
  NodeError: EXIT.config,
  FolderLockError: EXIT.config,
  RelayerError: EXIT.config,
  RelayerSetError: EXIT.config,
  JournalError: EXIT.config,
  WalError: EXIT.config,
  L1StoreError: EXIT.config,
  DeploymentError: EXIT.verification,
  GuardError: EXIT.guard,
  GuardExchangeError: EXIT.config,
  ConsensusFolderError: EXIT.config,
  ChainFolderError: EXIT.config,
  HttpRequestError: EXIT.unreachable,
  WebSocketRequestError: EXIT.unreachable,
  TimeoutError: EXIT.timeout,
  InsufficientFundsError: EXIT.config,
};

const codedExit = (error: Error & { code?: unknown }): ExitCode | undefined =>
  (typeof error.code === 'string' ? BY_CODE[error.code] : undefined) ?? BY_CLASS[error.name];

/** The error itself or the first of its causes that has a known place. */
const findExit = (error: unknown): ExitCode | undefined => {
  let current = error;
  for (let depth = 0; depth < 8 && current instanceof Error; depth++) {
    const exit = codedExit(current);
    if (exit !== undefined) return exit;
    current = current.cause;
  }
  return undefined;
};

const HINTS: Partial<Record<ExitCode, string>> = {
  [EXIT.unreachable]: 'Check that the endpoint is up and the URL is right (devnet: causeway devnet status).',
  [EXIT.timeout]: 'Nothing is lost: run the same command again and it goes on where it stopped.',
};

const HINTS_BY_CODE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Stop the process that listens there, or configure another port.',
};

/** viem's messages carry URL, body and version lines; the first paragraph says what went wrong. */
const shortMessage = (error: Error & { shortMessage?: unknown; url?: unknown }): string => {
  if (typeof error.shortMessage !== 'string') return error.message;
  return typeof error.url === 'string' ? `${error.shortMessage} (${error.url})` : error.shortMessage;
};

export const toCliError = (error: unknown): CliError => {
  if (error instanceof CliError) return error;
  if (!(error instanceof Error))
    return new CliError(String(error), { code: 'INTERNAL', exitCode: EXIT.internal });
  const exitCode = findExit(error) ?? EXIT.internal;
  const { code } = error as { code?: unknown };
  const hint = (typeof code === 'string' ? HINTS_BY_CODE[code] : undefined) ?? HINTS[exitCode];
  return new CliError(shortMessage(error), {
    code: typeof code === 'string' ? code : exitCode === EXIT.internal ? 'INTERNAL' : error.name,
    exitCode,
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
};
