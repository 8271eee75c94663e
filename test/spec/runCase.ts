/**
 * One case of a state test, run as the node runs a transaction of a payload: our checks, our transfers, our overlay,
 * our trie (`node/execution/runTransactions.ts`), under the rules and in the block that the test names.
 *
 * Three kinds of transaction do not exist on our chain, and are here so that their execution is tested as well:
 * legacy ones without a chain id and those over 128 KiB skip our decoding alone; blob transactions skip our checks too,
 * because their fee is paid in what we do not have, and are refused by the library's.
 */
import { type Block, createBlock } from '@ethereumjs/block';
import { Hardfork } from '@ethereumjs/common';
import { RLP } from '@ethereumjs/rlp';
import { createTx, createTxFromRLP, getMinimumGasLimit, type TypedTransaction } from '@ethereumjs/tx';
import { Account, Address as EvmAddress } from '@ethereumjs/util';
import { runTx } from '@ethereumjs/vm';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { type Hash, type Hex, hexToBytes, parseAddress } from '#consensus/primitives.ts';
import { createChainCommon } from '#node/execution/chainCommon.ts';
import { loadCryptoLibraries } from '#node/execution/cryptoLibraries.ts';
import { createMachine, type Machine } from '#node/execution/machine.ts';
import { OverlayState } from '#node/execution/overlayState.ts';
import { runTransactions } from '#node/execution/runTransactions.ts';
import { EMPTY_STATE } from '#node/execution/stateReader.ts';
import {
  type DecodedTransaction,
  decodeTransaction,
  describeTransaction,
  type TransactionRules,
} from '#node/execution/transactionChecks.ts';
import { padLeft } from '#node/storage/rlpValues.ts';
import type { PostCase, StateTest } from '#test/spec/format.ts';
import { MemoryState } from '#test/spec/memoryState.ts';

/** The rules that we run, by the name that the tests give them: ours, and those it grew from since we use its parts. */
export const FORKS: Readonly<Record<string, Hardfork>> = {
  Cancun: Hardfork.Cancun,
  Prague: Hardfork.Prague,
  Osaka: Hardfork.Osaka,
};

const machines = new Map<string, Promise<Machine>>();

const machineOf = (fork: Hardfork, chainId: bigint): Promise<Machine> => {
  const key = `${fork} ${chainId}`;
  const known = machines.get(key);
  if (known !== undefined) return known;
  const made = loadCryptoLibraries().then((libraries) =>
    createMachine(createChainCommon(chainId, libraries.kzg, fork), libraries, (height) =>
      keccak256Hex(new TextEncoder().encode(height.toString())),
    ),
  );
  machines.set(key, made);
  return made;
};

/** The pre-state of a test, committed; its cases share it and none changes it. */
export const buildPreState = async (pre: StateTest['pre']): Promise<MemoryState> => {
  const overlay = new OverlayState(EMPTY_STATE);
  for (const [hex, { balance, nonce, code, storage }] of Object.entries(pre)) {
    const address = new EvmAddress(padLeft(toBytes(hex), 20));
    await overlay.putAccount(address, new Account(BigInt(nonce), BigInt(balance)));
    if (toBytes(code).length > 0) await overlay.putCode(address, toBytes(code));
    for (const [slot, value] of Object.entries(storage)) {
      const bytes = padLeft(toBytes(value), 32);
      if (BigInt(value) !== 0n) await overlay.putStorage(address, padLeft(toBytes(slot), 32), bytes);
    }
  }
  const state = new MemoryState();
  state.commit(overlay.changes());
  return state;
};

/** The suite writes numbers with an odd count of digits, and some codes without a prefix. */
const toBytes = (hex: string): Uint8Array => {
  const digits = hex.startsWith('0x') ? hex.slice(2) : hex;
  return Uint8Array.from(Buffer.from(digits.length % 2 === 1 ? `0${digits}` : digits, 'hex'));
};

/** What we found; `refusal` says why the transaction was not included. */
type Outcome = { readonly stateRoot: Hash; readonly logsHash: Hash; readonly refusal: string | null };

/** @returns what differs from the expected, or null. @throws Error out of the EVM */
export const runCase = async (
  test: StateTest,
  fork: Hardfork,
  post: PostCase,
  preState: MemoryState,
): Promise<string | null> => {
  const { stateRoot, logsHash, refusal } = await execute(test, fork, post, preState);
  const faults: string[] = [];
  if (post.expectException === undefined && refusal !== null)
    faults.push(`expected the transaction to be executed, found it refused: ${refusal}`);
  if (post.expectException !== undefined && refusal === null)
    faults.push(`expected ${post.expectException}, found the transaction executed`);
  if (stateRoot !== post.hash) faults.push(`expected state root ${post.hash}, found ${stateRoot}`);
  if (logsHash !== post.logs) faults.push(`expected logs hash ${post.logs}, found ${logsHash}`);
  return faults.length === 0 ? null : faults.join('; ');
};

const execute = async (
  test: StateTest,
  fork: Hardfork,
  post: PostCase,
  preState: MemoryState,
): Promise<Outcome> => {
  const machine = await machineOf(fork, BigInt(test.config?.chainid ?? 1));
  const { env } = test;
  const rules: TransactionRules = {
    chainId: machine.common.chainId(),
    baseFeePerGas: BigInt(env.currentBaseFee ?? 10),
    blockGasLimit: BigInt(env.currentGasLimit),
    importGas: 0n,
    common: machine.common,
  };
  machine.state.reset(preState.reader);
  const refused = (why: string): Outcome => ({
    stateRoot: preState.root,
    logsHash: hashLogs([]),
    refusal: why,
  });
  let raw: Uint8Array;
  try {
    raw = post.txbytes === undefined ? signFields(test, post, rules) : toBytes(post.txbytes);
  } catch (error) {
    return refused(messageOf(error));
  }
  const contextAt = (baseFeePerGas: bigint): Block => createContext(test, rules, baseFeePerGas);
  if (raw[0] === 3) {
    try {
      const tx = createTxFromRLP(raw, { common: machine.common });
      const { execResult } = await runTx(machine.vm, {
        tx,
        block: contextAt(rules.baseFeePerGas),
        skipHardForkValidation: true,
      });
      return {
        stateRoot: preState.rootAfter(machine.state.changes()),
        logsHash: hashLogs(execResult.logs ?? []),
        refusal: null,
      };
    } catch (error) {
      return refused(messageOf(error));
    }
  }
  const decoded = decode(raw, rules);
  if (typeof decoded === 'string') return refused(decoded);
  const setting = { feeRecipient: parseAddress(env.currentCoinbase), contextAt };
  const { dropped, receipts } = await runTransactions(machine, rules, setting, [decoded]);
  const [receipt] = receipts;
  if (receipt === undefined) return refused(dropped[0]!.code);
  const logs = receipt.logs.map(({ address, topics, data }): [Uint8Array, Uint8Array[], Uint8Array] => [
    hexToBytes(address),
    topics.map(hexToBytes),
    hexToBytes(data),
  ]);
  return {
    stateRoot: preState.rootAfter(machine.state.changes()),
    logsHash: hashLogs(logs),
    refusal: null,
  };
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const hashLogs = (logs: readonly [Uint8Array, Uint8Array[], Uint8Array][]): Hash =>
  keccak256Hex(RLP.encode(logs.map((log) => [...log])));

/** Refusals that are our policy, not Ethereum's rules. */
const POLICY = new Set(['TOO_LARGE', 'WRONG_CHAIN_ID']);

/** @returns the transaction, or why it is refused */
const decode = (raw: Uint8Array, rules: TransactionRules): DecodedTransaction | string => {
  const result = decodeTransaction(raw, rules);
  // Our quick decoding knows the intrinsic gas of our rules alone.
  if (result.ok)
    return { ...result.transaction, minimumGas: getMinimumGasLimit(result.transaction.tx as never) };
  if (!POLICY.has(result.code)) return `${result.code} ${result.message}`;
  try {
    const tx = createTxFromRLP(raw, { common: rules.common, allowUnlimitedInitCodeSize: true });
    return describeTransaction(tx, raw, keccak256Hex(raw), tx.getSenderPublicKey());
  } catch (error) {
    return messageOf(error);
  }
};

/** Files of older fillings have no signed bytes. @throws Error when the library refuses the fields */
const signFields = (
  { transaction }: StateTest,
  { indexes }: PostCase,
  rules: TransactionRules,
): Uint8Array => {
  const accessList = transaction.accessLists?.[indexes.data] ?? undefined;
  const type =
    transaction.maxFeePerBlobGas !== undefined
      ? 3
      : transaction.maxFeePerGas !== undefined
        ? 2
        : accessList !== undefined
          ? 1
          : 0;
  const fields = {
    type,
    chainId: type === 0 ? undefined : rules.chainId,
    nonce: transaction.nonce,
    gasLimit: transaction.gasLimit[indexes.gas],
    to: transaction.to === '' ? undefined : transaction.to,
    value: transaction.value[indexes.value],
    data: transaction.data[indexes.data],
    gasPrice: transaction.gasPrice,
    maxFeePerGas: transaction.maxFeePerGas,
    maxPriorityFeePerGas: transaction.maxPriorityFeePerGas,
    maxFeePerBlobGas: transaction.maxFeePerBlobGas,
    blobVersionedHashes: transaction.blobVersionedHashes,
    accessList: type === 0 ? undefined : (accessList ?? []),
  };
  const defined = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const tx: TypedTransaction = createTx(defined as never, {
    common: rules.common,
    allowUnlimitedInitCodeSize: true,
  });
  return tx.sign(toBytes(transaction.secretKey)).serialize();
};

const createContext = ({ env }: StateTest, rules: TransactionRules, baseFeePerGas: bigint): Block =>
  createBlock(
    {
      header: {
        coinbase: new EvmAddress(toBytes(env.currentCoinbase)),
        number: BigInt(env.currentNumber),
        timestamp: BigInt(env.currentTimestamp),
        gasLimit: rules.blockGasLimit,
        baseFeePerGas,
        mixHash: padLeft(toBytes(env.currentRandom ?? '0x'), 32),
        excessBlobGas: BigInt((env.currentExcessBlobGas ?? '0x0') as Hex),
        blobGasUsed: 0n,
      },
    },
    { common: rules.common },
  );
