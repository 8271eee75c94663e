/**
 * What clients use: a token bucket for each, by the cost of methods. Every item of a batch is charged.
 *
 * Bounded: the client that was seen longest ago is forgotten first, and starts with a full bucket when it comes again.
 */
import { createTokenBucket, type TokenBucket } from '#node/network/tokenBucket.ts';
import type { Identity } from '#node/rpc/identity.ts';
import type { Role } from '#node/rpc/roles.ts';
import type { Rate } from '#node/rpc/rpcOptions.ts';

export type Charge = (identity: Pick<Identity, 'client' | 'role'>, cost: number) => boolean;

const MAX_CLIENTS = 20_000;

/** The charge is false, and nothing is taken, when the bucket does not cover it. */
export const createCharge = (
  rates: Readonly<Partial<Record<Role, Rate | null>>>,
  nowMs: () => number,
): Charge => {
  const buckets = new Map<string, TokenBucket>();
  return ({ client, role }, cost) => {
    const rate = rates[role] ?? null;
    if (rate === null) return true;
    const known = buckets.get(client);
    const bucket = known ?? createTokenBucket(rate, nowMs);
    // The order of the map is the order of last use.
    if (known !== undefined) buckets.delete(client);
    else if (buckets.size >= MAX_CLIENTS) buckets.delete(buckets.keys().next().value!);
    buckets.set(client, bucket);
    return bucket.take(cost);
  };
};
