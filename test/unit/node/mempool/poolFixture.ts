/** Accounts in memory and signed transactions, for tests of the pool. */
import {
  createAccessList2930Tx,
  createEOACode7702Tx,
  createFeeMarket1559Tx,
  createLegacyTx,
} from '@ethereumjs/tx';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { GATEWAY_SLOTS } from '#bridge/encoding/gatewaySlots.ts';
import { addressToWord, arrayElementSlot, uintToWord } from '#bridge/encoding/storageWords.ts';
import { keccak256, keccak256Hex } from '#consensus/crypto/keccak.ts';
import { privateKeyToAddress } from '#consensus/crypto/secp256k1.ts';
import {
  type Address,
  bytesToHex,
  concatBytes,
  type Hash,
  parseAddress,
  toBigEndian,
  ZERO_HASH,
} from '#consensus/primitives.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import type { CommittedBlock } from '#node/chain.ts';
import { IMPORT_DEPOSITS_SIGNATURE } from '#node/execution/importTransaction.ts';
import { createTransactionRules, decodeTransaction } from '#node/execution/transactionChecks.ts';
import type { StateSource } from '#node/mempool/accounts.ts';
import { createPool, type Pool, type PoolOptions } from '#node/mempool/pool.ts';
import type { AccountRecord, BlockRecord, ReceiptRecord } from '#node/storage/records.ts';

const utf8 = new TextEncoder();
export const GWEI = 1_000_000_000n;
export const ETHER = GWEI * GWEI;
export const BASE_FEE = GWEI;
export const CHAIN_ID = 42424n;
export const RULES = createTransactionRules({
  chainId: CHAIN_ID,
  feePolicy: { mode: 'fixed', baseFeeWei: BASE_FEE },
  blockGasLimit: 30_000_000n,
  importGas: 12_000_000n,
});
export const RECIPIENT: Address = parseAddress(`0x${'ab'.repeat(20)}`);
const EMPTY_CODE_HASH = keccak256Hex(new Uint8Array(0));

export type Account = { readonly key: Uint8Array; readonly address: Address };
export const createAccount = (name: string): Account => {
  const key = keccak256(utf8.encode(name));
  return { key, address: privateKeyToAddress(key) };
};

export type TransactionFields = {
  nonce?: bigint;
  tip?: bigint;
  maxFee?: bigint;
  gas?: bigint;
  value?: bigint;
  data?: Uint8Array;
  to?: Address;
  chainId?: bigint;
};

export const transfer = ({ key }: Account, fields: TransactionFields = {}): Uint8Array => {
  const {
    nonce = 0n,
    tip = 0n,
    maxFee,
    gas = 21_000n,
    value = 1n,
    data = new Uint8Array(0),
    to = RECIPIENT,
  } = fields;
  return createFeeMarket1559Tx(
    {
      chainId: fields.chainId ?? CHAIN_ID,
      nonce,
      maxPriorityFeePerGas: tip,
      maxFeePerGas: maxFee ?? BASE_FEE + tip,
      gasLimit: gas,
      to,
      value,
      data,
    },
    {
      common:
        fields.chainId === undefined
          ? RULES.common
          : createTransactionRules({
              ...RULES,
              feePolicy: { mode: 'fixed', baseFeeWei: BASE_FEE },
              chainId: fields.chainId,
            }).common,
    },
  )
    .sign(key)
    .serialize();
};

export const legacyTransfer = ({ key }: Account, nonce = 0n): Uint8Array =>
  createLegacyTx(
    { nonce, gasPrice: BASE_FEE, gasLimit: 21_000n, to: RECIPIENT, value: 1n },
    { common: RULES.common },
  )
    .sign(key)
    .serialize();

export const accessListTransfer = ({ key }: Account, nonce = 0n): Uint8Array =>
  createAccessList2930Tx(
    { chainId: CHAIN_ID, nonce, gasPrice: BASE_FEE, gasLimit: 21_000n, to: RECIPIENT, value: 1n },
    { common: RULES.common },
  )
    .sign(key)
    .serialize();

export const delegation = ({ key }: Account, nonce = 0n): Uint8Array =>
  createEOACode7702Tx(
    {
      chainId: CHAIN_ID,
      nonce,
      maxFeePerGas: BASE_FEE,
      maxPriorityFeePerGas: 0n,
      gasLimit: 100_000n,
      to: RECIPIENT,
      value: 0n,
      authorizationList: [
        {
          chainId: '0x00',
          address: RECIPIENT,
          nonce: '0x01',
          yParity: '0x01',
          r: bytesToHex(toBigEndian(1n, 32)),
          s: bytesToHex(toBigEndian(1n, 32)),
        },
      ],
    },
    { common: RULES.common },
  )
    .sign(key)
    .serialize();

const SELECTOR = keccak256(utf8.encode(IMPORT_DEPOSITS_SIGNATURE)).subarray(0, 4);
export const importOf = (relayer: Account, firstNonce: bigint, nonce = 0n, salt = 0): Uint8Array =>
  transfer(relayer, {
    nonce,
    tip: 0n,
    maxFee: 0n,
    value: 0n,
    gas: 1_000_000n,
    to: PEG_GATEWAY,
    data: concatBytes(SELECTOR, toBigEndian(firstNonce, 32), Uint8Array.of(salt)),
  });

export const hashOf = (raw: Uint8Array): Hash => keccak256Hex(raw);

const SET = createValidatorSet([{ address: RECIPIENT, power: 1n }]);

const blockAt = (
  height: bigint,
  transactions: readonly Uint8Array[],
  importedCount: bigint,
): BlockRecord => ({
  height,
  hash: keccak256Hex(toBigEndian(height, 8)),
  parentHash: ZERO_HASH,
  timestamp: height,
  gasUsed: 0n,
  gasLimit: 42_000_000n,
  baseFeePerGas: BASE_FEE,
  stateRoot: ZERO_HASH,
  feeRecipient: RECIPIENT,
  header: new Uint8Array(0),
  transactions,
  transactionHashes: transactions.map(hashOf),
  checkpoint: {
    height,
    blockHash: ZERO_HASH,
    stateRoot: ZERO_HASH,
    outboxRoot: ZERO_HASH,
    outboxCount: 0n,
    importedCount,
    importedHash: ZERO_HASH,
    nextValidatorsHash: SET.hash,
  },
  valueId: ZERO_HASH,
  certificate: null,
});

export type FakeState = StateSource & {
  onCommitted(listener: (committed: CommittedBlock) => void): () => void;
  set(account: Account, state: { nonce?: bigint; balance?: bigint; code?: Uint8Array }): void;
  /** Commits these, moving the senders' nonces and taking `costs` from their balances. */
  commit(transactions: readonly Uint8Array[], importedCount?: bigint): void;
  nonceOf(address: Address): bigint;
  balanceOf(address: Address): bigint;
  /** Heads are looked at for each transaction that is asked whether it is held back. */
  readonly reads: { accounts: number; heads: number };
  /** While set, account reads wait for it. */
  hold: Promise<void> | null;
};

export const createFakeState = (relayers: readonly Account[] = []): FakeState => {
  const accounts = new Map<Address, AccountRecord>();
  const codes = new Map<Address, Uint8Array>();
  const storage = new Map<string, Hash>();
  storage.set(uintToWord(GATEWAY_SLOTS.relayers), uintToWord(BigInt(relayers.length)));
  relayers.forEach(({ address }, index) => {
    storage.set(arrayElementSlot(GATEWAY_SLOTS.relayers, BigInt(index)), addressToWord(address));
  });
  const listeners = new Set<(committed: CommittedBlock) => void>();
  let block = blockAt(0n, [], 0n);
  const reads = { accounts: 0, heads: 0 };
  const state: FakeState = {
    reads,
    hold: null,
    head: () => {
      reads.heads++;
      return { block, nextValidators: SET };
    },
    async account(address) {
      reads.accounts++;
      const found = accounts.get(address) ?? null;
      if (state.hold !== null) await state.hold;
      return found;
    },
    code: async (address) => codes.get(address) ?? new Uint8Array(0),
    storageAt: async (address, slot) =>
      address === PEG_GATEWAY ? (storage.get(slot) ?? ZERO_HASH) : ZERO_HASH,
    onCommitted(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set({ address }, { nonce = 0n, balance = ETHER, code = new Uint8Array(0) }) {
      accounts.set(address, {
        nonce,
        balance,
        codeHash: code.length === 0 ? EMPTY_CODE_HASH : keccak256Hex(code),
        storageRoot: ZERO_HASH,
      });
      codes.set(address, code);
    },
    commit(transactions, importedCount = block.checkpoint.importedCount) {
      const receipts: ReceiptRecord[] = transactions.map((raw) => {
        const decoded = decodeTransaction(raw, RULES);
        if (!decoded.ok) throw new Error(decoded.message);
        const { sender, hash, type, nonce, valueWei } = decoded.transaction;
        const account = accounts.get(sender);
        if (account === undefined || account.nonce !== nonce)
          throw new Error(`not executable: ${sender} ${nonce}`);
        accounts.set(sender, { ...account, nonce: nonce + 1n, balance: account.balance - valueWei });
        return {
          transactionHash: hash,
          type,
          from: sender,
          to: RECIPIENT,
          status: 1,
          gasUsed: 21_000n,
          cumulativeGasUsed: 21_000n,
          effectiveGasPrice: BASE_FEE,
          contractAddress: null,
          logsBloom: '0x',
          logs: [],
        };
      });
      block = blockAt(block.height + 1n, transactions, importedCount);
      for (const listener of listeners) listener({ block, receipts, head: state.head() });
    },
    nonceOf: (address) => accounts.get(address)?.nonce ?? 0n,
    balanceOf: (address) => accounts.get(address)?.balance ?? 0n,
  };
  return state;
};

export const createTestPool = (state: FakeState, options: Partial<PoolOptions> = {}): Pool =>
  createPool({ rules: RULES, ...options }, { chain: state });

export const ALL = { maxGas: 30_000_000n, maxBytes: 2 * 1024 * 1024, maxCount: 1_428, allowImport: true };
