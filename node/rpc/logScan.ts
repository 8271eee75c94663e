/**
 * Finding logs: which blocks may hold a wanted one (by their header's bloom), and which logs are wanted.
 *
 * Bounded in blocks, in results, in the bytes of the answer, and in scans at one time.
 */

import { keccak256 } from '#consensus/crypto/keccak.ts';
import { hexToBytes } from '#consensus/primitives.ts';
import type { RpcContext } from '#node/rpc/context.ts';
import { invalidParams, RPC_CODES, RpcError } from '#node/rpc/errors.ts';
import { headerBloom } from '#node/rpc/format/block.ts';
import { formatLogs, type ShownLog } from '#node/rpc/format/receipt.ts';
import { createPacer } from '#node/rpc/pacer.ts';
import type { LogCriteria } from '#node/rpc/params.ts';
import type { BlockRecord, LogRecord } from '#node/storage/records.ts';

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

/** Wanted logs of the blocks `from` to `to`, both included and committed. @throws RpcError when a bound is met */
export const scanLogs = (
  context: RpcContext,
  client: string,
  criteria: LogCriteria,
  from: bigint,
  to: bigint,
): Promise<ShownLog[]> => {
  const { maxLogBlocks } = context.limits;
  if (to - from >= BigInt(maxLogBlocks))
    throw invalidParams(`exceed maximum block range: ${maxLogBlocks}; ask for it in parts`);
  return context.logScans(async () => {
    const mayContain = createBloomTest(criteria);
    const found = createBoundedLogs(context);
    const deadlineMs = context.nowMs() + context.limits.callTimeoutMs;
    const pace = createPacer();
    for (let height = from; height <= to; height++) {
      await pace();
      if (context.nowMs() > deadlineMs) throw new RpcError(RPC_CODES.timeout, 'request timed out');
      const block = await context.chain.blockAt(height);
      if (block !== null && mayContain(headerBloom(block.header)))
        found.add(await blockLogs(context, block, criteria));
    }
    return found.logs;
  }, client);
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

const createBoundedLogs = ({ limits }: RpcContext) => {
  const logs: ShownLog[] = [];
  let size = 0;
  return {
    logs,
    add(more: readonly ShownLog[]): void {
      for (const log of more) {
        size += LOG_OVERHEAD + log.data.length;
        if (logs.length >= limits.maxLogResults)
          throw invalidParams(
            `query returned more than ${limits.maxLogResults} results; ask for a smaller block range`,
          );
        if (size > limits.maxResponseBytes)
          throw new RpcError(RPC_CODES.responseTooLarge, 'response too large; ask for a smaller block range');
        logs.push(log);
      }
    },
  };
};
