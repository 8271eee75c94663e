/**
 * eth_simulateV1: blocks that nobody proposed, one after another on the state of a committed one, with overrides.
 *
 * Rules, bounds and codes are those of execution-apis and geth's `internal/ethapi/simulate.go`: gaps between block
 * numbers are filled with empty blocks; without `validation` nonces and base fee are not checked and fees are 0.
 * Hashes and roots of the blocks are what such blocks would have here.
 */

import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { type Hash, hexToBytes, ZERO_ADDRESS, ZERO_HASH } from '#consensus/primitives.ts';
import type { Machine } from '#node/execution/machine.ts';
import { orderedTrieRoot } from '#node/execution/orderedTrie.ts';
import { encodeConsensusReceipt, mergeBlooms } from '#node/execution/receipts.ts';
import { mixHashOf } from '#node/execution/rules.ts';
import { blockContext } from '#node/execution/runCall.ts';
import type { StateReader } from '#node/execution/stateReader.ts';
import { computeStateUpdate } from '#node/execution/stateTrie.ts';
import { applyBlockStart } from '#node/execution/systemWrites.ts';
import {
  JobRefusal,
  type SimulatedBlock,
  type Simulation,
  serverRefusal,
} from '#node/execution/tracing/jobs.ts';
import {
  applyStateOverrides,
  OverrideError,
  snapshotPrecompiles,
} from '#node/execution/tracing/overrides.ts';
import { revertReasonOf } from '#node/execution/tracing/revertReason.ts';
import { type AppliedCall, applyCall } from '#node/execution/tracing/simulatedCall.ts';
import type { NodeSource } from '#node/execution/trieNodes.ts';
import { formatBlock } from '#node/rpc/format/block.ts';
import { formatLogs } from '#node/rpc/format/receipt.ts';
import { logsToBloom } from '#node/storage/bloom.ts';
import { decodeHeader, encodeHeader, type Header, hashHeader } from '#node/storage/headerCodec.ts';
import type { BlockRecord, ReceiptRecord } from '#node/storage/records.ts';
import type { NodeId } from '#node/storage/schema.ts';

const MAX_BLOCKS = 256n;
/** geth's step between blocks that say no time. */
const TIME_STEP = 12n;

const CODES = { order: -38020, time: -38021, tooMany: -38026 } as const;
const VM_ERROR = -32015;
const REVERTED = 3;

export type SimulationSource = {
  readonly machine: Machine;
  /** Addresses of the chain's own precompiles (40 hex digits). */
  readonly precompiles: readonly string[];
  readonly base: BlockRecord;
  readonly baseFeePerGas: bigint;
  readonly reader: StateReader;
  readonly nodes: NodeSource;
  readonly rootId: NodeId | null;
  /** Gas of all calls together. */
  readonly gasCap: bigint;
  /** Makes BLOCKHASH know a simulated block. */
  readonly publishHash: (height: bigint, hash: Hash) => void;
};

type Planned = SimulatedBlock & { readonly number: bigint; readonly time: bigint };

/** Numbers and times for every block, gaps filled. @throws JobRefusal */
const planBlocks = ({ height, timestamp }: BlockRecord, blocks: readonly SimulatedBlock[]): Planned[] => {
  const planned: Planned[] = [];
  const tooMany = (): JobRefusal => new JobRefusal(CODES.tooMany, 'too many blocks');
  if (BigInt(blocks.length) > MAX_BLOCKS) throw tooMany();
  let [number, time] = [height, timestamp];
  const add = (block: SimulatedBlock): void => {
    planned.push({ ...block, number, time });
  };
  for (const block of blocks) {
    const wanted = block.blockOverrides.number ?? number + 1n;
    if (wanted <= number)
      throw new JobRefusal(CODES.order, `block numbers must be in order: ${wanted} <= ${number}`);
    if (wanted - height > MAX_BLOCKS) throw tooMany();
    while (number + 1n < wanted) {
      number += 1n;
      time += TIME_STEP;
      add({ blockOverrides: {}, stateOverrides: [], calls: [] });
    }
    const wantedTime = block.blockOverrides.time ?? time + TIME_STEP;
    if (wantedTime <= time)
      throw new JobRefusal(CODES.time, `block timestamps must be in order: ${wantedTime} <= ${time}`);
    [number, time] = [wanted, wantedTime];
    add(block);
  }
  return planned;
};

/** @throws JobRefusal */
export const simulate = async (source: SimulationSource, simulation: Simulation): Promise<unknown[]> => {
  const { machine, base, reader } = source;
  const planned = planBlocks(base, simulation.blocks);
  machine.state.reset(reader);
  const shown: unknown[] = [];
  let parent: { readonly header: Header; readonly hash: Hash } = {
    header: decodeHeader(base.header),
    hash: base.hash,
  };
  let gasLeft = source.gasCap;
  for (const block of planned) {
    const precompiles = snapshotPrecompiles(machine);
    try {
      const done = await simulateBlock(source, simulation, block, parent, gasLeft);
      gasLeft -= done.gasUsed;
      parent = { header: done.header, hash: done.hash };
      source.publishHash(block.number, done.hash);
      shown.push(done.shown);
    } catch (error) {
      throw error instanceof OverrideError ? serverRefusal(error.message) : error;
    } finally {
      precompiles.restore();
    }
  }
  return shown;
};

const simulateBlock = async (
  source: SimulationSource,
  simulation: Simulation,
  block: Planned,
  parent: { readonly header: Header; readonly hash: Hash },
  gasLeft: bigint,
) => {
  const { machine } = source;
  const { blockOverrides } = block;
  const draft: Header = {
    ...parent.header,
    parentHash: parent.hash,
    height: block.number,
    timestamp: block.time,
    feeRecipient: blockOverrides.feeRecipient ?? parent.header.feeRecipient,
    gasLimit: blockOverrides.gasLimit ?? parent.header.gasLimit,
    mixHash: blockOverrides.prevRandao ?? mixHashOf(parent.hash, block.number),
    baseFeePerGas: blockOverrides.baseFeePerGas ?? (simulation.validation ? source.baseFeePerGas : 0n),
    parentBeaconBlockRoot: ZERO_HASH,
  };
  await applyStateOverrides(machine, block.stateOverrides);
  await applyBlockStart(machine.state, {
    height: block.number,
    timestamp: block.time,
    parentHash: parent.hash,
    parentValueId: ZERO_HASH,
  });
  const setting = blockContext(machine, draft, draft.baseFeePerGas);
  const applied: AppliedCall[] = [];
  let gasUsed = 0n;
  for (const call of block.calls) {
    const done = await applyCall(machine, setting, draft, call, {
      validation: simulation.validation,
      traceTransfers: simulation.traceTransfers,
      blockGasUsed: gasUsed,
      gasCap: gasLeft - gasUsed,
      precompiles: source.precompiles,
    });
    gasUsed += done.gasUsed;
    applied.push(done);
  }
  const receipts = toReceipts(applied);
  const header: Header = {
    ...draft,
    stateRoot: stateRootOf(source),
    transactionsRoot: orderedTrieRoot(applied.map(({ raw }) => raw)),
    receiptsRoot: orderedTrieRoot(receipts.map(encodeConsensusReceipt)),
    logsBloom: mergeBlooms(receipts.map(({ logsBloom }) => logsBloom)),
    gasUsed,
  };
  const encoded = encodeHeader(header);
  const hash = hashHeader(encoded);
  const record: BlockRecord = {
    ...source.base,
    height: block.number,
    hash,
    header: encoded,
    timestamp: block.time,
    transactions: applied.map(({ raw }) => raw),
    transactionHashes: receipts.map(({ transactionHash }) => transactionHash),
  };
  return {
    header,
    hash,
    gasUsed,
    shown: {
      ...formatBlock(record, simulation.returnFullTransactions ? receipts : null),
      calls: showCalls(record, receipts, applied),
    },
  };
};

/** What the root would be if these blocks were committed on the base. */
const stateRootOf = ({ machine, base, nodes, rootId }: SimulationSource): Hash => {
  const below = { get: (id: NodeId) => nodes.get(id), height: base.height, rootId };
  return computeStateUpdate(machine.state.changes(), below, hexToBytes(base.stateRoot)).stateRoot;
};

const toReceipts = (applied: readonly AppliedCall[]): ReceiptRecord[] => {
  let cumulativeGasUsed = 0n;
  return applied.map((call) => {
    cumulativeGasUsed += call.gasUsed;
    return {
      transactionHash: keccak256Hex(call.raw),
      type: call.type,
      from: call.request.from ?? ZERO_ADDRESS,
      to: call.request.to ?? null,
      status: call.outcome.status === 'success' ? 1 : 0,
      gasUsed: call.gasUsed,
      cumulativeGasUsed,
      effectiveGasPrice: call.gasPrice,
      contractAddress: null,
      logsBloom: logsToBloom(call.logs),
      logs: call.logs,
    };
  });
};

const showCalls = (
  block: BlockRecord,
  receipts: readonly ReceiptRecord[],
  applied: readonly AppliedCall[],
) => {
  const logs = formatLogs(block, receipts, () => true);
  return applied.map(({ outcome, gasUsed, peakGas }, index) => {
    const own = logs.filter(({ transactionIndex }) => Number(transactionIndex) === index);
    return {
      // As geth: what a revert returned is in the error.
      returnData: outcome.status === 'success' ? outcome.data : '0x',
      logs: own,
      gasUsed: `0x${gasUsed.toString(16)}`,
      maxUsedGas: `0x${peakGas.toString(16)}`,
      status: outcome.status === 'success' ? '0x1' : '0x0',
      ...errorOf(outcome),
    };
  });
};

const errorOf = (outcome: AppliedCall['outcome']) => {
  if (outcome.status === 'success') return {};
  if (outcome.status === 'error')
    return { error: { code: VM_ERROR, message: `vm execution error: ${outcome.message}` } };
  const reason = revertReasonOf(hexToBytes(outcome.data));
  const message = reason === null ? 'execution reverted' : `execution reverted: ${reason}`;
  return { error: { code: REVERTED, message, data: outcome.data } };
};
