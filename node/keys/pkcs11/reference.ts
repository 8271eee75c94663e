/**
 * A file that stands for a key in a PKCS#11 token: where the key is, and its address. It holds no secret.
 *
 * The PIN comes from the same sources as a pass phrase, or from a file of its own that the reference names.
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { type Address, parseAddress } from '#consensus/primitives.ts';
import { createFileDurably } from '#node/keys/durableFile.ts';
import { KeyError } from '#node/keys/errors.ts';

const FORMAT = 'causeway-pkcs11-key-1';
const MAX_FILE_BYTES = 64 * 1024;

const label = z
  .string()
  .regex(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/, 'expected a label of printable ASCII characters');

const schema = z.strictObject({
  format: z.literal(FORMAT),
  /** Path of the PKCS#11 library. */
  module: z.string().min(1),
  token: label.max(32),
  label: label.max(255),
  address: z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/, 'expected an address as 0x and 40 hex digits')
    .transform(parseAddress),
  pin_file: z.string().min(1).optional(),
});

export type TokenKey = {
  readonly module: string;
  readonly token: string;
  readonly label: string;
  readonly address: Address;
  /** Absolute; null: the pass phrase is the PIN. */
  readonly pinFile: string | null;
};

/** @returns null when the file is of another kind. @throws KeyError UNREADABLE, BAD_SHAPE */
export const readTokenKey = async (path: string): Promise<TokenKey | null> => {
  let text: string;
  try {
    if ((await stat(path)).size > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new KeyError('UNREADABLE', `cannot read the key file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (!text.includes('"causeway-pkcs11-key-')) return null;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new KeyError('BAD_JSON', `${path}: expected JSON, found: ${(error as Error).message}`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new KeyError(
      'BAD_SHAPE',
      `${path}: expected a reference to a PKCS#11 key, found at ${issue?.path.join('.') || 'the top'}: ${issue?.message}`,
    );
  }
  const { pin_file: pinFile, format: _, ...key } = parsed.data;
  const folder = dirname(resolve(path));
  return {
    ...key,
    module: resolve(folder, key.module),
    pinFile: pinFile === undefined ? null : resolve(folder, pinFile),
  };
};

/** @throws KeyError EXISTS, UNWRITABLE */
export const writeTokenKey = async (path: string, key: TokenKey): Promise<void> => {
  const { pinFile, ...rest } = key;
  const json = { format: FORMAT, ...rest, ...(pinFile === null ? {} : { pin_file: pinFile }) };
  try {
    await createFileDurably(path, `${JSON.stringify(json, null, 2)}\n`);
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw new KeyError(
      exists ? 'EXISTS' : 'UNWRITABLE',
      exists
        ? `expected no file at ${path}, found one: a key is never overwritten, choose another name or move it away`
        : `cannot write ${path}: ${(error as Error).message}`,
      { cause: error },
    );
  }
};
