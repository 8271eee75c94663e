/** Finding the peg's events on either chain, newest or oldest first, in bounded ranges. */
import {
  type ContractEventName,
  type GetContractEventsReturnType,
  type PublicClient,
  parseEventLogs,
} from 'viem';
import type { pegGatewayAbi, pegVaultAbi, pegVerifierAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { readLogRanges } from '#bridge/l1/logRanges.ts';

type PegAbi = typeof pegVaultAbi | typeof pegVerifierAbi | typeof pegGatewayAbi;

export type EventQuery<Abi extends PegAbi, Name extends ContractEventName<Abi>> = {
  readonly contract: { readonly address: `0x${string}`; readonly abi: Abi };
  readonly eventName: Name;
  readonly fromBlock: bigint;
  readonly toBlock: bigint;
  readonly maxBlocks: bigint;
};

type Events<Abi extends PegAbi, Name extends ContractEventName<Abi>> = GetContractEventsReturnType<
  Abi,
  Name,
  true
>;

const readRange = async <Abi extends PegAbi, Name extends ContractEventName<Abi>>(
  client: PublicClient,
  { contract, eventName }: EventQuery<Abi, Name>,
  fromBlock: bigint,
  toBlock: bigint,
): Promise<Events<Abi, Name>> => {
  const logs = await client.getLogs({ address: contract.address, fromBlock, toBlock });
  return parseEventLogs({
    abi: contract.abi,
    eventName,
    logs,
    strict: true,
  } as never) as unknown as Events<Abi, Name>;
};

/** All of them, oldest first, until `isEnough`. */
export const readEvents = async <Abi extends PegAbi, Name extends ContractEventName<Abi>>(
  client: PublicClient,
  query: EventQuery<Abi, Name>,
  isEnough: (found: number) => boolean = () => false,
): Promise<Events<Abi, Name>> => {
  const found: Events<Abi, Name>[number][] = [];
  const ranges = readLogRanges(query, (fromBlock, toBlock) => readRange(client, query, fromBlock, toBlock));
  for await (const { logs } of ranges) {
    found.push(...(logs as Events<Abi, Name>));
    if (isEnough(found.length)) break;
  }
  return found as Events<Abi, Name>;
};

/** The newest that `matches`, searched backwards; null if there is none. */
export const findNewestEvent = async <Abi extends PegAbi, Name extends ContractEventName<Abi>>(
  client: PublicClient,
  query: EventQuery<Abi, Name>,
  matches: (event: Events<Abi, Name>[number]) => boolean = () => true,
): Promise<Events<Abi, Name>[number] | null> => {
  let last = query.toBlock;
  while (last >= query.fromBlock) {
    const first =
      last - query.maxBlocks + 1n > query.fromBlock ? last - query.maxBlocks + 1n : query.fromBlock;
    const events = await readEvents(client, { ...query, fromBlock: first, toBlock: last });
    const found = (events as Events<Abi, Name>[number][]).findLast(matches);
    if (found !== undefined) return found;
    last = first - 1n;
  }
  return null;
};
