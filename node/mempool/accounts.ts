/** What admission asks the committed state: an account as its transactions' sender, and who may import deposits. */
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { readGatewayRelayers } from '#bridge/encoding/gatewaySlots.ts';
import { type Address, parseHash } from '#consensus/primitives.ts';
import type { ChainReader } from '#node/chain.ts';
import { type SenderState, senderCodeKind } from '#node/execution/transactionChecks.ts';

export type StateSource = Pick<ChainReader, 'head' | 'account' | 'code' | 'storageAt'>;

const EMPTY_CODE_HASH = parseHash('0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470');

export const readSender = async (
  chain: StateSource,
  address: Address,
  height: bigint,
): Promise<SenderState> => {
  const account = await chain.account(address, height);
  if (account === null) return { nonce: 0n, balance: 0n, code: 'none' };
  const { nonce, balance, codeHash } = account;
  if (codeHash === EMPTY_CODE_HASH) return { nonce, balance, code: 'none' };
  return { nonce, balance, code: senderCodeKind(await chain.code(address, height)) };
};

/** Reads the set once per head: whoever sends imports in a flood costs one lookup. */
export const createRelayerLookup = (chain: StateSource) => {
  let known: { height: bigint; relayers: Promise<ReadonlySet<Address>> } | null = null;
  return (): Promise<ReadonlySet<Address>> => {
    const { height } = chain.head().block;
    if (known?.height !== height) {
      const relayers = readGatewayRelayers((slot) => chain.storageAt(PEG_GATEWAY, slot, height)).then(
        ({ addresses }) => new Set(addresses),
      );
      relayers.catch(() => {
        known = null; // the next one asks again
      });
      known = { height, relayers };
    }
    return known.relayers;
  };
};
