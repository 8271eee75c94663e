/**
 * What all documents of a ceremony have in common: one byte form, one hash.
 *
 * Owns reading and writing. A document is RFC 8785 JSON and a line break, and nothing else is read: a file that says
 * the same in other bytes was not written by this tool, and two readers can never see two things in one file.
 */
import { z } from 'zod';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import type { Address, Hash, Signature } from '#consensus/primitives.ts';
import { type CanonicalValue, toCanonicalJson } from '#genesis/canonicalJson.ts';
import { CeremonyError, printable } from '#genesis/ceremony/errors.ts';
import { GenesisError } from '#genesis/errors.ts';

/** 100,000 balances fit. */
export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;

export type DocumentJson = { readonly [name: string]: CanonicalValue };

const utf8 = new TextEncoder();

export const documentToHash = (document: DocumentJson): Hash =>
  keccak256Hex(utf8.encode(toCanonicalJson(document)));

export const writeDocument = (document: DocumentJson): string => `${toCanonicalJson(document)}\n`;

const text = (pattern: RegExp, message: string) => z.string().regex(pattern, message);

export const shapes = {
  hash: text(/^0x[0-9a-f]{64}$/, 'expected a 32-byte hash in lower case').transform((value) => value as Hash),
  address: text(/^0x[0-9a-f]{40}$/, 'expected an address in lower case').transform(
    (value) => value as Address,
  ),
  signature: text(/^0x[0-9a-f]{130}$/, 'expected a 65-byte signature in lower case').transform(
    (value) => value as Signature,
  ),
  name: text(
    /^[a-z0-9][a-z0-9-]{0,62}$/,
    'expected a name of at most 63 lower-case letters, digits and hyphens',
  ),
  /** UTC, whole seconds. */
  instant: text(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'expected a time such as 2026-01-31T12:00:00Z').refine(
    (value) => !Number.isNaN(Date.parse(value)),
    'expected a time that exists',
  ),
};

/** An issue's place and text, the first five. */
export const describeIssues = (error: z.ZodError, whole: string): string =>
  error.issues
    .slice(0, 5)
    .map(({ path, message }) => printable(`${path.length === 0 ? whole : path.join('.')}: ${message}`))
    .join('; ');

/** Ours nest six deep. */
const MAX_DEPTH = 16;

const isShallow = (json: unknown, left = MAX_DEPTH): boolean =>
  typeof json !== 'object' ||
  json === null ||
  (left > 0 && Object.values(json).every((member) => isShallow(member, left - 1)));

/** Null for what no document of ours is: numbers, nulls, broken Unicode, or a nesting that has no end. */
export const tryCanonicalJson = (json: unknown): string | null => {
  if (!isShallow(json)) return null;
  try {
    return toCanonicalJson(json as DocumentJson);
  } catch (error) {
    if (error instanceof GenesisError) return null;
    throw error;
  }
};

/** @param what for messages: “the opening”. @throws CeremonyError BAD_DOCUMENT, OTHER_FORMAT */
export const parseDocument = <S extends z.ZodType>(
  content: string,
  what: string,
  format: string,
  schema: S,
): z.output<S> => {
  if (content.length > MAX_DOCUMENT_BYTES)
    throw new CeremonyError(
      'BAD_DOCUMENT',
      `expected ${what} of at most ${MAX_DOCUMENT_BYTES} bytes, found more: it is not one`,
    );
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (error) {
    throw new CeremonyError(
      'BAD_DOCUMENT',
      `expected ${what} as JSON, found: ${(error as Error).message}: the file was cut or damaged, carry it again`,
    );
  }
  return checkDocument(json, content, what, format, schema);
};

/** The same for a part of another file. @param content its bytes there, without or with a line break */
export const checkDocument = <S extends z.ZodType>(
  json: unknown,
  content: string,
  what: string,
  format: string,
  schema: S,
): z.output<S> => {
  const found = (json as { format?: unknown } | null)?.format;
  if (found !== format)
    throw new CeremonyError(
      'OTHER_FORMAT',
      `expected ${what} of format "${format}", found ${typeof found === 'string' ? `"${found.slice(0, 60)}"` : 'none'}: it is another file, or another release wrote it; all members use one release`,
    );
  const parsed = schema.safeParse(json);
  if (!parsed.success)
    throw new CeremonyError(
      'BAD_DOCUMENT',
      `expected ${what}, found ${describeIssues(parsed.error, 'the file')}`,
    );
  const canonical = tryCanonicalJson(json);
  if (canonical === null || (content !== canonical && content !== `${canonical}\n`))
    throw new CeremonyError(
      'BAD_DOCUMENT',
      `expected ${what} in canonical JSON, found other bytes: the file was edited or passed through another program, carry it again`,
    );
  return parsed.data;
};

/** How far a member's clock may be off. */
const CLOCK_SKEW_MS = 24 * 3_600 * 1_000;

/** @throws CeremonyError CLOCK */
export const requireNotBefore = (what: string, at: string, earliest: string): void => {
  if (Date.parse(at) + CLOCK_SKEW_MS < Date.parse(earliest))
    throw new CeremonyError(
      'CLOCK',
      `expected ${what} not before ${earliest} (give or take a day), found ${at}: set the clock of that machine`,
    );
};
