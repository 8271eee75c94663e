/**
 * Leaves, one format for both directions, and the deposit hash chain over them (RULES 47).
 *
 * Owns the hashes; Leaves.sol computes the same, and test/golden/peg.json holds both to one set of vectors. A leaf
 * hash is bound to both chains and both bridges. Encoded by hand: validators fold every deposit.
 */
import { keccak256, keccak256Hex } from '#consensus/crypto/keccak.ts';
import {
  type Address,
  concatBytes,
  type Hash,
  hexToBytes,
  toBigEndian,
  ZERO_HASH,
} from '#consensus/primitives.ts';

/** The last two move nothing and travel with the deposits alone; their dataHash is the keccak of what they tell. */
export const LEAF_KIND = { native: 0, erc20: 1, list: 2, relayerSet: 3 } as const;

/** Whether a leaf travels with the preimage of its dataHash. */
export const hasData = ({ kind }: Pick<Leaf, 'kind'>): boolean => kind >= LEAF_KIND.list;
export const LEAF_VERSION = 1;

export type Leaf = {
  readonly kind: number;
  /** Deposits: place in the chain. Withdrawals: index in the outbox tree. Both from 0. */
  readonly nonce: bigint;
  /** Zero for the native coin. */
  readonly token: Address;
  readonly sender: Address;
  readonly recipient: Address;
  readonly amount: bigint;
  readonly fee: bigint;
  readonly dataHash: Hash;
};

/** What a leaf hash is bound to; the two directions swap source and destination. */
export type LeafContext = {
  readonly srcChainId: bigint;
  readonly dstChainId: bigint;
  readonly srcBridge: Address;
  readonly dstBridge: Address;
};

const utf8 = new TextEncoder();

export const LEAF_TYPEHASH: Hash = keccak256Hex(
  utf8.encode(
    'Leaf(uint8 version,uint8 kind,uint64 nonce,uint256 srcChainId,uint256 dstChainId,address srcBridge,address dstBridge,address token,address sender,address recipient,uint256 amount,uint256 fee,bytes32 dataHash)',
  ),
);

const uint = (value: bigint | number): Uint8Array => toBigEndian(BigInt(value), 32);

/** Hashed twice, so that no inner node of a tree can pass for a leaf. @throws RangeError for a field that does not fit */
export const leafHash = (context: LeafContext, leaf: Leaf): Hash =>
  keccak256Hex(
    keccak256(
      concatBytes(
        hexToBytes(LEAF_TYPEHASH),
        uint(LEAF_VERSION),
        uint(toUint(leaf.kind, 8)),
        uint(toUint(leaf.nonce, 64)),
        uint(context.srcChainId),
        uint(context.dstChainId),
        uint(BigInt(context.srcBridge)),
        uint(BigInt(context.dstBridge)),
        uint(BigInt(leaf.token)),
        uint(BigInt(leaf.sender)),
        uint(BigInt(leaf.recipient)),
        uint(toUint(leaf.amount, 256)),
        uint(toUint(leaf.fee, 256)),
        hexToBytes(leaf.dataHash),
      ),
    ),
  );

const toUint = (value: bigint | number, bits: number): bigint => {
  const number = BigInt(value);
  if (number < 0n || number >> BigInt(bits) !== 0n)
    throw new RangeError(`expected an unsigned ${bits}-bit number, found ${number}`);
  return number;
};

/** The deposit chain before the first deposit. */
export const EMPTY_DEPOSIT_HASH: Hash = ZERO_HASH;

/** h = keccak(abi.encode(h, leaf)). */
export const foldDeposit = (hash: Hash, leaf: Hash): Hash =>
  keccak256Hex(concatBytes(hexToBytes(hash), hexToBytes(leaf)));
