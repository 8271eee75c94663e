/**
 * The outbox: an append-only Merkle tree of depth 32 over withdrawal leaves, as PegGateway builds it (RULES 47).
 *
 * Owns roots, appending and proofs. Empty leaf 0, node = keccak(left ‖ right). Any later root proves every earlier
 * leaf. Leaf hashes are double keccaks, so an inner node can never pass for a leaf.
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { concatBytes, type Hash, hexToBytes, ZERO_HASH } from '#consensus/primitives.ts';

export const OUTBOX_DEPTH = 32;
/** The last position stays empty, so that a count always fits in 32 bits. */
export const OUTBOX_CAPACITY = 2n ** 32n - 1n;

const hashPair = (left: Hash, right: Hash): Hash =>
  keccak256Hex(concatBytes(hexToBytes(left), hexToBytes(right)));

/** Root of an empty subtree at each level, 0 (a leaf) to 32 (the whole tree). */
export const EMPTY_SUBTREES: readonly Hash[] = (() => {
  const roots: Hash[] = [ZERO_HASH];
  for (let level = 0; level < OUTBOX_DEPTH; level++) roots.push(hashPair(roots[level]!, roots[level]!));
  return roots;
})();

export const EMPTY_OUTBOX_ROOT: Hash = EMPTY_SUBTREES[OUTBOX_DEPTH]!;

export type OutboxTreeErrorCode = 'OUT_OF_RANGE' | 'FULL';

export class OutboxTreeError extends Error {
  override readonly name = 'OutboxTreeError';
  readonly code: OutboxTreeErrorCode;
  constructor(code: OutboxTreeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** What appending needs: the count, and the full left subtree of each level that still waits for its right one. */
export type OutboxFrontier = {
  readonly count: bigint;
  readonly branch: readonly Hash[];
  readonly root: Hash;
};

export const EMPTY_OUTBOX: OutboxFrontier = { count: 0n, branch: [], root: EMPTY_OUTBOX_ROOT };

/** One pass, as the contract does it. @throws OutboxTreeError FULL */
export const appendLeaf = (frontier: OutboxFrontier, leaf: Hash): OutboxFrontier => {
  if (frontier.count >= OUTBOX_CAPACITY)
    throw new OutboxTreeError('FULL', `expected fewer than ${OUTBOX_CAPACITY} leaves: the outbox is full`);
  const branch = [...frontier.branch];
  let node = leaf;
  let stored = false;
  for (let level = 0; level < OUTBOX_DEPTH; level++) {
    if ((frontier.count >> BigInt(level)) & 1n) {
      node = hashPair(branch[level]!, node);
    } else {
      if (!stored) branch[level] = node;
      stored = true;
      node = hashPair(node, EMPTY_SUBTREES[level]!);
    }
  }
  return { count: frontier.count + 1n, branch, root: node };
};

/** Nodes of each level over `leaves`, without the empty right part. */
const levelsOf = (leaves: readonly Hash[]): Hash[][] => {
  const levels: Hash[][] = [[...leaves]];
  for (let level = 0; level < OUTBOX_DEPTH; level++) {
    const below = levels[level]!;
    const above: Hash[] = [];
    for (let at = 0; at < below.length; at += 2)
      above.push(hashPair(below[at]!, below[at + 1] ?? EMPTY_SUBTREES[level]!));
    levels.push(above);
  }
  return levels;
};

/** @param leaves all leaves in order */
export const outboxRoot = (leaves: readonly Hash[]): Hash =>
  levelsOf(leaves)[OUTBOX_DEPTH]![0] ?? EMPTY_OUTBOX_ROOT;

export type OutboxProof = {
  readonly index: bigint;
  readonly leaf: Hash;
  /** 32 siblings, from the leaf's level upwards. */
  readonly siblings: readonly Hash[];
  readonly root: Hash;
};

/**
 * Proves leaf `index` against the root that the tree had at `count` leaves.
 * @param leaves at least the first `count` leaves, in order
 * @throws OutboxTreeError OUT_OF_RANGE
 */
export const outboxProof = (leaves: readonly Hash[], index: number, count = leaves.length): OutboxProof => {
  if (index < 0 || index >= count || count > leaves.length)
    throw new OutboxTreeError(
      'OUT_OF_RANGE',
      `expected an index below ${Math.min(count, leaves.length)}, found ${index} at count ${count}: a later checkpoint is needed, or leaves are missing`,
    );
  const levels = levelsOf(leaves.slice(0, count));
  const siblings = Array.from(
    { length: OUTBOX_DEPTH },
    (_, level) => levels[level]![Math.floor(index / 2 ** level) ^ 1] ?? EMPTY_SUBTREES[level]!,
  );
  return { index: BigInt(index), leaf: leaves[index]!, siblings, root: levels[OUTBOX_DEPTH]![0]! };
};

/** The root that leaf and siblings lead to. */
export const rootFromProof = (leaf: Hash, index: bigint, siblings: readonly Hash[]): Hash =>
  siblings.reduce(
    (node, sibling, level) =>
      (index >> BigInt(level)) & 1n ? hashPair(sibling, node) : hashPair(node, sibling),
    leaf,
  );
