/**
 * The block after the head as far as it is known: an empty one. Nothing is executed ahead of a commit, so it lists no
 * transactions and shows the head's state root. Hash, nonce and miner are null, as geth shows a pending block.
 */

import { createHash } from 'node:crypto';
import { RLP } from '@ethereumjs/rlp';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { concatBytes, hexToBytes, toBigEndian, ZERO_ADDRESS, ZERO_HASH } from '#consensus/primitives.ts';
import type { Head } from '#node/chain.ts';
import { largerOf } from '#node/rpc/bigints.ts';
import { formatBlock } from '#node/rpc/format/block.ts';

const EMPTY_LIST_HASH = keccak256(RLP.encode([]));
const EMPTY_TRIE_ROOT = keccak256(RLP.encode(new Uint8Array()));
const NO_REQUESTS_HASH = new Uint8Array(createHash('sha256').digest());

export const formatPendingBlock = (
  head: Head,
  next: { readonly baseFeeWei: bigint; readonly timestamp: bigint },
): Record<string, unknown> => {
  const parent = head.block;
  const height = parent.height + 1n;
  const header = RLP.encode([
    hexToBytes(parent.hash),
    EMPTY_LIST_HASH,
    hexToBytes(ZERO_ADDRESS),
    hexToBytes(parent.stateRoot),
    EMPTY_TRIE_ROOT,
    EMPTY_TRIE_ROOT,
    new Uint8Array(256),
    0n,
    height,
    parent.gasLimit,
    0n,
    largerOf(next.timestamp, parent.timestamp),
    hexToBytes(head.nextValidators.hash),
    keccak256(concatBytes(hexToBytes(parent.hash), toBigEndian(height, 8))),
    new Uint8Array(8),
    next.baseFeeWei,
    EMPTY_TRIE_ROOT,
    0n,
    0n,
    hexToBytes(parent.valueId),
    NO_REQUESTS_HASH,
  ]);
  const shown = formatBlock(
    { ...parent, hash: ZERO_HASH, header, transactions: [], transactionHashes: [] },
    null,
  );
  return { ...shown, hash: null, nonce: null, miner: null };
};
