/**
 * Untrusted JSON into our types: quantities, data, addresses, block parameters, log filters.
 *
 * Follows geth's decoding: quantities without leading zeros, data of whole bytes, EIP-1898 block parameters;
 * unknown and null fields of objects are ignored. Calls are in callParams.ts.
 */
import { z } from 'zod';
import { type Address, type Hash, parseAddress, parseHash } from '#consensus/primitives.ts';

/**
 * A schema for text; what `parse` throws becomes the refusal's words.
 * @param described JSON Schema of the text, for rpc_discover
 */
const textTo = <T>(parse: (text: string) => T, described: z.core.GlobalMeta = {}) =>
  z
    .string('expected a string')
    .transform((text, context): T => {
      try {
        return parse(text);
      } catch (error) {
        context.addIssue({
          code: 'custom',
          message: error instanceof Error ? error.message : 'not understood',
        });
        return z.NEVER;
      }
    })
    .meta(described);

const HEX_DIGITS = /^[0-9a-fA-F]*$/;

const hexDigits = (text: string): string => {
  if (!/^0[xX]/.test(text))
    throw new Error(text === '' ? 'empty hex string' : 'hex string without 0x prefix');
  const digits = text.slice(2);
  if (!HEX_DIGITS.test(digits)) throw new Error('invalid hex string');
  return digits;
};

const parseQuantity = (text: string, bits: number): bigint => {
  const digits = hexDigits(text);
  if (digits === '') throw new Error('hex string "0x"');
  if (digits.length > 1 && digits.startsWith('0')) throw new Error('hex number with leading zero digits');
  if (digits.length > bits / 4) throw new Error(`hex number > ${bits} bits`);
  return BigInt(`0x${digits}`);
};

const parseData = (text: string): Uint8Array => {
  const digits = hexDigits(text);
  if (digits.length % 2 === 1) throw new Error('hex string of odd length');
  return new Uint8Array(Buffer.from(digits, 'hex'));
};

const parseStorageKey = (text: string): Hash => {
  const digits = hexDigits(text.startsWith('0x') || text.startsWith('0X') ? text : `0x${text}`);
  if (digits.length > 64) throw new Error('storage key too long (want at most 32 bytes)');
  return parseHash(`0x${digits.padStart(64, '0')}`);
};

const QUANTITY = '^0[xX](0|[1-9a-fA-F][0-9a-fA-F]*)$';
export const quantity = textTo((text) => parseQuantity(text, 256), {
  title: 'hex number up to 256 bits',
  pattern: QUANTITY,
});
export const uint64 = textTo((text) => parseQuantity(text, 64), {
  title: 'hex number up to 64 bits',
  pattern: QUANTITY,
});
export const data = textTo(parseData, { title: 'bytes in hex', pattern: '^0[xX]([0-9a-fA-F]{2})*$' });
export const address = textTo(parseAddress, { title: '20 bytes', pattern: '^0x[0-9a-fA-F]{40}$' });
export const hash = textTo(parseHash, { title: '32 bytes', pattern: '^0x[0-9a-fA-F]{64}$' });
/** A storage slot: a quantity with or without leading zeros, up to 32 bytes. */
export const storageKey = textTo(parseStorageKey, {
  title: 'storage slot, up to 32 bytes',
  pattern: '^(0[xX])?[0-9a-fA-F]{0,64}$',
});
export const flag = z.boolean('expected true or false');
/** A count or index: a hex quantity, or a plain number or decimal string as geth's HexOrDecimal64. */
export const count = z.union(
  [
    z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).transform(BigInt),
    textTo((text) => (/^\d{1,15}$/.test(text) ? BigInt(text) : parseQuantity(text, 64))),
  ],
  'expected a hex quantity',
);

export type BlockTag = 'latest' | 'safe' | 'finalized' | 'earliest' | 'pending';
export type BlockByNumber =
  | { readonly kind: 'tag'; readonly tag: BlockTag }
  | { readonly kind: 'height'; readonly height: bigint };
export type BlockSelector = BlockByNumber | { readonly kind: 'hash'; readonly hash: Hash };

const TAGS: readonly string[] = ['latest', 'safe', 'finalized', 'earliest', 'pending'];

const parseBlockNumber = (text: string): BlockByNumber => {
  if (TAGS.includes(text)) return { kind: 'tag', tag: text as BlockTag };
  const height = parseQuantity(text, 64);
  if (height >= 1n << 63n) throw new Error('block number larger than int64');
  return { kind: 'height', height };
};

const BLOCK_NUMBER = { anyOf: [{ enum: TAGS }, { type: 'string', pattern: QUANTITY }] };
/** A tag or a height. */
export const blockNumber = textTo(parseBlockNumber, { title: 'tag or height', ...BLOCK_NUMBER });

const parseBlock = (text: string): BlockSelector =>
  text.length === 66 ? { kind: 'hash', hash: parseHash(text) } : parseBlockNumber(text);

const blockText = textTo(parseBlock);

export const nullable = <T>(schema: z.ZodType<T>) =>
  schema.nullish().transform((value) => value ?? undefined);

const eip1898 = z
  .object({ blockNumber: nullable(blockNumber), blockHash: nullable(hash), requireCanonical: nullable(flag) })
  .transform((value, context): BlockSelector => {
    if (value.blockHash !== undefined && value.blockNumber === undefined)
      return { kind: 'hash', hash: value.blockHash };
    if (value.blockNumber !== undefined && value.blockHash === undefined) return value.blockNumber;
    context.addIssue({
      code: 'custom',
      message:
        value.blockHash === undefined
          ? 'expected blockNumber or blockHash'
          : 'cannot specify both BlockHash and BlockNumber, choose one or the other',
    });
    return z.NEVER;
  });

/** A tag, a height, a hash, or EIP-1898's object; requireCanonical is always met, because there is only one chain. */
export const block: z.ZodType<BlockSelector> = z
  .unknown()
  .transform((value, context): BlockSelector => {
    const parsed = (typeof value === 'object' ? eip1898 : blockText).safeParse(value);
    if (parsed.success) return parsed.data;
    context.addIssue({ code: 'custom', message: parsed.error.issues[0]?.message ?? 'not a block' });
    return z.NEVER;
  })
  .meta({
    title: 'tag, height, hash or EIP-1898 object',
    anyOf: [...BLOCK_NUMBER.anyOf, { type: 'string', pattern: '^0x[0-9a-fA-F]{64}$' }, { type: 'object' }],
  });

const MAX_TOPICS = 4;
const MAX_ALTERNATIVES = 1_000;

const alternatives = <T extends string>(one: z.ZodType<T>, what: string) =>
  z.unknown().transform((value, context): ReadonlySet<T> | null => {
    if (value === null || value === undefined) return null;
    const list = Array.isArray(value) ? value : [value];
    if (list.length > MAX_ALTERNATIVES) {
      context.addIssue({ code: 'custom', message: 'exceed max addresses or topics per search position' });
      return z.NEVER;
    }
    if (list.length === 0 || list.includes(null)) return null;
    const parsed = z.array(one).safeParse(list);
    if (parsed.success) return new Set(parsed.data);
    context.addIssue({ code: 'custom', message: `${what}: ${parsed.error.issues[0]?.message ?? 'invalid'}` });
    return z.NEVER;
  });

/** Null stands for "any". */
export type LogCriteria = {
  readonly addresses: ReadonlySet<Address> | null;
  readonly topics: readonly (ReadonlySet<Hash> | null)[];
};

export type LogFilter = LogCriteria & {
  readonly blockHash: Hash | undefined;
  readonly fromBlock: BlockByNumber | undefined;
  readonly toBlock: BlockByNumber | undefined;
};

export const logFilter: z.ZodType<LogFilter> = z
  .object(
    {
      address: nullable(alternatives(address, 'invalid address')),
      topics: nullable(z.array(alternatives(hash, 'invalid topic(s)')).max(MAX_TOPICS, 'exceed max topics')),
      blockHash: nullable(hash),
      fromBlock: nullable(blockNumber),
      toBlock: nullable(blockNumber),
    },
    'expected a filter object',
  )
  .transform((value, context) => {
    if (value.blockHash !== undefined && (value.fromBlock !== undefined || value.toBlock !== undefined)) {
      context.addIssue({
        code: 'custom',
        message: 'cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other',
      });
      return z.NEVER;
    }
    return {
      addresses: value.address ?? null,
      topics: value.topics ?? [],
      blockHash: value.blockHash,
      fromBlock: value.fromBlock,
      toBlock: value.toBlock,
    };
  });
