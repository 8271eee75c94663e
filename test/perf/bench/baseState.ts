/**
 * The chain that a benchmark begins with: a devnet's genesis, funded senders, contracts, and as many accounts as asked.
 *
 * Built once with the product's own executor, its blocks certified with the devnet's keys, and kept in the system's
 * cache: a later run copies it. Owns what is in it and when a kept one is too old to be used. Does not own the
 * processes that run on it (cluster.ts).
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeFunctionData } from 'viem';
import { mnemonicToAccount } from 'viem/accounts';
import { devnetAccounts, MNEMONIC, USER_COUNT } from '#cli/devnet/accounts.ts';
import { devnetLayout } from '#cli/devnet/layout.ts';
import { prepareGenesis } from '#cli/devnet/network.ts';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { privateKeyToAddress } from '#consensus/crypto/secp256k1.ts';
import { type Hash, hexToBytes, parseAddress } from '#consensus/primitives.ts';
import { loadGenesis } from '#genesis/genesisFile.ts';
import type { Genesis } from '#genesis/spec.ts';
import { type OpenedChain, openChain } from '#node/execution/openChain.ts';
import { payloadOn, requireValid, sealValue } from '#test/unit/node/execution/exampleChain.ts';
import { CONTRACTS_FOLDER, compileContracts } from './compileContracts.ts';
import { benchAddress, benchKey, type Key, signBulk, type Unsigned, uncompressedKey } from './signing.ts';
import { type BenchContracts, TOKEN_ABI } from './workloads.ts';

/** Accounts with known keys, coins and tokens, whatever the size of the state. */
export const SENDER_COUNT = 10_000;
const SENDER_WEI = 9n * 10n ** 16n;
const GWEI = 10n ** 9n;
const TRANSFERS_PER_BLOCK = 1_400;
const HOLDERS_PER_SEEDING = 250;

export type BaseState = {
  readonly folder: string;
  readonly genesis: Genesis;
  readonly contracts: BenchContracts;
  readonly accounts: number;
  readonly height: number;
};

type Marker = { readonly contracts: BenchContracts; readonly accounts: number; readonly height: number };

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** What decides whether a kept chain can still be opened and is what would be built now. */
const SOURCES = [
  'node/storage/schema.ts',
  'node/storage/codec.ts',
  'node/storage/headerCodec.ts',
  'node/execution/trieNodeCodec.ts',
  'cli/devnet/network.ts',
  'genesis/genesis.ts',
  'genesis/genesisFile.ts',
  'genesis/contracts/artifacts.ts',
  'test/perf/bench/baseState.ts',
  'test/perf/bench/signing.ts',
];

const fingerprint = (): string => {
  const hash = createHash('sha256');
  const contracts = readdirSync(CONTRACTS_FOLDER).map((file) => join(CONTRACTS_FOLDER, file));
  for (const file of [...SOURCES.map((path) => join(root, path)), ...contracts.sort()])
    hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 12);
};

export const cacheFolder = (): string =>
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'causeway-bench');

export const chainFolderOf = (folder: string): string => join(folder, 'data', 'chain');

/** Signs, derives, certifies and commits block after block; signing goes on while the execution thread works. */
class Builder {
  readonly #chain: OpenedChain;
  readonly #genesis: Genesis;
  readonly #validators = new Map(
    devnetAccounts().validators.map(({ address, privateKey }) => [address, privateKey]),
  );
  readonly #nonces = new Map<Key, number>();
  readonly #publicKeys = new Map<Key, Uint8Array>();
  readonly #known = new Map<Hash, Uint8Array>();
  #waiting: Promise<void> = Promise.resolve();

  constructor(chain: OpenedChain, genesis: Genesis) {
    this.#chain = chain;
    this.#genesis = genesis;
    chain.usePublicKeys((hash) => this.#known.get(hash) ?? null);
  }

  sign(from: Key, call: Pick<Unsigned, 'to' | 'valueWei' | 'data' | 'gasLimit'>): Uint8Array {
    const nonce = this.#nonces.get(from) ?? 0;
    this.#nonces.set(from, nonce + 1);
    const { chainId } = this.#genesis.spec;
    const raw = signBulk({ ...call, chainId, nonce, tipWei: 0n, maxFeeWei: GWEI }, from.privateKey);
    let publicKey = this.#publicKeys.get(from);
    if (publicKey === undefined) {
      publicKey = uncompressedKey(from);
      this.#publicKeys.set(from, publicKey);
    }
    this.#known.set(keccak256Hex(raw), publicKey);
    return raw;
  }

  /** Resolves when the block before is committed, so that at most two are in memory. */
  async add(transactions: readonly Uint8Array[]): Promise<void> {
    await this.#waiting;
    this.#waiting = this.#commit(transactions);
  }

  async #commit(transactions: readonly Uint8Array[]): Promise<void> {
    const { valueId, checkpoint, dropped } = requireValid(
      await this.#chain.derive(payloadOn(this.#chain, transactions, 0n)),
    );
    if (dropped.length > 0)
      throw new Error(`expected all to be included, found ${dropped.length} ${dropped[0]!.code}`);
    const { receipts } = await this.#chain.commit(
      valueId,
      sealValue(this.#genesis, checkpoint.height, valueId, this.#validators),
    );
    const failed = receipts.find(({ status }) => status !== 1);
    if (failed !== undefined) throw new Error(`expected success, found ${failed.transactionHash} failed`);
    for (const { transactionHash } of receipts) this.#known.delete(transactionHash);
  }

  async settled(): Promise<void> {
    await this.#waiting;
  }
}

const NO_DATA = new Uint8Array(0);

const fillChain = async (
  chain: OpenedChain,
  genesis: Genesis,
  accounts: number,
  say: (text: string) => void,
): Promise<BenchContracts> => {
  const users = Array.from({ length: USER_COUNT }, (_, addressIndex): Key => {
    const privateKey = Uint8Array.from(mnemonicToAccount(MNEMONIC, { addressIndex }).getHdKey().privateKey!);
    return { privateKey, address: privateKeyToAddress(privateKey) };
  });
  const first = users[0]!;
  const builder = new Builder(chain, genesis);
  const create = (data: Uint8Array) =>
    builder.sign(first, { to: null, valueWei: 0n, data, gasLimit: 5_000_000n });
  const code = compileContracts();
  await builder.add([create(hexToBytes(code.BenchToken)), create(hexToBytes(code.BenchWork))]);
  await builder.settled();
  const receipts = (await chain.receiptsAt(chain.head().block.height))!;
  const contracts = {
    token: parseAddress(receipts[0]!.contractAddress!),
    work: parseAddress(receipts[1]!.contractAddress!),
  };

  const inBlocks = async (
    what: string,
    count: number,
    perBlock: number,
    make: (index: number) => Uint8Array,
  ): Promise<void> => {
    for (let from = 0; from < count; from += perBlock) {
      const size = Math.min(perBlock, count - from);
      await builder.add(Array.from({ length: size }, (_, i) => make(from + i)));
      if ((from / perBlock) % 50 === 49) say(`  ${what}: ${from + size} of ${count}`);
    }
    await builder.settled();
  };
  const senders = Array.from({ length: SENDER_COUNT }, (_, index) => benchKey(index));
  await inBlocks('senders', SENDER_COUNT, TRANSFERS_PER_BLOCK, (index) =>
    builder.sign(users[index % USER_COUNT]!, {
      to: hexToBytes(senders[index]!.address),
      valueWei: SENDER_WEI,
      data: NO_DATA,
      gasLimit: 21_000n,
    }),
  );
  await inBlocks('holders', SENDER_COUNT / HOLDERS_PER_SEEDING, 2, (index) => {
    const holders = senders
      .slice(index * HOLDERS_PER_SEEDING, (index + 1) * HOLDERS_PER_SEEDING)
      .map(({ address }) => address);
    return builder.sign(first, {
      to: hexToBytes(contracts.token),
      valueWei: 0n,
      data: hexToBytes(encodeFunctionData({ abi: TOKEN_ABI, functionName: 'seed', args: [holders] })),
      gasLimit: 12_000_000n,
    });
  });
  await inBlocks('accounts', Math.max(0, accounts - SENDER_COUNT), TRANSFERS_PER_BLOCK, (index) =>
    builder.sign(users[index % USER_COUNT]!, {
      to: benchAddress('base', index),
      valueWei: 1n,
      data: NO_DATA,
      gasLimit: 21_000n,
    }),
  );
  return contracts;
};

const build = async (folder: string, accounts: number, say: (text: string) => void): Promise<void> => {
  mkdirSync(folder, { recursive: true });
  const genesis = await prepareGenesis(devnetLayout(folder), devnetAccounts());
  const chain = await openChain({ dataDir: join(folder, 'data'), genesis });
  let marker: Marker;
  try {
    const contracts = await fillChain(chain, genesis, accounts, say);
    marker = { contracts, accounts, height: Number(chain.head().block.height) };
  } finally {
    await chain.close();
  }
  writeFileSync(join(folder, 'base.json'), `${JSON.stringify(marker)}\n`);
};

/** Opens the kept one, or builds it: seconds for 10,000 accounts, minutes for a million. */
export const prepareBaseState = async (accounts: number, say: (text: string) => void): Promise<BaseState> => {
  const folder = join(cacheFolder(), `${accounts}-${fingerprint()}`);
  if (!existsSync(join(folder, 'base.json'))) {
    say(`building a chain with ${accounts} accounts, once`);
    const draft = `${folder}.${process.pid}`;
    try {
      await build(draft, accounts, say);
      mkdirSync(dirname(folder), { recursive: true });
      rmSync(folder, { recursive: true, force: true });
      renameSync(draft, folder);
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
  }
  const marker = JSON.parse(readFileSync(join(folder, 'base.json'), 'utf8')) as Marker;
  return { folder, genesis: await loadGenesis(devnetLayout(folder).genesis), ...marker };
};
