/**
 * derive(parent state, chain rules, payload) → block: everything that follows from a payload, and nothing else (RULES A).
 *
 * No clock, no L1 view, no round. A payload is invalid, or its transactions are included or dropped for a typed reason
 * that was found before the EVM ran; an exception out of the EVM is a fault of this node and is thrown (RULES 3).
 * derive(strip(P)) = derive(P): whether a transaction stays never depends on one that was dropped.
 */
import { createBlock } from '@ethereumjs/block';
import { Address as EvmAddress } from '@ethereumjs/util';
import { readGatewayState } from '#bridge/encoding/gatewaySlots.ts';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { checkpointToValueId, payloadToHash } from '#consensus/digests.ts';
import { type Hash, hexToBytes } from '#consensus/primitives.ts';
import type { Checkpoint, Payload } from '#consensus/types.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import { ChainError, type Derivation } from '#node/chain.ts';
import type { Machine } from '#node/execution/machine.ts';
import { orderedTrieRoot } from '#node/execution/orderedTrie.ts';
import { encodeConsensusReceipt, mergeBlooms } from '#node/execution/receipts.ts';
import { type ExecutionRules, isEpochBoundary, MAX_PAYLOAD_BYTES, mixHashOf } from '#node/execution/rules.ts';
import { runTransactions } from '#node/execution/runTransactions.ts';
import type { StateReader } from '#node/execution/stateReader.ts';
import { computeStateUpdate, type StateUpdate } from '#node/execution/stateTrie.ts';
import {
  applyBlockStart,
  applyEpochBoundary,
  creditTreasury,
  slotReaderOf,
} from '#node/execution/systemWrites.ts';
import {
  type DecodedTransaction,
  decodeTransaction,
  type PublicKeyOf,
} from '#node/execution/transactionChecks.ts';
import type { TrieNodes } from '#node/execution/trieNodes.ts';
import { encodeHeader, hashHeader } from '#node/storage/headerCodec.ts';
import type { BlockRecord, ReceiptRecord } from '#node/storage/records.ts';
import { measurePiece } from '#node/telemetry/stages.ts';

export type Parent = {
  readonly block: BlockRecord;
  /** The set that votes on the derived height. */
  readonly validators: ValidatorSet;
  readonly reader: StateReader;
  readonly nodes: TrieNodes;
};

/** A derived block, complete but for its certificate. */
export type DerivedBlock = {
  readonly derivation: Extract<Derivation, { valid: true }>;
  readonly header: Uint8Array;
  readonly transactions: readonly DecodedTransaction[];
  readonly receipts: readonly ReceiptRecord[];
  readonly nextValidators: ValidatorSet;
  readonly update: StateUpdate;
};

export type InvalidDerivation = Extract<Derivation, { valid: false }>;
export type DeriveResult = { readonly valid: true; readonly block: DerivedBlock } | InvalidDerivation;

const MAX_UINT64 = (1n << 64n) - 1n;
const GATEWAY = new EvmAddress(hexToBytes(PREDEPLOYS.pegGateway));

/** @throws ChainError EXECUTION_FAULT, STORAGE_FAULT */
export const deriveBlock = async (
  machine: Machine,
  rules: ExecutionRules,
  parent: Parent,
  payload: Payload,
  publicKeyOf?: PublicKeyOf,
): Promise<DeriveResult> => {
  const payloadHash = payloadToHash(payload);
  const decoded = decodePayload(rules, parent.block, payload, publicKeyOf);
  if (!decoded.ok) return { valid: false, payloadHash, code: decoded.code, reason: decoded.reason };
  try {
    const block = await executePayload(machine, rules, parent, payload, payloadHash, decoded.transactions);
    return { valid: true, block };
  } catch (error) {
    if (error instanceof ChainError) throw error;
    throw new ChainError(
      'EXECUTION_FAULT',
      `expected payload ${payloadHash} to execute on ${parent.block.hash}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
};

type DecodedPayload =
  | { readonly ok: true; readonly transactions: readonly DecodedTransaction[] }
  | { readonly ok: false; readonly code: string; readonly reason: string };

/** RULES 2: what makes a payload invalid, attributable to its proposer. */
const decodePayload = (
  rules: ExecutionRules,
  parent: BlockRecord,
  payload: Payload,
  publicKeyOf?: PublicKeyOf,
): DecodedPayload => {
  const invalid = (code: string, reason: string): DecodedPayload => ({ ok: false, code, reason });
  const { transactions: raws, timestamp } = payload;
  if (payload.parentHash !== parent.hash)
    return invalid('WRONG_PARENT', `expected parent ${parent.hash}, found ${payload.parentHash}`);
  if (timestamp < parent.timestamp || timestamp > MAX_UINT64)
    return invalid('BAD_TIMESTAMP', `expected a time from ${parent.timestamp} on, found ${timestamp}`);
  if (raws.length > rules.maxTransactions)
    return invalid(
      'TOO_MANY_TRANSACTIONS',
      `expected at most ${rules.maxTransactions}, found ${raws.length}`,
    );
  const sizeBytes = raws.reduce((sum, raw) => sum + raw.length, 0);
  if (sizeBytes > MAX_PAYLOAD_BYTES)
    return invalid('TOO_LARGE', `expected at most ${MAX_PAYLOAD_BYTES} bytes, found ${sizeBytes}`);
  const transactions: DecodedTransaction[] = [];
  const seen = new Set<Hash>();
  for (const raw of raws) {
    const result = decodeTransaction(raw, rules.transactions, publicKeyOf);
    if (!result.ok) return invalid(result.code, `transaction ${result.hash}: ${result.message}`);
    if (seen.has(result.transaction.hash))
      return invalid('DUPLICATE', `transaction ${result.transaction.hash} is there twice`);
    seen.add(result.transaction.hash);
    transactions.push(result.transaction);
  }
  return { ok: true, transactions };
};

const executePayload = async (
  machine: Machine,
  rules: ExecutionRules,
  parent: Parent,
  payload: Payload,
  payloadHash: Hash,
  transactions: readonly DecodedTransaction[],
): Promise<DerivedBlock> => {
  const { state } = machine;
  state.reset(parent.reader);
  const height = parent.block.height + 1n;
  await applyBlockStart(state, {
    height,
    timestamp: payload.timestamp,
    parentHash: payload.parentHash,
    parentValueId: parent.block.valueId,
  });
  const progress = await runTransactions(
    machine,
    rules.transactions,
    {
      feeRecipient: payload.feeRecipient,
      contextAt: (baseFeePerGas) => blockContext(rules, parent.block, payload, baseFeePerGas),
    },
    transactions,
  );
  await creditTreasury(state, rules.transactions.baseFeePerGas * progress.ordinaryGasUsed);
  const nextValidators = isEpochBoundary(rules, height)
    ? await applyEpochBoundary(state, parent.validators)
    : parent.validators;
  const gateway = await readGatewayState(slotReaderOf(state, GATEWAY));
  const update = measurePiece('trie', () =>
    computeStateUpdate(state.changes(), parent.nodes, hexToBytes(parent.block.stateRoot)),
  );
  const receipts = progress.receipts.map(encodeConsensusReceipt);
  const header = encodeHeader({
    parentHash: payload.parentHash,
    feeRecipient: payload.feeRecipient,
    stateRoot: update.stateRoot,
    transactionsRoot: orderedTrieRoot(progress.included.map(({ raw }) => raw)),
    receiptsRoot: orderedTrieRoot(receipts),
    logsBloom: mergeBlooms(progress.receipts.map(({ logsBloom }) => logsBloom)),
    height,
    gasLimit: rules.headerGasLimit,
    gasUsed: progress.gasUsed,
    timestamp: payload.timestamp,
    nextValidatorsHash: nextValidators.hash,
    mixHash: mixHashOf(payload.parentHash, height),
    baseFeePerGas: rules.transactions.baseFeePerGas,
    parentBeaconBlockRoot: parent.block.valueId,
  });
  const checkpoint: Checkpoint = {
    height,
    blockHash: hashHeader(header),
    stateRoot: update.stateRoot,
    outboxRoot: gateway.outboxRoot,
    outboxCount: gateway.outboxCount,
    importedCount: gateway.importedCount,
    importedHash: gateway.importedHash,
    nextValidatorsHash: nextValidators.hash,
  };
  return {
    derivation: {
      valid: true,
      payloadHash,
      valueId: checkpointToValueId(checkpoint),
      checkpoint,
      imports: gateway.importedCount !== parent.block.checkpoint.importedCount,
      carriesImport: transactions.some(({ isImport }) => isImport),
      gasLimitSum: transactions.reduce((sum, tx) => (tx.isImport ? sum : sum + tx.gasLimit), 0n),
      timestamp: payload.timestamp,
      included: progress.included.length,
      dropped: progress.dropped,
      gasUsed: progress.gasUsed,
      receiptHashes: receipts.map(keccak256Hex),
    },
    header,
    transactions: progress.included,
    receipts: progress.receipts,
    nextValidators,
    update,
  };
};

const blockContext = (
  rules: ExecutionRules,
  parent: BlockRecord,
  payload: Payload,
  baseFeePerGas: bigint,
): ReturnType<typeof createBlock> =>
  createBlock(
    {
      header: {
        parentHash: hexToBytes(payload.parentHash),
        coinbase: new EvmAddress(hexToBytes(payload.feeRecipient)),
        number: parent.height + 1n,
        timestamp: payload.timestamp,
        gasLimit: rules.headerGasLimit,
        baseFeePerGas,
        mixHash: hexToBytes(mixHashOf(payload.parentHash, parent.height + 1n)),
        parentBeaconBlockRoot: hexToBytes(parent.valueId),
      },
    },
    { common: rules.common },
  );
