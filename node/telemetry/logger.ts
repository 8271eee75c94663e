/**
 * The one logger: JSON lines on stderr, never a key.
 *
 * Level policy: `fatal` the node stops; `error` an operator must act; `warn` a peer or a part misbehaved and was
 * handled; `info` what an operator watches on a healthy node (start, stop, a committed block, a lost peer);
 * `debug` one line per round, message or request; `trace` bytes. A message plus fields, never a built sentence.
 *
 * Written synchronously: the last line before an exit is the one that is needed.
 */
import { destination, type Logger, pino, stdTimeFunctions } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Field names whose values never reach the log, wherever they are in the first three levels. */
const SECRETS = ['privateKey', 'passphrase', 'password', 'mnemonic', 'seed', 'secret', 'authorization'];
const redactPaths = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

export type LoggerOptions = { readonly name: string; readonly level: LogLevel };

/** pino cannot write bigints: heights, wei and powers become decimal strings. */
const bigintsToText = (value: unknown, depth = 0): unknown => {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null || value instanceof Error || depth > 4) return value;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return value.map((item) => bigintsToText(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, bigintsToText(item, depth + 1)]),
  );
};

/** @param stream where the lines go; stderr unless told, so that stdout stays free for a command's own output */
export const createLogger = (
  { name, level }: LoggerOptions,
  stream: { write(line: string): void } = destination({ dest: 2, sync: true }),
): Logger =>
  pino(
    {
      name,
      level,
      timestamp: stdTimeFunctions.isoTime,
      redact: { paths: redactPaths, censor: '[redacted]' },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => bigintsToText(fields) as Record<string, unknown>,
      },
    },
    stream,
  );
