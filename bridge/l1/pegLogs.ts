/**
 * The events of the peg that a node reads from the L1, as an endpoint tells them.
 *
 * Owns fetching and decoding. Does not trust: leaf and chain hash in the event are ignored, the leaf's fields are
 * taken and hashed here; watcher.ts compares the outcome with the contracts.
 */
import { getAbiItem, getAddress } from 'viem';
import type { L1Addresses } from '#bridge/addresses.ts';
import { pegVaultAbi, pegVerifierAbi } from '#bridge/contracts/artifacts/contracts.ts';
import type { Leaf } from '#bridge/encoding/leaf.ts';
import type { L1Endpoint } from '#bridge/l1/endpoint.ts';
import type { AcceptedCheckpoint } from '#bridge/l1/view.ts';
import { type Hex, parseAddress, parseHash } from '#consensus/primitives.ts';

export const DEPOSITED_EVENT = getAbiItem({ abi: pegVaultAbi, name: 'Deposited' });
export const DEPOSIT_DATA_EVENT = getAbiItem({ abi: pegVaultAbi, name: 'DepositData' });
export const CHECKPOINT_ACCEPTED_EVENT = getAbiItem({ abi: pegVerifierAbi, name: 'CheckpointAccepted' });

export type DepositLog = {
  readonly leaf: Leaf;
  /** What the leaf's dataHash stands for, as the event says; not compared here. Null for transfers. */
  readonly data: Hex | null;
  readonly blockNumber: bigint;
};

export type PegLogs = {
  readonly deposits: readonly DepositLog[];
  readonly accepted: readonly AcceptedCheckpoint[];
};

/** Logs of both contracts in a range of blocks, in chain order. @throws Error when a log is outside of what was asked */
export const readPegLogs = async (
  endpoint: L1Endpoint,
  addresses: Pick<L1Addresses, 'vault' | 'verifier'>,
  fromBlock: bigint,
  toBlock: bigint,
): Promise<PegLogs> => {
  const logs = await endpoint.client.getLogs({
    address: [getAddress(addresses.vault), getAddress(addresses.verifier)],
    events: [DEPOSITED_EVENT, DEPOSIT_DATA_EVENT, CHECKPOINT_ACCEPTED_EVENT],
    fromBlock,
    toBlock,
    strict: true,
  });
  const deposits: DepositLog[] = [];
  const dataOf = new Map<bigint, Hex>();
  const accepted: AcceptedCheckpoint[] = [];
  for (const log of logs) {
    const { blockNumber } = log;
    if (blockNumber === null || blockNumber < fromBlock || blockNumber > toBlock)
      throw new Error(`expected logs of blocks ${fromBlock} to ${toBlock}, found one of ${blockNumber}`);
    const address = parseAddress(log.address);
    if (log.eventName === 'Deposited' && address === addresses.vault)
      deposits.push({
        blockNumber,
        data: null,
        leaf: {
          kind: log.args.kind,
          nonce: log.args.nonce,
          token: parseAddress(log.args.token),
          sender: parseAddress(log.args.sender),
          recipient: parseAddress(log.args.recipient),
          amount: log.args.amount,
          fee: log.args.fee,
          dataHash: parseHash(log.args.dataHash),
        },
      });
    else if (log.eventName === 'DepositData' && address === addresses.vault)
      dataOf.set(log.args.nonce, log.args.data as Hex);
    else if (log.eventName === 'CheckpointAccepted' && address === addresses.verifier)
      accepted.push({
        height: log.args.height,
        valueId: parseHash(log.args.valueId),
        l1BlockNumber: blockNumber,
      });
  }
  return {
    deposits: deposits.map((deposit) => ({ ...deposit, data: dataOf.get(deposit.leaf.nonce) ?? null })),
    accepted,
  };
};
