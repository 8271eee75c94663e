/**
 * The sign guard as a file that travels: what a validator signed last, when its key moves to another machine.
 *
 * Owns the JSON format (FORMATS.md), in the spirit of EIP-3076, and its checks. Never holds a key. The newest signature
 * is part of it: it is public as soon as the vote was sent, it lets the receiver repeat the vote, and it proves that
 * the file speaks of this validator and was not changed. Unknown fields are errors, because a restriction that is not
 * understood would be lost.
 */
import { z } from 'zod';
import { recoverAddress } from '#consensus/crypto/secp256k1.ts';
import {
  type Address,
  type Hash,
  parseAddress,
  parseHash,
  parseSignature,
  ZERO_HASH,
} from '#consensus/primitives.ts';
import { NIL } from '#consensus/types.ts';
import { MAX_ROUND } from '#node/consensus/fields.ts';
import { GUARD_STEPS, type GuardOwner, type GuardState } from '#node/consensus/guard.ts';

export const GUARD_EXCHANGE_FORMAT = 'causeway-sign-guard';
export const GUARD_EXCHANGE_VERSION = 1;
export const MAX_GUARD_EXCHANGE_BYTES = 16 * 1024;

export type GuardExchangeErrorCode = 'BAD_GUARD_EXCHANGE';

export class GuardExchangeError extends Error {
  override readonly name = 'GuardExchangeError';
  readonly code: GuardExchangeErrorCode = 'BAD_GUARD_EXCHANGE';
}

export type GuardExchange = { readonly owner: GuardOwner; readonly state: GuardState };

/** Deterministic: the same guard gives the same bytes. */
export const formatGuardExchange = ({ owner, state }: GuardExchange): string => {
  const { height, round, step, valueId, digest, signature, lock, learned } = state;
  const json = {
    format: GUARD_EXCHANGE_FORMAT,
    version: GUARD_EXCHANGE_VERSION,
    genesisHash: owner.genesisHash,
    validator: owner.validator,
    newest: { height: String(height), round, step, valueId, digest, signature },
    lock,
    heightClosed: learned === true,
  };
  return `${JSON.stringify(json, null, 2)}\n`;
};

const hash = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/)
  .transform(parseHash);
const round = z.int().min(0).max(MAX_ROUND);
const schema = z.strictObject({
  format: z.literal(GUARD_EXCHANGE_FORMAT),
  version: z.literal(GUARD_EXCHANGE_VERSION),
  genesisHash: hash,
  validator: z
    .string()
    .regex(/^0x[0-9a-f]{40}$/)
    .transform(parseAddress),
  newest: z.strictObject({
    height: z
      .string()
      .regex(/^(0|[1-9]\d{0,19})$/)
      .transform(BigInt)
      .refine((height) => height < 1n << 64n),
    round,
    step: z.enum(GUARD_STEPS),
    valueId: hash.nullable(),
    digest: hash,
    signature: z
      .string()
      .regex(/^0x[0-9a-f]{130}$/)
      .transform(parseSignature)
      .nullable(),
  }),
  lock: z.strictObject({ round, valueId: hash }).nullable(),
  heightClosed: z.boolean(),
});

const fail = (what: string): never => {
  throw new GuardExchangeError(
    `expected the export of a sign guard (${GUARD_EXCHANGE_FORMAT}, version ${GUARD_EXCHANGE_VERSION}), found ${what}: export it again with causeway guard export`,
  );
};

const parseFields = (text: string): z.output<typeof schema> => {
  if (text.length > MAX_GUARD_EXCHANGE_BYTES) return fail(`${text.length} characters`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fail('no JSON');
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return fail(`"${issue?.path.join('.') ?? ''}": ${issue?.message ?? 'malformed'}`);
};

/** A precommit for a value is its own lock; a signature must be the validator's own. */
const checkMeaning = (validator: Address, state: GuardState): void => {
  const { step, valueId, digest, signature, lock, round: at } = state;
  if ((step === 'proposal') !== (valueId === null)) fail('a value that does not fit the step');
  if (signature === null ? digest !== ZERO_HASH : recoverAddress(digest, signature) !== validator)
    fail('a digest that this validator did not sign');
  if (lock !== null && lock.round > at) fail('a lock of a later round than the newest signature');
  const locks: Hash | null = signature !== null && step === 'precommit' && valueId !== NIL ? valueId : null;
  if (locks !== null && (lock?.round !== at || lock.valueId !== locks)) fail('a precommit without its lock');
};

/** @throws GuardExchangeError BAD_GUARD_EXCHANGE */
export const parseGuardExchange = (text: string): GuardExchange => {
  const { genesisHash, validator, newest, lock, heightClosed } = parseFields(text);
  const state: GuardState = { ...newest, lock, ...(heightClosed ? { learned: true as const } : {}) };
  checkMeaning(validator, state);
  return { owner: { genesisHash, validator }, state };
};
