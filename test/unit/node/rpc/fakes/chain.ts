/**
 * A chain in memory: blocks with real headers and hashes, receipts as the test wants them, no execution.
 *
 * `append` publishes as the real one does: everything readable first, then the listeners.
 */
import { createHash } from 'node:crypto';
import { RLP } from '@ethereumjs/rlp';
import { keccak256, keccak256Hex } from '#consensus/crypto/keccak.ts';
import { checkpointToValueId } from '#consensus/digests.ts';
import {
  type Address,
  bytesToHex,
  type Hash,
  type Hex,
  hexToBytes,
  parseSignature,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '#consensus/primitives.ts';
import type { Chain, CommittedBlock } from '#node/chain.ts';
import type { AccountRecord, BlockRecord, LogRecord, ReceiptRecord } from '#node/storage/records.ts';
import { BASE_FEE_WEI, VALIDATORS } from '#test/unit/node/rpc/fakes/genesis.ts';

export type FakeTransaction = {
  readonly raw: Uint8Array;
  readonly from: Address;
  readonly to: Address | null;
  readonly type: number;
  readonly effectiveGasPrice?: bigint;
  readonly gasUsed?: bigint;
  readonly status?: 0 | 1;
  readonly contractAddress?: Address;
  readonly logs?: readonly LogRecord[];
};

const bloomOf = (logs: readonly LogRecord[]): Uint8Array => {
  const bloom = new Uint8Array(256);
  for (const log of logs)
    for (const value of [log.address, ...log.topics]) {
      const digest = keccak256(hexToBytes(value));
      for (const at of [0, 2, 4]) {
        const bit = ((digest[at]! << 8) | digest[at + 1]!) & 2047;
        bloom[255 - (bit >> 3)]! |= 1 << (bit & 7);
      }
    }
  return bloom;
};

const EMPTY_LIST_HASH = keccak256(RLP.encode([]));
const EMPTY_ROOT = keccak256(RLP.encode(new Uint8Array()));
const GAS_LIMIT = 30_000_000n;

export const createFakeChain = () => {
  const blocks: BlockRecord[] = [];
  const receipts: (readonly ReceiptRecord[])[] = [];
  const locations = new Map<Hash, { height: bigint; index: number }>();
  const listeners = new Set<(committed: CommittedBlock) => void>();
  const accounts = new Map<Address, AccountRecord>();
  const codes = new Map<Address, Uint8Array>();
  const slots = new Map<string, Hash>();

  const head = () => ({ block: blocks.at(-1)!, nextValidators: VALIDATORS });

  const append = (transactions: readonly FakeTransaction[] = []): BlockRecord => {
    const parent = blocks.at(-1);
    const height = BigInt(blocks.length);
    const timestamp = 1_700_000_000n + height;
    let cumulativeGasUsed = 0n;
    const blockReceipts = transactions.map((transaction): ReceiptRecord => {
      const gasUsed = transaction.gasUsed ?? 21_000n;
      cumulativeGasUsed += gasUsed;
      return {
        transactionHash: keccak256Hex(transaction.raw),
        type: transaction.type,
        from: transaction.from,
        to: transaction.to,
        status: transaction.status ?? 1,
        gasUsed,
        cumulativeGasUsed,
        effectiveGasPrice: transaction.effectiveGasPrice ?? BASE_FEE_WEI,
        contractAddress: transaction.contractAddress ?? null,
        logsBloom: bytesToHex(bloomOf(transaction.logs ?? [])),
        logs: transaction.logs ?? [],
      };
    });
    const header = RLP.encode([
      hexToBytes(parent?.hash ?? ZERO_HASH),
      EMPTY_LIST_HASH,
      hexToBytes(ZERO_ADDRESS),
      hexToBytes(ZERO_HASH),
      EMPTY_ROOT,
      EMPTY_ROOT,
      bloomOf(transactions.flatMap(({ logs }) => logs ?? [])),
      0n,
      height,
      GAS_LIMIT,
      cumulativeGasUsed,
      timestamp,
      hexToBytes(VALIDATORS.hash),
      hexToBytes(ZERO_HASH),
      new Uint8Array(8),
      BASE_FEE_WEI,
      EMPTY_ROOT,
      0n,
      0n,
      hexToBytes(parent?.valueId ?? ZERO_HASH),
      new Uint8Array(createHash('sha256').digest()),
    ]);
    const hash = keccak256Hex(header);
    const checkpoint = {
      height,
      blockHash: hash,
      stateRoot: ZERO_HASH,
      outboxRoot: ZERO_HASH,
      outboxCount: 0n,
      importedCount: 0n,
      importedHash: ZERO_HASH,
      nextValidatorsHash: VALIDATORS.hash,
    };
    const valueId = checkpointToValueId(checkpoint);
    const block: BlockRecord = {
      height,
      hash,
      parentHash: parent?.hash ?? ZERO_HASH,
      timestamp,
      gasUsed: cumulativeGasUsed,
      gasLimit: GAS_LIMIT,
      baseFeePerGas: BASE_FEE_WEI,
      stateRoot: ZERO_HASH,
      feeRecipient: ZERO_ADDRESS,
      header,
      transactions: transactions.map(({ raw }) => raw),
      transactionHashes: blockReceipts.map(({ transactionHash }) => transactionHash),
      checkpoint,
      valueId,
      certificate:
        height === 0n
          ? null
          : {
              height,
              round: 0,
              valueId,
              signatures: VALIDATORS.validators.map(({ address }) => ({
                validator: address,
                signature: parseSignature(`0x${'11'.repeat(65)}`),
              })),
            },
    };
    blocks.push(block);
    receipts.push(blockReceipts);
    block.transactionHashes.forEach((transactionHash, index) => {
      locations.set(transactionHash, { height, index });
    });
    for (const listener of listeners) listener({ block, receipts: blockReceipts, head: head() });
    return block;
  };

  const unused = (): never => {
    throw new Error('expected a server to leave the chain as it is');
  };

  const chain: Chain = {
    head,
    blockAt: async (height) => blocks[Number(height)] ?? null,
    blockByHash: async (hash) => blocks.find((block) => block.hash === hash) ?? null,
    receiptsAt: async (height) => receipts[Number(height)] ?? null,
    transactionLocation: async (hash) => locations.get(hash) ?? null,
    validatorsAt: async (height) => (height < BigInt(blocks.length) ? VALIDATORS : null),
    account: async (address) => accounts.get(address) ?? null,
    code: async (address) => codes.get(address) ?? new Uint8Array(),
    storageAt: async (address, slot) => slots.get(`${address}:${slot}`) ?? ZERO_HASH,
    derive: unused,
    commit: unused,
    importBlock: unused,
    onCommitted: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: async () => {},
  };
  append();

  return {
    chain,
    append,
    listenerCount: () => listeners.size,
    setAccount: (address: Address, record: { nonce: bigint; balance: bigint }) =>
      accounts.set(address, { ...record, codeHash: ZERO_HASH, storageRoot: ZERO_HASH }),
    setCode: (address: Address, code: Hex) => codes.set(address, hexToBytes(code)),
    setSlot: (address: Address, slot: Hash, value: Hash) => slots.set(`${address}:${slot}`, value),
  };
};

export type FakeChain = ReturnType<typeof createFakeChain>;
