/**
 * What an unknown remote address may cost before we know who is there.
 *
 * Owns three bounds per IP address: connections accepted per second (asked by the kernel-facing server, before a
 * socket object exists), connections that have not shaken hands yet, and failed handshakes of PeerIds that nobody
 * lists. Addresses of configured peers have shares of their own, so that a flood from elsewhere cannot use them up.
 * Invariants: tables are bounded, the oldest entry goes first; every refusal expires by itself. Peers behind one
 * address share its budget until they have shaken hands: only then is there a better name for them.
 */
import { BlockList } from 'node:net';
import { type Budget, createTokenBucket, type TokenBucket } from '#node/network/tokenBucket.ts';

export type AddressLimits = {
  readonly acceptsPerAddress: Budget;
  /** For all addresses that are not configured together. */
  readonly acceptsTotal: Budget;
  readonly pendingPerAddress: number;
  readonly pendingTotal: number;
  /** Failed handshakes of unlisted PeerIds; beyond them the address waits. */
  readonly strangerFailures: Budget;
};

export const DEFAULT_ADDRESS_LIMITS: AddressLimits = {
  // fifty validators behind one address may all come at once
  acceptsPerAddress: { perSecond: 10, burst: 100 },
  acceptsTotal: { perSecond: 50, burst: 400 },
  pendingPerAddress: 32,
  pendingTotal: 128,
  strangerFailures: { perSecond: 0.1, burst: 5 },
};

export type AddressGate = {
  /** For `net.createServer`: true means closed at once. */
  readonly blockList: BlockList;
  /** A connection begins; null when the address has too many that have not shaken hands. */
  enter(address: string): (() => void) | null;
  /** An unlisted PeerId proved nothing. */
  strangerFailed(address: string): void;
  /** May an unlisted PeerId at this address try to prove a consensus key? */
  mayStrangerTry(address: string): boolean;
  pending(): number;
};

const MAX_ADDRESSES = 1_024;

export const createAddressGate = (
  limits: AddressLimits,
  configured: ReadonlySet<string>,
  nowMs: () => number,
  onRefused: (why: 'accept-rate' | 'pending', address: string) => void,
): AddressGate => {
  const accepts = new Map<string, TokenBucket>();
  const strangers = new Map<string, TokenBucket>();
  const pending = new Map<string, number>();
  const acceptsTotal = createTokenBucket(limits.acceptsTotal, nowMs);
  let pendingOfOthers = 0;
  let pendingAll = 0;

  const bucketOf = (table: Map<string, TokenBucket>, address: string, budget: Budget): TokenBucket => {
    let bucket = table.get(address);
    if (bucket === undefined) {
      if (table.size >= MAX_ADDRESSES) table.delete(table.keys().next().value!);
      bucket = createTokenBucket(budget, nowMs);
      table.set(address, bucket);
    }
    return bucket;
  };

  const mayAccept = (address: string): boolean => {
    if (!bucketOf(accepts, address, limits.acceptsPerAddress).take(1)) return false;
    return configured.has(address) || acceptsTotal.take(1);
  };

  class AcceptGate extends BlockList {
    override check(given: unknown): boolean {
      const address = plainAddress(typeof given === 'string' ? given : '');
      if (mayAccept(address)) return false;
      onRefused('accept-rate', address);
      return true;
    }
  }

  return {
    blockList: new AcceptGate(),
    enter(address) {
      const isConfigured = configured.has(address);
      const own = pending.get(address) ?? 0;
      if (own >= limits.pendingPerAddress || (!isConfigured && pendingOfOthers >= limits.pendingTotal)) {
        onRefused('pending', address);
        return null;
      }
      pending.set(address, own + 1);
      pendingAll++;
      if (!isConfigured) pendingOfOthers++;
      let left = false;
      return () => {
        if (left) return;
        left = true;
        pendingAll--;
        if (!isConfigured) pendingOfOthers--;
        const rest = pending.get(address)! - 1;
        if (rest === 0) pending.delete(address);
        else pending.set(address, rest);
      };
    },
    strangerFailed(address) {
      bucketOf(strangers, address, limits.strangerFailures).spend(1);
    },
    mayStrangerTry: (address) => bucketOf(strangers, address, limits.strangerFailures).spend(0) === 0,
    pending: () => pendingAll,
  };
};

/** IPv4 behind an IPv6 socket counts as itself; an IPv6 neighbourhood (/64) as one address. */
export const plainAddress = (address: string): string => {
  if (address.startsWith('::ffff:')) return address.slice(7);
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::', 2) as [string, string | undefined];
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) while (groups.length < 4) groups.push('0');
  return `${groups.slice(0, 4).join(':')}::/64`;
};
