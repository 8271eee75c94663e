/** A chain with known keys: four validators, two relayers, three funded users; payloads and seals for it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TransactionSerializable, toHex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { buildCommitCertificate } from '#consensus/certificate.ts';
import { privateKeyToAddress, signDigest } from '#consensus/crypto/secp256k1.ts';
import { voteDigest } from '#consensus/digests.ts';
import { type Address, compareHex, type Hash, hexToBytes, parseAddress } from '#consensus/primitives.ts';
import type { CommitCertificate, Payload } from '#consensus/types.ts';
import { buildGenesis } from '#genesis/genesis.ts';
import type { PredeployCode } from '#genesis/predeployCode.ts';
import type { ChainSpec, Genesis } from '#genesis/spec.ts';
import type { Chain, CommittedBlock, Derivation } from '#node/chain.ts';

export const keyOf = (index: number): Uint8Array => new Uint8Array(32).fill(index + 1);
const keyOfAddress = (keys: readonly Uint8Array[]): Map<Address, Uint8Array> =>
  new Map(keys.map((key) => [privateKeyToAddress(key), key]));

export const VALIDATOR_KEYS = keyOfAddress([10, 11, 12, 13].map(keyOf));
export const GOVERNORS = [30, 31, 32, 33].map(keyOf).map((key) => ({
  key,
  address: privateKeyToAddress(key),
  account: privateKeyToAccount(toHex(key)),
}));
export const RELAYER_KEYS = keyOfAddress([20, 21].map(keyOf));
const sorted = (addresses: Iterable<Address>): Address[] => [...addresses].sort(compareHex);

export const USERS = [0, 1, 2].map((index) => {
  const key = keyOf(index);
  return { key, address: privateKeyToAddress(key), account: privateKeyToAccount(toHex(key)) };
});
export type User = (typeof USERS)[number];

export const GWEI = 10n ** 9n;
export const ETHER = 10n ** 18n;
export const FEE_RECIPIENT = parseAddress(`0x${'fe'.repeat(20)}`);

export const exampleSpec = (changes: Partial<ChainSpec> = {}): ChainSpec => ({
  version: 1,
  name: 'example',
  chainId: 42_424n,
  l1ChainId: 31_337n,
  timestamp: 1_700_000_000n,
  epochLength: 5n,
  blockGasLimit: 30_000_000n,
  importGas: 12_000_000n,
  feePolicy: { mode: 'fixed', baseFeeWei: GWEI },
  validators: sorted(VALIDATOR_KEYS.keys()).map((address, index) => ({
    name: `validator-${index}`,
    address,
    power: 1n,
    peerId: `validator-peer-${index}`,
  })),
  relayerThreshold: 2,
  relayers: sorted(RELAYER_KEYS.keys()).map((address, index) => ({
    name: `relayer-${index}`,
    address,
    peerId: `relayer-peer-${index}`,
  })),
  governors: sorted(GOVERNORS.map(({ address }) => address)).map((address, index) => ({
    name: `organisation-${index}`,
    address,
  })),
  balances: sorted([...USERS, ...GOVERNORS].map(({ address }) => address)).map((address) => ({
    address,
    amountWei: 100n * ETHER,
  })),
  deployer: parseAddress(`0x${'dd'.repeat(20)}`),
  ...changes,
});

export const exampleGenesis = (
  changes: Partial<ChainSpec> = {},
  code?: readonly PredeployCode[],
): Promise<Genesis> => buildGenesis(exampleSpec(changes), code);

/** A signed EIP-1559 transaction, 1 gwei over a base fee of 1 gwei, unless told otherwise. */
export const signTransaction = async (
  user: User,
  transaction: { nonce: number } & Record<string, unknown>,
): Promise<Uint8Array> => {
  const filled = {
    type: 'eip1559',
    chainId: 42_424,
    gas: 100_000n,
    ...(transaction.type === undefined ? { maxFeePerGas: 3n * GWEI, maxPriorityFeePerGas: GWEI } : {}),
    ...transaction,
  } as TransactionSerializable;
  return hexToBytes(await user.account.signTransaction(filled));
};

export const payloadOn = (
  chain: Pick<Chain, 'head'>,
  transactions: readonly Uint8Array[] = [],
  secondsLater = 1n,
): Payload => {
  const { block } = chain.head();
  return {
    parentHash: block.hash,
    timestamp: block.timestamp + secondsLater,
    feeRecipient: FEE_RECIPIENT,
    transactions,
  };
};

/** Precommits of all four validators, or of those named. */
export const sealValue = (
  genesis: Genesis,
  height: bigint,
  valueId: Hash,
  keys: ReadonlyMap<Address, Uint8Array> = VALIDATOR_KEYS,
): CommitCertificate =>
  buildCommitCertificate(
    [...keys].map(([validator, key]) => {
      const vote = { type: 'precommit' as const, height, round: 0, valueId };
      const domain = { chainId: genesis.spec.chainId, genesisHash: genesis.genesisHash };
      return { ...vote, validator, payloadHash: null, signature: signDigest(voteDigest(domain, vote), key) };
    }),
  );

export const requireValid = (derivation: Derivation): Extract<Derivation, { valid: true }> => {
  if (!derivation.valid) throw new Error(`expected a valid payload: ${derivation.code} ${derivation.reason}`);
  return derivation;
};

export const commitPayload = async (
  chain: Chain,
  genesis: Genesis,
  payload: Payload,
): Promise<CommittedBlock> => {
  const { valueId, checkpoint } = requireValid(await chain.derive(payload));
  return chain.commit(valueId, sealValue(genesis, checkpoint.height, valueId));
};

export const temporaryFolder = async (): Promise<{ path: string; remove(): Promise<void> }> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'causeway-execution-'));
  return { path: folder, remove: () => rm(folder, { recursive: true, force: true }) };
};
