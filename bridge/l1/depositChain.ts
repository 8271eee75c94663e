/**
 * The deposit hash chain as this node folded it itself: after each count, the hash, the ether, the block.
 *
 * Owns memory of the fold, packed (72 bytes a deposit), with a watermark: what is above `verifiedCount` was read
 * from logs but not yet compared with the vault, and is never shown. Does not own reading or comparing
 * (watcher.ts). Source: RULES 47, h₀ = 0, h = keccak(abi.encode(h, leaf)).
 */
import { bytesToHash, type Hash, hexToBytes, toBigEndian, ZERO_HASH } from '#consensus/primitives.ts';

const HASH_BYTES = 32;
const WEI_BYTES = 32;
const BLOCK_BYTES = 8;
const ENTRY_BYTES = HASH_BYTES + WEI_BYTES + BLOCK_BYTES;

export type FoldedDeposit = {
  /** The chain's hash after this deposit. */
  readonly hash: Hash;
  /** Ether in this deposit; 0 for other kinds. */
  readonly nativeWei: bigint;
  /** Whether it moves nothing and tells something: a listing, a relayer set. Few. */
  readonly hasData?: boolean;
  readonly blockNumber: bigint;
};

export class DepositChain {
  #entries = new Uint8Array(64 * ENTRY_BYTES);
  #stagedCount = 0;
  #verifiedCount = 0;
  /** Nonces of leaves with data, ascending. */
  readonly #dataLeaves: number[] = [];

  get verifiedCount(): bigint {
    return BigInt(this.#verifiedCount);
  }

  get stagedCount(): bigint {
    return BigInt(this.#stagedCount);
  }

  get stagedHash(): Hash {
    return this.#hashAfter(this.#stagedCount);
  }

  /** Adds one that is not verified yet. */
  stage({ hash, nativeWei, hasData = false, blockNumber }: FoldedDeposit): void {
    const at = this.#stagedCount * ENTRY_BYTES;
    if (at + ENTRY_BYTES > this.#entries.length) {
      const grown = new Uint8Array(2 * this.#entries.length);
      grown.set(this.#entries);
      this.#entries = grown;
    }
    const weiSoFar = this.#weiAfter(this.#stagedCount) + nativeWei;
    this.#entries.set(hexToBytes(hash), at);
    this.#entries.set(toBigEndian(weiSoFar, WEI_BYTES), at + HASH_BYTES);
    this.#entries.set(toBigEndian(blockNumber, BLOCK_BYTES), at + HASH_BYTES + WEI_BYTES);
    if (hasData) this.#dataLeaves.push(this.#stagedCount);
    this.#stagedCount++;
  }

  /** The vault agreed with everything staged. */
  verifyStaged(): void {
    this.#verifiedCount = this.#stagedCount;
  }

  /** The vault disagreed: forget what was staged. */
  dropStaged(): void {
    this.#stagedCount = this.#verifiedCount;
    while ((this.#dataLeaves.at(-1) ?? -1) >= this.#stagedCount) this.#dataLeaves.pop();
  }

  /** Null above the verified count. */
  hashAt(count: bigint): Hash | null {
    return this.#isShown(count) ? this.#hashAfter(Number(count)) : null;
  }

  /** Sum of ether in the first `count` deposits; null above the verified count. */
  weiAt(count: bigint): bigint | null {
    return this.#isShown(count) ? this.#weiAfter(Number(count)) : null;
  }

  /** The L1 block of deposit `nonce`; null above the verified count. */
  blockOf(nonce: bigint): bigint | null {
    if (!this.#isShown(nonce + 1n)) return null;
    const at = Number(nonce) * ENTRY_BYTES + HASH_BYTES + WEI_BYTES;
    return bigEndian(this.#entries.subarray(at, at + BLOCK_BYTES));
  }

  /** The first verified leaf with data at or above `nonce`; null without one. */
  dataLeafFrom(nonce: bigint): bigint | null {
    const found = this.#dataLeaves.find((leaf) => BigInt(leaf) >= nonce && leaf < this.#verifiedCount);
    return found === undefined ? null : BigInt(found);
  }

  #isShown(count: bigint): boolean {
    return count >= 0n && count <= BigInt(this.#verifiedCount);
  }

  #hashAfter(count: number): Hash {
    if (count === 0) return ZERO_HASH;
    const at = (count - 1) * ENTRY_BYTES;
    return bytesToHash(this.#entries.subarray(at, at + HASH_BYTES));
  }

  #weiAfter(count: number): bigint {
    if (count === 0) return 0n;
    const at = (count - 1) * ENTRY_BYTES + HASH_BYTES;
    return bigEndian(this.#entries.subarray(at, at + WEI_BYTES));
  }
}

const bigEndian = (bytes: Uint8Array): bigint =>
  bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
