/**
 * Options and arguments of the command line: one definition gives flag, type, default, environment variable, help.
 *
 * Owns the definitions and their parsers. Does not own what commands do with the values. A parser throws
 * `InvalidArgumentError`, which becomes a usage error that names the flag.
 */
import { resolve } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { type Address, type Hash, parseAddress, parseHash } from '#consensus/primitives.ts';
import { STORAGE_MODES } from '#node/storage/mode.ts';

export type OptionDefinition<T> = {
  /** As the help shows it: `--data <dir>`; without a placeholder it is a switch. */
  readonly flags: string;
  readonly help: string;
  readonly env?: string;
  readonly defaultValue?: T;
  readonly required?: boolean;
  /** @param previous what the same flag gave before, when it is repeated */
  parse?(text: string, previous?: T): T;
};

export type OptionValues = Readonly<Record<string, unknown>>;
/** The definitions of a command's options, by the name under which it receives the value. */
export type OptionTable<O extends OptionValues> = { readonly [K in keyof O]: OptionDefinition<O[K]> };

const refuse = (message: string): never => {
  throw new InvalidArgumentError(message);
};

export const parsePort = (text: string): number => {
  const port = Number(text);
  return /^\d{1,5}$/.test(text) && port <= 65_535 ? port : refuse(`Expected a port, found "${text}".`);
};

export const parseWholeNumber = (text: string): number =>
  /^\d{1,15}$/.test(text) ? Number(text) : refuse(`Expected a whole number, found "${text}".`);

export const parseUrl = (text: string): string =>
  URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
    ? text
    : refuse(`Expected an http or https URL, found "${text}".`);

export const parseAddressOption = (text: string): Address => {
  try {
    return parseAddress(text);
  } catch (error) {
    return refuse(`${(error as Error).message}.`);
  }
};

export const parseHashOption = (text: string): Hash => {
  try {
    return parseHash(text);
  } catch (error) {
    return refuse(`${(error as Error).message}.`);
  }
};

/** ETH with up to 18 decimals, or whole wei with the suffix `wei`. */
export const parseAmountWei = (text: string): bigint => {
  const wei = /^(\d{1,60})wei$/.exec(text);
  if (wei !== null) return BigInt(wei[1]!);
  const eth = /^(\d{1,40})(?:\.(\d{1,18}))?$/.exec(text);
  if (eth === null) return refuse(`Expected ETH such as "1.5", or wei such as "1000wei", found "${text}".`);
  return BigInt(eth[1]!) * 10n ** 18n + BigInt((eth[2] ?? '').padEnd(18, '0'));
};

export const parsePath = (text: string): string => (text === '' ? refuse('Expected a path.') : resolve(text));

type Parse<T> = (text: string) => T;

export const switchOption = (flags: string, help: string): OptionDefinition<boolean> => ({ flags, help });

export const requiredOption = <T>(
  flags: string,
  help: string,
  parse: Parse<T>,
  env?: string,
): OptionDefinition<T> => ({ flags, help, parse, required: true, ...(env === undefined ? {} : { env }) });

export const optionalOption = <T>(
  flags: string,
  help: string,
  parse: Parse<T>,
  env?: string,
): OptionDefinition<T | undefined> => ({ flags, help, parse, ...(env === undefined ? {} : { env }) });

export const defaultedOption = <T>(
  flags: string,
  help: string,
  parse: Parse<T>,
  defaultValue: T,
  env?: string,
): OptionDefinition<T> => ({ flags, help, parse, defaultValue, ...(env === undefined ? {} : { env }) });

export const MAX_REPEATS = 64;

/** Each use of the flag adds a value. */
export const repeatedOption = <T>(
  flags: string,
  help: string,
  parse: Parse<T>,
): OptionDefinition<readonly T[] | undefined> => ({
  flags,
  help,
  parse: (text, previous = []) =>
    previous.length < MAX_REPEATS
      ? [...previous, parse(text)]
      : refuse(`Expected at most ${MAX_REPEATS} of these.`),
});

export const jsonOption = switchOption(
  '--json',
  'machine-readable: one JSON value as the last line of stdout',
);

export const passphraseFileOption = optionalOption(
  '--passphrase-file <file>',
  'read the pass phrase from this file',
  parsePath,
  'CAUSEWAY_PASSPHRASE_FILE',
);

export const passphraseFdOption = optionalOption(
  '--passphrase-fd <number>',
  'read the pass phrase from this open file descriptor',
  parseWholeNumber,
);

export const configOption = requiredOption(
  '--config <file>',
  'the node’s configuration (TOML)',
  parsePath,
  'CAUSEWAY_CONFIG',
);

export const modeOption = optionalOption(
  '--mode <mode>',
  'archive or pruned, instead of the configuration’s storage.mode',
  (text) =>
    STORAGE_MODES.find((mode) => mode === text) ??
    refuse(`Expected ${STORAGE_MODES.join(' or ')}, found "${text}".`),
  'CAUSEWAY_MODE',
);

export const toCommanderOption = <T>(definition: OptionDefinition<T>): Option => {
  const option = new Option(definition.flags, definition.help);
  if (definition.env !== undefined) option.env(definition.env);
  if (definition.defaultValue !== undefined) option.default(definition.defaultValue);
  if (definition.required === true) option.makeOptionMandatory();
  if (definition.parse !== undefined) option.argParser(definition.parse);
  return option;
};

/** Commander's own name for the value of `--some-flag <x>`. */
export const attributeOf = (definition: OptionDefinition<unknown>): string =>
  toCommanderOption(definition).attributeName();
