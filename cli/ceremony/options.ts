/** Options that the ceremony's commands share. */
import { InvalidArgumentError } from 'commander';
import { parsePath, requiredOption } from '#cli/options.ts';

export const folderOption = requiredOption(
  '--folder <dir>',
  'the ceremony’s folder: public files, which travel',
  parsePath,
  'CAUSEWAY_CEREMONY',
);
export const keysOption = requiredOption(
  '--keys <dir>',
  'your folder of keys, which never travels',
  parsePath,
  'CAUSEWAY_KEYS',
);

const parseName = (text: string): string => {
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError(`Expected a name as the plan writes it, found "${text}".`);
};

export const organisationOption = requiredOption(
  '--organisation <name>',
  'who you are, as the plan names you',
  parseName,
  'CAUSEWAY_ORGANISATION',
);

export type SeatEndpoint = { readonly seat: string; readonly endpoint: string };

/** `SEAT=ENDPOINT`; the endpoint itself is judged with the enrolment. */
export const parseSeatEndpoint = (text: string): SeatEndpoint => {
  const at = text.indexOf('=');
  if (at <= 0 || at === text.length - 1)
    throw new InvalidArgumentError(`Expected SEAT=ENDPOINT, found "${text}".`);
  return { seat: parseName(text.slice(0, at)), endpoint: text.slice(at + 1) };
};

/** The machine's clock in the form of the documents. */
export const nowInstant = (): string => `${new Date().toISOString().slice(0, 19)}Z`;
