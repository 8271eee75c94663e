/**
 * Finding logs: which blocks may hold a wanted one (by their header's bloom), and which logs are wanted.
 *
 * A few blocks are looked through here; more of them in a call thread, so that neither reading nor writing the answer
 * holds the thread of the network. Bounded in blocks, in results, in the bytes of the answer, and in scans at one time.
 */

import { keccak256 } from '#consensus/crypto/keccak.ts';
import { hexToBytes } from '#consensus/primitives.ts';
import type { RpcContext } from '#node/rpc/context.ts';
import { invalidParams, RPC_CODES, RpcError } from '#node/rpc/errors.ts';
import { headerBloom } from '#node/rpc/format/block.ts';
import { formatLogs, type ShownLog } from '#node/rpc/format/receipt.ts';
import { JsonText } from '#node/rpc/jsonText.ts';
import type { LogCriteria } from '#node/rpc/params.ts';
import type { BlockRecord, LogRecord, ReceiptRecord } from '#node/storage/records.ts';

export const isWantedLog = ({ addresses, topics }: LogCriteria, log: LogRecord): boolean =>
  (addresses === null || addresses.has(log.address)) &&
  topics.length <= log.topics.length &&
  topics.every((wanted, position) => wanted === null || wanted.has(log.topics[position]!));

/** The three bits that a value sets in a 2048-bit bloom (Yellow Paper, 4.3.1), as byte index and mask. */
type BloomBits = readonly (readonly [byte: number, mask: number])[];

const bloomBits = (value: Uint8Array): BloomBits => {
  const digest = keccak256(value);
  return [0, 2, 4].map((at) => {
    const bit = ((digest[at]! << 8) | digest[at + 1]!) & 2047;
    return [255 - (bit >> 3), 1 << (bit & 7)] as const;
  });
};

/** @returns whether a block with this bloom may hold a wanted log; false is certain */
export const createBloomTest = ({ addresses, topics }: LogCriteria): ((bloom: Uint8Array) => boolean) => {
  const positions = [addresses, ...topics]
    .filter((values) => values !== null)
    .map((values) => [...values].map((value) => bloomBits(hexToBytes(value))));
  return (bloom) =>
    positions.every((choices) =>
      choices.some((bits) => bits.every(([byte, mask]) => (bloom[byte]! & mask) !== 0)),
    );
};

export type LogBounds = { readonly maxLogResults: number; readonly maxResponseBytes: number };

/** What a scan reads. */
export type LogSource = {
  /** The header of a committed height. */
  header(height: bigint): Promise<Uint8Array | null> | Uint8Array | null;
  block(height: bigint): Promise<BlockRecord | null> | BlockRecord | null;
  /** @throws ChainError HISTORY_PRUNED */
  receipts(height: bigint): Promise<readonly ReceiptRecord[] | null> | readonly ReceiptRecord[] | null;
};

/** Wanted logs of the blocks `from` to `to`, both included. @throws RpcError when a bound is met */
export const findLogs = async (
  source: LogSource,
  criteria: LogCriteria,
  from: bigint,
  to: bigint,
  bounds: LogBounds,
): Promise<ShownLog[]> => {
  const mayContain = createBloomTest(criteria);
  const found = createBoundedLogs(bounds);
  for (let height = from; height <= to; height++) {
    const header = await source.header(height);
    if (header === null || !mayContain(headerBloom(header))) continue;
    const block = await source.block(height);
    const receipts = await source.receipts(height);
    if (block !== null && receipts !== null)
      found.add(formatLogs(block, receipts, (log) => isWantedLog(criteria, log)));
  }
  return found.logs;
};

/** Blocks that are not worth the trip to another thread. */
const FEW_BLOCKS = 16n;

/** Wanted logs of the committed blocks `from` to `to`, both included. @throws RpcError when a bound is met */
export const scanLogs = async (
  context: RpcContext,
  client: string,
  criteria: LogCriteria,
  from: bigint,
  to: bigint,
): Promise<ShownLog[] | JsonText> => {
  const { chain, limits } = context;
  if (to - from >= BigInt(limits.maxLogBlocks))
    throw invalidParams(`exceed maximum block range: ${limits.maxLogBlocks}; ask for it in parts`);
  const { maxLogResults, maxResponseBytes } = limits;
  const bounds = { maxLogResults, maxResponseBytes };
  if (to - from < FEW_BLOCKS) {
    const source: LogSource = {
      header: async (height) => (await chain.blockAt(height))?.header ?? null,
      block: (height) => chain.blockAt(height),
      receipts: (height) => chain.receiptsAt(height),
    };
    return context.logScans(() => findLogs(source, criteria, from, to, bounds), client);
  }
  const outcome = await context.logScans(
    () => context.calls.perform({ kind: 'logs', height: from, toHeight: to, criteria, bounds }),
    client,
  );
  if (outcome.status === 'json') return new JsonText(outcome.json);
  throw new RpcError(outcome.code, outcome.message, outcome.data);
};

/** Wanted logs of one committed block. */
export const blockLogs = async (
  context: RpcContext,
  block: BlockRecord,
  criteria: LogCriteria,
): Promise<ShownLog[]> => {
  const receipts = (await context.chain.receiptsAt(block.height)) ?? [];
  return formatLogs(block, receipts, (log) => isWantedLog(criteria, log));
};

/** Characters of a shown log without its topics and data. */
const LOG_OVERHEAD = 600;

const createBoundedLogs = ({ maxLogResults, maxResponseBytes }: LogBounds) => {
  const logs: ShownLog[] = [];
  let size = 0;
  return {
    logs,
    add(more: readonly ShownLog[]): void {
      for (const log of more) {
        size += LOG_OVERHEAD + log.data.length;
        if (logs.length >= maxLogResults)
          throw invalidParams(
            `query returned more than ${maxLogResults} results; ask for a smaller block range`,
          );
        if (size > maxResponseBytes)
          throw new RpcError(RPC_CODES.responseTooLarge, 'response too large; ask for a smaller block range');
        logs.push(log);
      }
    },
  };
};
