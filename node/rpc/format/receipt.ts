/** Receipts and logs as JSON-RPC shows them; logIndex counts through the whole block. */
import type { Address, Hash, Hex } from '#consensus/primitives.ts';
import { toQuantity } from '#node/rpc/format/quantity.ts';
import type { BlockRecord, LogRecord, ReceiptRecord } from '#node/storage/records.ts';

export type ShownLog = {
  readonly address: Address;
  readonly topics: readonly Hash[];
  readonly data: Hex;
  readonly blockNumber: Hex;
  readonly blockHash: Hash;
  readonly blockTimestamp: Hex;
  readonly transactionHash: Hash;
  readonly transactionIndex: Hex;
  readonly logIndex: Hex;
  readonly removed: false;
};

/** A block's logs in order, those that `wanted` accepts. */
export const formatLogs = (
  block: BlockRecord,
  receipts: readonly ReceiptRecord[],
  wanted: (log: LogRecord) => boolean,
): ShownLog[] => {
  const shown: ShownLog[] = [];
  let logIndex = 0;
  receipts.forEach((receipt, transactionIndex) => {
    for (const log of receipt.logs) {
      if (wanted(log)) shown.push(formatLog(block, receipt, transactionIndex, log, logIndex));
      logIndex += 1;
    }
  });
  return shown;
};

const formatLog = (
  block: BlockRecord,
  receipt: ReceiptRecord,
  transactionIndex: number,
  log: LogRecord,
  logIndex: number,
): ShownLog => ({
  address: log.address,
  topics: log.topics,
  data: log.data,
  blockNumber: toQuantity(block.height),
  blockHash: block.hash,
  blockTimestamp: toQuantity(block.timestamp),
  transactionHash: receipt.transactionHash,
  transactionIndex: toQuantity(transactionIndex),
  logIndex: toQuantity(logIndex),
  removed: false,
});

/** Receipt `index` of the block. @throws TypeError if the block has no such receipt */
export const formatReceipt = (block: BlockRecord, receipts: readonly ReceiptRecord[], index: number) => {
  const receipt = receipts[index];
  if (receipt === undefined)
    throw new TypeError(`expected receipt ${index} in block ${block.height}, found none`);
  const firstLog = receipts.slice(0, index).reduce((sum, { logs }) => sum + logs.length, 0);
  return {
    blockHash: block.hash,
    blockNumber: toQuantity(block.height),
    transactionHash: receipt.transactionHash,
    transactionIndex: toQuantity(index),
    type: toQuantity(receipt.type),
    from: receipt.from,
    to: receipt.to,
    contractAddress: receipt.contractAddress,
    status: toQuantity(receipt.status),
    gasUsed: toQuantity(receipt.gasUsed),
    cumulativeGasUsed: toQuantity(receipt.cumulativeGasUsed),
    effectiveGasPrice: toQuantity(receipt.effectiveGasPrice),
    logsBloom: receipt.logsBloom,
    logs: receipt.logs.map((log, offset) => formatLog(block, receipt, index, log, firstLog + offset)),
  };
};
