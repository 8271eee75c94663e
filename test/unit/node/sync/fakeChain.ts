/** A chain whose blocks are numbers: valid when the header says so, really certified. What sync uses of a Chain, in memory. */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { privateKeyToAddress, signDigest } from '#consensus/crypto/secp256k1.ts';
import { checkpointToValueId, voteDigest } from '#consensus/digests.ts';
import { type Hash, ZERO_HASH } from '#consensus/primitives.ts';
import type { Checkpoint, CommitCertificate } from '#consensus/types.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import { type Chain, ChainError, type CommittedBlock, type Head } from '#node/chain.ts';
import type { BlockRecord, CertifiedBlock } from '#node/storage/records.ts';
import { DOMAIN } from '../network/networkFixture.ts';

const utf8 = new TextEncoder();
const KEY = new Uint8Array(32).fill(0x11);
const VALIDATOR = privateKeyToAddress(KEY);
const SET = createValidatorSet([{ address: VALIDATOR, power: 1n }]);
const hashOf = (text: string): Hash => keccak256Hex(utf8.encode(text));

const checkpointAt = (height: bigint): Checkpoint => ({
  height,
  blockHash: hashOf(`block ${height}`),
  stateRoot: ZERO_HASH,
  outboxRoot: ZERO_HASH,
  outboxCount: 0n,
  importedCount: 0n,
  importedHash: ZERO_HASH,
  nextValidatorsHash: SET.hash,
});

const certificateAt = (height: bigint): CommitCertificate => {
  const valueId = checkpointToValueId(checkpointAt(height));
  const digest = voteDigest(DOMAIN, { type: 'precommit', height, round: 0, valueId });
  return {
    height,
    round: 0,
    valueId,
    signatures: [{ validator: VALIDATOR, signature: signDigest(digest, KEY) }],
  };
};

export const certifiedAt = (height: bigint, header = 'good', sizeBytes = 0): CertifiedBlock => ({
  header: utf8.encode(header),
  transactions: sizeBytes === 0 ? [] : [new Uint8Array(sizeBytes)],
  checkpoint: checkpointAt(height),
  certificate: certificateAt(height),
});

const recordAt = (height: bigint, block: CertifiedBlock | null): BlockRecord => ({
  height,
  hash: hashOf(`block ${height}`),
  parentHash: hashOf(`block ${height - 1n}`),
  timestamp: height,
  gasUsed: 0n,
  gasLimit: 30_000_000n,
  baseFeePerGas: 0n,
  stateRoot: ZERO_HASH,
  feeRecipient: VALIDATOR,
  header: block?.header ?? utf8.encode('genesis'),
  transactions: block?.transactions ?? [],
  transactionHashes: [],
  checkpoint: checkpointAt(height),
  valueId: checkpointToValueId(checkpointAt(height)),
  certificate: block?.certificate ?? null,
});

export type FakeChain = Pick<Chain, 'head' | 'blockAt' | 'importBlock' | 'onCommitted'> & {
  readonly imported: bigint[];
  append(blocks: readonly CertifiedBlock[]): void;
  extendTo(height: bigint, sizeBytes?: number): void;
  reaches(height: bigint): Promise<void>;
};

export const createFakeChain = (): FakeChain => {
  const records = [recordAt(0n, null)];
  const listeners = new Set<(committed: CommittedBlock) => void>();
  const waiting: { height: bigint; resolve: () => void }[] = [];
  const imported: bigint[] = [];
  const head = (): Head => ({ block: records.at(-1)!, nextValidators: SET });
  const commit = (block: CertifiedBlock): CommittedBlock => {
    records.push(recordAt(block.checkpoint.height, block));
    const committed = { block: records.at(-1)!, receipts: [], head: head() };
    for (const listener of listeners) listener(committed);
    for (const { height, resolve } of waiting) if (height <= committed.block.height) resolve();
    return committed;
  };
  return {
    imported,
    head,
    blockAt: async (height) => records[Number(height)] ?? null,
    async importBlock(block) {
      const { height } = block.checkpoint;
      const kind = new TextDecoder().decode(block.header);
      if (kind === 'bad') throw new ChainError('BAD_BLOCK', `block ${height} is bad`);
      if (kind === 'uncertified') throw new ChainError('BAD_CERTIFICATE', `block ${height} has no quorum`);
      if (height !== head().block.height + 1n) throw new ChainError('NOT_NEXT', `${height} is not next`);
      if (kind === 'diverged') throw new ChainError('DIVERGED', `block ${height} differs`);
      imported.push(height);
      return commit(block);
    },
    onCommitted(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    append(blocks) {
      for (const block of blocks) commit(block);
    },
    extendTo(height, sizeBytes = 0) {
      while (head().block.height < height) commit(certifiedAt(head().block.height + 1n, 'good', sizeBytes));
    },
    reaches: (height) =>
      head().block.height >= height
        ? Promise.resolve()
        : new Promise((resolve) => waiting.push({ height, resolve })),
  };
};
