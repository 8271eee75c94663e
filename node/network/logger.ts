/** The part of pino that the network, the pool and sync use: fields first, then the message. */
import type { Logger as PinoLogger } from 'pino';

export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error'>;
