/** Every job of a call thread (jobs.ts), from what it asks to its JSON text. */
import type { EVMResult } from '@ethereumjs/evm';
import { type Address, bytesToHex, type Hash } from '#consensus/primitives.ts';
import type { CallRequest } from '#node/chain.ts';
import type { Machine } from '#node/execution/machine.ts';
import { type CallContext, callGas, execute, MAX_CALL_GAS, toEvmAddress } from '#node/execution/runCall.ts';
import type { StateReader } from '#node/execution/stateReader.ts';
import { buildAccessList } from '#node/execution/tracing/accessList.ts';
import { isPrecompileOf, listenWith } from '#node/execution/tracing/callTracers.ts';
import { type CallNode, CallTree } from '#node/execution/tracing/callTree.ts';
import { createTracer, FLAT_TREE } from '#node/execution/tracing/createTracer.ts';
import { filterTraces, flatBlock, flatTransaction, replayParts } from '#node/execution/tracing/flatJobs.ts';
import {
  type CallJob,
  MAX_JOB_BYTES,
  serverRefusal,
  type TraceOptions,
  tooLarge,
} from '#node/execution/tracing/jobs.ts';
import { proveAccount, type TrieSource } from '#node/execution/tracing/proofs.ts';
import { openReplay, type Replay, type ReplaySource, skipTo } from '#node/execution/tracing/replay.ts';
import { simulate } from '#node/execution/tracing/simulate.ts';
import { readStorageRange } from '#node/execution/tracing/storageRange.ts';
import { readLogs } from '#node/execution/tracing/storedLogs.ts';
import { runTraced, toJson } from '#node/execution/tracing/tracer.ts';
import type { NodeSource } from '#node/execution/trieNodes.ts';
import type { BlockRecord } from '#node/storage/records.ts';

export type JobSource = ReplaySource & {
  readonly nodes: NodeSource;
  readonly baseFeePerGas: bigint;
  readonly publishHash: (height: bigint, hash: Hash) => void;
};

/** @returns JSON text. @throws JobRefusal, ChainError STATE_PRUNED, HISTORY_PRUNED */
export const performJob = async (source: JobSource, block: BlockRecord, job: CallJob): Promise<string> => {
  const { machine, store, nodes, readerAt } = source;
  const trieAt = (height: bigint): TrieSource => ({ store, nodes, height });
  switch (job.kind) {
    case 'proof':
      return JSON.stringify(proveAccount(trieAt(job.height), job.address, job.keys));
    case 'accessList':
      return JSON.stringify(await buildAccessList(contextOf(source, block), job.request));
    case 'simulate': {
      const reader: StateReader = readerAt(job.height);
      const rootId = store.stateRoot(job.height);
      const { baseFeePerGas, publishHash } = source;
      const precompiles = [...machine.vm.evm.precompiles.keys()];
      const base = { machine, precompiles, base: block, baseFeePerGas, reader, nodes, rootId, publishHash };
      return JSON.stringify(await simulate({ ...base, gasCap: MAX_CALL_GAS }, job.simulation));
    }
    case 'traceTransaction': {
      const replay = await openAt(source, block, job.index);
      return toJson(await replay.trace(createTracer(job.options, isPrecompileOf(machine))));
    }
    case 'traceBlock':
      return traceBlock(await openReplay(source, block), job.options, machine);
    case 'traceCall':
      return traceCall(contextOf(source, block), job.request, job.options);
    case 'flatBlock':
      return JSON.stringify(
        block.height === 0n ? [] : await flatBlock(await openReplay(source, block), machine),
      );
    case 'flatTransaction':
      return JSON.stringify(
        await flatTransaction(await openAt(source, block, job.index), machine, job.index),
      );
    case 'flatFilter':
      return JSON.stringify(await filterTraces(source, job.height, job.toHeight, job.filter));
    case 'replayTransaction':
      return JSON.stringify(await replayParts(await openAt(source, block, job.index), machine, job.parts));
    case 'replayBlock':
      return replayBlock(await openReplay(source, block), machine, job);
    case 'internalOperations':
      return JSON.stringify(internalOperations(await treeAt(source, block, job.index)));
    case 'flatCalls':
      return JSON.stringify(otsCalls(await treeAt(source, block, job.index)));
    case 'logs':
      return readLogs(store, job);
    case 'creator':
      return JSON.stringify(await findCreator(source, block, job.address));
    case 'storageRange':
      await openAt(source, block, job.index);
      return JSON.stringify(readStorageRange(trieAt(block.height - 1n), machine.state, job));
  }
};

const contextOf = ({ machine, readerAt }: JobSource, block: BlockRecord): CallContext => ({
  machine,
  block,
  reader: readerAt(block.height),
});

const openAt = async (source: ReplaySource, block: BlockRecord, index: number): Promise<Replay> => {
  const replay = await openReplay(source, block);
  if (index > replay.transactions.length)
    throw serverRefusal(`transaction index ${index} out of range for block ${block.hash}`);
  await skipTo(replay, index);
  return replay;
};

const treeAt = async (source: ReplaySource, block: BlockRecord, index: number): Promise<CallNode> => {
  const replay = await openAt(source, block, index);
  const tree = new CallTree(isPrecompileOf(source.machine), { ...FLAT_TREE, withIntrinsicGas: true });
  return (await replay.trace({ ...listenWith(tree), end: (outcome) => tree.finish(outcome) })) as CallNode;
};

const traceBlock = async (replay: Replay, options: TraceOptions, machine: Machine): Promise<string> => {
  const traces: string[] = [];
  let size = 0;
  for (const { hash } of replay.transactions) {
    const traced = toJson(await replay.trace(createTracer(options, isPrecompileOf(machine))));
    size += traced.length;
    if (size > MAX_JOB_BYTES) throw tooLarge();
    traces.push(`{"txHash":"${hash}","result":${traced}}`);
  }
  return `[${traces.join(',')}]`;
};

const replayBlock = async (
  replay: Replay,
  machine: Machine,
  { parts }: Extract<CallJob, { kind: 'replayBlock' }>,
): Promise<string> => {
  const shown: string[] = [];
  let size = 0;
  for (const { hash } of replay.transactions) {
    const text = JSON.stringify({ ...(await replayParts(replay, machine, parts)), transactionHash: hash });
    size += text.length;
    if (size > MAX_JOB_BYTES) throw tooLarge();
    shown.push(text);
  }
  return `[${shown.join(',')}]`;
};

/** What stops the call before it runs is a refusal; what stops it while it runs is in the trace. */
const traceCall = async (
  context: CallContext,
  request: CallRequest,
  options: TraceOptions,
): Promise<string> => {
  const tracer = createTracer(options, isPrecompileOf(context.machine));
  let seen: EVMResult | null = null;
  const { outcome } = await execute(context, request, callGas(request), async (call, run) => {
    const { machine, header, from, gas } = call;
    const to = request.to == null ? null : toEvmAddress(request.to);
    const described = {
      from,
      to,
      created: null,
      coinbase: toEvmAddress(header.feeRecipient),
      authorities: [],
      gasLimit: gas,
    };
    await tracer.begin?.(described, machine.state);
    const result = await runTraced(machine, tracer, run);
    seen = result;
    return result;
  });
  const result = seen as EVMResult | null;
  if (result === null)
    throw serverRefusal(
      outcome.status === 'error' ? outcome.message : 'expected the call to run, found it did not',
    );
  const { exceptionError, returnValue } = result.execResult;
  const ended = { gasUsed: outcome.gasUsed, failed: exceptionError !== undefined, returnValue };
  return toJson(await tracer.end(ended, context.machine.state));
};

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** Otterscan: plain transfers, self-destructs and creations below the outermost call. */
const OPERATIONS = { CALL: 0, SELFDESTRUCT: 1, CREATE: 2, CREATE2: 3 } as const;

const internalOperations = (root: CallNode): unknown[] => {
  const found: unknown[] = [];
  const walk = (node: CallNode, isRoot: boolean): void => {
    if (node.error !== null) return;
    const type = OPERATIONS[node.type as keyof typeof OPERATIONS] as number | undefined;
    const isShown = type !== undefined && (type !== 0 || node.value > 0n);
    if (!isRoot && isShown) found.push({ type, from: node.from, to: node.to, value: hex(node.value) });
    node.calls.forEach((call) => void walk(call, false));
  };
  walk(root, true);
  return found;
};

/** ots_traceTransaction: the calls with their depth. */
const otsCalls = (root: CallNode): unknown[] => {
  const found: unknown[] = [];
  const walk = (node: CallNode, depth: number): void => {
    found.push({
      type: node.type,
      depth,
      from: node.from,
      to: node.to,
      value: node.type === 'STATICCALL' || node.type === 'DELEGATECALL' ? null : hex(node.value),
      input: bytesToHex(node.input),
      output: bytesToHex(node.output),
    });
    node.calls.forEach((call) => void walk(call, depth + 1));
  };
  walk(root, 0);
  return found;
};

/** The transaction of this block in which the contract came to be. */
const findCreator = async (source: JobSource, block: BlockRecord, address: Address): Promise<unknown> => {
  if (block.height === 0n) return null;
  const replay = await openReplay(source, block);
  for (const { hash } of replay.transactions) {
    const tree = new CallTree(isPrecompileOf(source.machine), { ...FLAT_TREE, withIntrinsicGas: true });
    const root = (await replay.trace({
      ...listenWith(tree),
      end: (outcome) => tree.finish(outcome),
    })) as CallNode;
    const creator = creatorIn(root, address);
    if (creator !== null) return { hash, creator };
  }
  return null;
};

const creatorIn = (node: CallNode, address: Address): Address | null => {
  if (node.error !== null) return null;
  if ((node.type === 'CREATE' || node.type === 'CREATE2') && node.to === address) return node.from;
  for (const call of node.calls) {
    const found = creatorIn(call, address);
    if (found !== null) return found;
  }
  return null;
};
