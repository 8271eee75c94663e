/** Signed transactions of every type that the chain takes. */
import { type Hex, hexToBytes, type TransactionSerializable } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { type Address, parseAddress } from '#consensus/primitives.ts';
import type { LogRecord } from '#node/storage/records.ts';
import type { FakeTransaction } from '#test/unit/node/rpc/fakes/chain.ts';
import { BASE_FEE_WEI, CHAIN_ID } from '#test/unit/node/rpc/fakes/genesis.ts';

/** The first account of the well-known development mnemonic. */
export const ALICE = privateKeyToAccount(
  '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80',
);
export const ALICE_ADDRESS = parseAddress(ALICE.address);
export const BOB: Address = parseAddress('0x70997970C51812dc3A010C7d01b50e0d17dc79C8');

const chainId = Number(CHAIN_ID);
const transfer = { to: BOB, value: 1n, gas: 21_000n } as const;
const feeCaps = { maxFeePerGas: 2n * BASE_FEE_WEI, maxPriorityFeePerGas: 1n } as const;
const accessList = [{ address: BOB, storageKeys: [`0x${'01'.repeat(32)}` as Hex] }];

const TYPE_NUMBERS = { legacy: 0, eip2930: 1, eip1559: 2, eip7702: 4 } as const;
export type TypeName = keyof typeof TYPE_NUMBERS;
export const TYPE_NAMES = Object.keys(TYPE_NUMBERS) as TypeName[];

const unsigned = async (type: TypeName, nonce: number): Promise<TransactionSerializable> => {
  switch (type) {
    case 'legacy':
      return { type, chainId, nonce, ...transfer, gasPrice: BASE_FEE_WEI };
    case 'eip2930':
      return { type, chainId, nonce, ...transfer, gasPrice: BASE_FEE_WEI, accessList };
    case 'eip1559':
      return { type, chainId, nonce, ...transfer, ...feeCaps, accessList };
    case 'eip7702': {
      const authorization = await ALICE.signAuthorization({
        contractAddress: BOB,
        chainId,
        nonce: nonce + 1,
      });
      return { type, chainId, nonce, ...transfer, ...feeCaps, authorizationList: [authorization] };
    }
  }
};

export const signTransfer = async (type: TypeName, nonce = 0): Promise<Hex> =>
  ALICE.signTransaction(await unsigned(type, nonce));

export const transferOf = async (
  type: TypeName,
  nonce = 0,
  logs: readonly LogRecord[] = [],
): Promise<FakeTransaction> => ({
  raw: hexToBytes(await signTransfer(type, nonce)),
  from: ALICE_ADDRESS,
  to: BOB,
  type: TYPE_NUMBERS[type],
  effectiveGasPrice: type === 'eip1559' || type === 'eip7702' ? BASE_FEE_WEI + 1n : BASE_FEE_WEI,
  logs,
});
