/**
 * RFC 8785 (JSON Canonicalization Scheme) for the only values a specification consists of.
 *
 * Owns the bytes that are hashed. Restricted on purpose to strings, arrays and objects: numbers and their
 * formatting, the one difficult part of the RFC, do not occur (amounts are decimal strings). Member names are
 * sorted by UTF-16 code units and strings escaped as ECMAScript does, which is what the RFC prescribes.
 */
import { GenesisError } from '#genesis/errors.ts';

export type CanonicalValue = string | readonly CanonicalValue[] | { readonly [name: string]: CanonicalValue };

const writeString = (text: string): string => {
  if (!text.isWellFormed())
    throw new GenesisError(
      'NOT_CANONICAL',
      'expected well-formed Unicode, found a lone surrogate: remove it',
    );
  return JSON.stringify(text);
};

/** @throws GenesisError NOT_CANONICAL for a lone surrogate or any value that is not a string, array or object */
export const toCanonicalJson = (value: CanonicalValue): string => {
  if (typeof value === 'string') return writeString(value);
  if (Array.isArray(value)) return `[${value.map(toCanonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${members.map(([name, member]) => `${writeString(name)}:${toCanonicalJson(member)}`).join(',')}}`;
  }
  throw new GenesisError(
    'NOT_CANONICAL',
    `expected a string, array or plain object, found ${value === null ? 'null' : typeof value}: write numbers as decimal strings`,
  );
};
