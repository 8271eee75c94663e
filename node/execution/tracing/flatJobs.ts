/** trace_block, trace_transaction, trace_filter and trace_replay…: a block run again under a tree of calls. */
import { bytesToHex } from '#consensus/primitives.ts';
import type { Machine } from '#node/execution/machine.ts';
import { isPrecompileOf, listenWith } from '#node/execution/tracing/callTracers.ts';
import { CallTree } from '#node/execution/tracing/callTree.ts';
import { FLAT_TREE } from '#node/execution/tracing/createTracer.ts';
import {
  type FlatPlace,
  type FlatTrace,
  flattenCalls,
  formatStateDiff,
  placeTraces,
} from '#node/execution/tracing/flatTraces.ts';
import { MAX_JOB_BYTES, type ReplayParts, type TraceFilter, tooLarge } from '#node/execution/tracing/jobs.ts';
import { listenToState, TouchedState } from '#node/execution/tracing/prestateTracer.ts';
import { openReplay, type Replay, type ReplaySource } from '#node/execution/tracing/replay.ts';

type PlacedTrace = FlatTrace & FlatPlace;

const placeOf = ({ block, transactions }: Replay, index: number): FlatPlace => ({
  blockHash: block.hash,
  blockNumber: Number(block.height),
  transactionHash: transactions[index]!.hash,
  transactionPosition: index,
});

/** Of the replay's next transaction. */
export const flatTransaction = async (
  replay: Replay,
  machine: Machine,
  index: number,
): Promise<readonly PlacedTrace[]> => {
  const tree = new CallTree(isPrecompileOf(machine), FLAT_TREE);
  const traces = await replay.trace({
    ...listenWith(tree),
    end: (outcome) => flattenCalls(tree.finish(outcome)),
  });
  return placeTraces(traces as FlatTrace[], placeOf(replay, index));
};

export const flatBlock = async (replay: Replay, machine: Machine): Promise<readonly PlacedTrace[]> => {
  const all: PlacedTrace[] = [];
  for (const index of replay.transactions.keys())
    all.push(...(await flatTransaction(replay, machine, index)));
  return all;
};

const senderOf = ({ action }: FlatTrace): unknown => action.from ?? action.address;
const receiverOf = ({ action, result }: FlatTrace): unknown =>
  action.to ?? action.refundAddress ?? result?.address;

/** With both lists, a trace must match both, as in OpenEthereum and Erigon. */
const isWanted = ({ fromAddresses, toAddresses }: TraceFilter, trace: FlatTrace): boolean =>
  (fromAddresses.length === 0 || (fromAddresses as readonly unknown[]).includes(senderOf(trace))) &&
  (toAddresses.length === 0 || (toAddresses as readonly unknown[]).includes(receiverOf(trace)));

/** Blocks without transactions cost one read each. @throws ChainError STATE_PRUNED, HISTORY_PRUNED */
export const filterTraces = async (
  source: ReplaySource,
  from: bigint,
  to: bigint,
  filter: TraceFilter,
): Promise<readonly PlacedTrace[]> => {
  const found: PlacedTrace[] = [];
  let skipped = 0;
  let size = 0;
  for (let height = from > 0n ? from : 1n; height <= to && found.length < filter.count; height++) {
    const block = source.store.block(height);
    if (block === null || block.transactions.length === 0) continue;
    for (const trace of await flatBlock(await openReplay(source, block), source.machine)) {
      if (!isWanted(filter, trace) || found.length >= filter.count) continue;
      if (skipped++ < filter.after) continue;
      size += JSON.stringify(trace).length;
      if (size > MAX_JOB_BYTES) throw tooLarge();
      found.push(trace);
    }
  }
  return found;
};

/** Of the replay's next transaction. */
export const replayParts = async (replay: Replay, machine: Machine, parts: ReplayParts) => {
  const tree = new CallTree(isPrecompileOf(machine), FLAT_TREE);
  const touched = new TouchedState();
  const calls = listenWith(tree);
  const state = listenToState(touched);
  return replay.trace({
    begin: async (transaction, before) => {
      await calls.begin?.(transaction, before);
      if (parts.stateDiff) await state.begin?.(transaction, before);
    },
    step: (step) => {
      const waits = [calls.step?.(step), parts.stateDiff ? state.step?.(step) : undefined];
      const pending = waits.filter((wait) => wait !== undefined);
      if (pending.length > 0) return Promise.all(pending).then(() => {});
    },
    enter: (message) => calls.enter?.(message),
    exit: (result) => calls.exit?.(result),
    end: async (outcome, after) => ({
      output: bytesToHex(outcome.returnValue),
      stateDiff: parts.stateDiff ? formatStateDiff(await touched.after(after)) : null,
      trace: parts.trace ? flattenCalls(tree.finish(outcome)) : [],
      vmTrace: null,
    }),
  }) as Promise<Record<string, unknown>>;
};
