/**
 * Execution that changes nothing: eth_call and eth_estimateGas, as geth does them.
 *
 * The context is the block at the given height, the state the one after it. Without a gas price the base fee is 0, and
 * so is BASEFEE. Nonce, EIP-3607 and the transaction gas cap (EIP-7825) are not checked, balance is. Every outcome is
 * a value: nothing here throws for what a caller sent.
 */
import { createBlock } from '@ethereumjs/block';
import type { EVMResult } from '@ethereumjs/evm';
import { EVMError } from '@ethereumjs/evm';
import { type AccessListBytes, createFeeMarket1559Tx, getCalldataFloorGas } from '@ethereumjs/tx';
import { bigIntMax, bigIntMin, Address as EvmAddress } from '@ethereumjs/util';
import { type Address, bytesToHex, hexToBytes, ZERO_ADDRESS } from '#consensus/primitives.ts';
import type { CallOutcome, CallRequest } from '#node/chain.ts';
import type { Machine } from '#node/execution/machine.ts';
import type { StateReader } from '#node/execution/stateReader.ts';
import { AUTHORIZATION_GAS, applyAuthorizations } from '#node/execution/tracing/authorizations.ts';
import {
  applyStateOverrides,
  OverrideError,
  snapshotPrecompiles,
  withBlockOverrides,
} from '#node/execution/tracing/overrides.ts';
import { MAX_INIT_CODE_BYTES, MAX_TRANSACTION_GAS } from '#node/execution/transactionChecks.ts';
import { decodeHeader, type Header } from '#node/storage/headerCodec.ts';
import type { BlockRecord } from '#node/storage/records.ts';

/** What a call may use at most, whatever it asks for. */
export const MAX_CALL_GAS = 50_000_000n;
const PLAIN_TRANSFER_GAS = 21_000n;
const CALL_STIPEND = 2_300n;

export type CallContext = {
  readonly machine: Machine;
  readonly block: BlockRecord;
  readonly reader: StateReader;
  /** The machine's state is the one to run on already (a trace inside a block). */
  readonly isPrepared?: boolean;
};

type Failure = Extract<CallOutcome, { status: 'error' }>;
const failure = (code: string, message: string, gasUsed = 0n): Failure => ({
  status: 'error',
  code,
  message,
  gasUsed,
});

/** What the caller pays for a unit of gas, and the base fee that the block then has. */
type Fees = {
  readonly feeCap: bigint;
  readonly gasPrice: bigint;
  readonly baseFeePerGas: bigint;
};

const feesOf = (request: CallRequest, block: BlockRecord): Fees | Failure => {
  const { gasPrice, maxFeePerGas, maxPriorityFeePerGas = 0n } = request;
  const feeCap = gasPrice ?? maxFeePerGas ?? 0n;
  const tip = gasPrice ?? maxPriorityFeePerGas;
  if (feeCap === 0n && tip === 0n) return { feeCap, gasPrice: 0n, baseFeePerGas: 0n };
  if (tip > feeCap)
    return failure(
      'TIP_ABOVE_FEE_CAP',
      `max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: ${tip}, maxFeePerGas: ${feeCap}`,
    );
  const baseFeePerGas = request.blockOverrides?.baseFeePerGas ?? block.baseFeePerGas;
  if (feeCap < baseFeePerGas)
    return failure(
      'FEE_CAP_TOO_LOW',
      `max fee per gas less than block base fee: maxFeePerGas: ${feeCap}, baseFee: ${baseFeePerGas}`,
    );
  const wanted = baseFeePerGas + tip;
  return { feeCap, gasPrice: wanted > feeCap ? feeCap : wanted, baseFeePerGas };
};

export const toEvmAddress = (address: Address): EvmAddress => new EvmAddress(hexToBytes(address));

/** The request as an unsigned transaction: the library computes intrinsic gas from it. */
export const toTransaction = (machine: Machine, request: CallRequest) =>
  createFeeMarket1559Tx(
    {
      ...(request.to == null ? {} : { to: toEvmAddress(request.to) }),
      data: request.data ?? new Uint8Array(0),
      value: request.valueWei ?? 0n,
      gasLimit: MAX_TRANSACTION_GAS,
      accessList: (request.accessList ?? []).map(({ address, storageKeys }) => [
        hexToBytes(address),
        storageKeys.map(hexToBytes),
      ]) as AccessListBytes,
    },
    { common: machine.common, allowUnlimitedInitCodeSize: true },
  );

/** A block with these fields, as the EVM sees it. */
export const blockContext = (machine: Machine, header: Header, baseFeePerGas: bigint) =>
  createBlock(
    {
      header: {
        parentHash: hexToBytes(header.parentHash),
        coinbase: toEvmAddress(header.feeRecipient),
        number: header.height,
        timestamp: header.timestamp,
        gasLimit: header.gasLimit,
        baseFeePerGas,
        mixHash: hexToBytes(header.mixHash),
        parentBeaconBlockRoot: hexToBytes(header.parentBeaconBlockRoot),
      },
    },
    { common: machine.common },
  );

/**
 * Warm from the start (EIP-2929, 3651, 2930), as in a transaction.
 * @param precompiles the chain's own, wherever overrides moved them
 */
export const warmUp = (
  { evm }: Machine['vm'],
  request: CallRequest,
  { from, coinbase, precompiles }: { from: EvmAddress; coinbase: EvmAddress; precompiles: Iterable<string> },
): void => {
  for (const address of precompiles) evm.journal.addAlwaysWarmAddress(address);
  evm.journal.addAlwaysWarmAddress(from.toString());
  evm.journal.addAlwaysWarmAddress(coinbase.toString());
  if (request.to != null) evm.journal.addAlwaysWarmAddress(request.to);
  for (const { address, storageKeys } of request.accessList ?? []) {
    evm.journal.addAlwaysWarmAddress(address);
    for (const key of storageKeys) evm.journal.addAlwaysWarmSlot(address, key);
  }
};

/** A run with one gas limit, and the refund that it earned (an estimate must allow for it). */
type Run = { readonly outcome: CallOutcome; readonly refund: bigint };

/** What a prepared call shows to those who watch it. */
export type PreparedCall = {
  readonly machine: Machine;
  readonly header: Header;
  readonly from: EvmAddress;
  readonly gas: bigint;
};
/** Runs around the EVM: reports what was touched, traces. */
export type Watch = (call: PreparedCall, run: () => Promise<EVMResult>) => Promise<EVMResult>;

const unwatched: Watch = (_call, run) => run();

export const execute = async (
  context: CallContext,
  request: CallRequest,
  gas: bigint,
  watch: Watch = unwatched,
): Promise<Run> => {
  if (request.stateOverrides === undefined) return executePrepared(context, request, gas, watch);
  const precompiles = snapshotPrecompiles(context.machine);
  try {
    return await executePrepared(context, request, gas, watch);
  } catch (error) {
    if (!(error instanceof OverrideError)) throw error;
    return { outcome: failure('BAD_OVERRIDE', error.message), refund: 0n };
  } finally {
    precompiles.restore();
  }
};

const executePrepared = async (
  { machine, block, reader, isPrepared }: CallContext,
  request: CallRequest,
  gas: bigint,
  watch: Watch,
): Promise<Run> => {
  const fail = (outcome: Failure): Run => ({ outcome, refund: 0n });
  const fees = feesOf(request, block);
  if ('status' in fees) return fail(fees);
  const value = request.valueWei ?? 0n;
  const from = toEvmAddress(request.from ?? ZERO_ADDRESS);
  if (isPrepared !== true) machine.state.reset(reader);
  const precompiles = [...machine.vm.evm.precompiles.keys()];
  await applyStateOverrides(machine, request.stateOverrides ?? []);
  const balance = machine.state.record(from.bytes)?.balance ?? 0n;
  const cost = gas * fees.feeCap + value;
  if (balance < cost)
    return fail(
      failure(
        'INSUFFICIENT_FUNDS',
        `insufficient funds for gas * price + value: address ${from} have ${balance} want ${cost}`,
      ),
    );
  const transaction = toTransaction(machine, request);
  if (request.to == null && transaction.data.length > MAX_INIT_CODE_BYTES)
    return fail(
      failure(
        'INIT_CODE_TOO_LARGE',
        `max initcode size exceeded: code size ${transaction.data.length} limit ${MAX_INIT_CODE_BYTES}`,
      ),
    );
  const authorizations = request.authorizationList ?? [];
  const intrinsic = transaction.getIntrinsicGas() + AUTHORIZATION_GAS * BigInt(authorizations.length);
  const floor = getCalldataFloorGas(transaction);
  const minimum = bigIntMax(intrinsic, floor);
  if (gas < minimum)
    return fail(failure('INTRINSIC_GAS', `intrinsic gas too low: have ${gas}, want ${minimum}`));
  const header = withBlockOverrides(decodeHeader(block.header), request.blockOverrides);
  const setting = blockContext(machine, header, fees.baseFeePerGas);
  const { evm } = machine.vm;
  evm.journal.cleanJournal();
  warmUp(machine.vm, request, { from, coinbase: setting.header.coinbase, precompiles });
  const run = async (): Promise<EVMResult> => {
    const authorized = await applyAuthorizations(machine, authorizations);
    const result = await evm.runCall({
      block: setting,
      gasPrice: fees.gasPrice,
      caller: from,
      gasLimit: gas - intrinsic,
      ...(request.to == null ? {} : { to: toEvmAddress(request.to) }),
      value,
      data: transaction.data,
    });
    result.execResult.gasRefund = (result.execResult.gasRefund ?? 0n) + authorized;
    return result;
  };
  const result = await watch({ machine, header, from, gas }, run);
  evm.journal.cleanJournal();
  return settle(result, intrinsic, floor);
};

/** What an execution comes to, refunds and EIP-7623's floor included. */
export const settle = ({ execResult }: EVMResult, intrinsic: bigint, floor: bigint): Run => {
  const spent = execResult.executionGasUsed + intrinsic;
  const refund = bigIntMin(execResult.gasRefund ?? 0n, spent / 5n);
  const gasUsed = bigIntMax(spent - refund, floor);
  const data = bytesToHex(execResult.returnValue);
  const { exceptionError } = execResult;
  if (exceptionError === undefined) return { outcome: { status: 'success', data, gasUsed }, refund };
  if (exceptionError.error === EVMError.errorMessages.REVERT)
    return { outcome: { status: 'revert', data, gasUsed }, refund: 0n };
  return { outcome: toFailure(exceptionError.error, gasUsed), refund: 0n };
};

const GETH_WORDS = new Map<string, readonly [code: string, message: string]>([
  [EVMError.errorMessages.OUT_OF_GAS, ['OUT_OF_GAS', 'out of gas']],
  [EVMError.errorMessages.CODESTORE_OUT_OF_GAS, ['OUT_OF_GAS', 'contract creation code storage out of gas']],
  [EVMError.errorMessages.CODESIZE_EXCEEDS_MAXIMUM, ['CODE_TOO_LARGE', 'max code size exceeded']],
  [EVMError.errorMessages.STACK_UNDERFLOW, ['STACK_UNDERFLOW', 'stack underflow']],
  [EVMError.errorMessages.STACK_OVERFLOW, ['STACK_OVERFLOW', 'stack limit reached 1024 (1023)']],
  [EVMError.errorMessages.INVALID_JUMP, ['INVALID_JUMP', 'invalid jump destination']],
  [EVMError.errorMessages.INVALID_OPCODE, ['INVALID_OPCODE', 'invalid opcode']],
  [EVMError.errorMessages.CREATE_COLLISION, ['CREATE_COLLISION', 'contract address collision']],
  [EVMError.errorMessages.STATIC_STATE_CHANGE, ['WRITE_PROTECTION', 'write protection']],
  [EVMError.errorMessages.REVERT, ['REVERTED', 'execution reverted']],
  [EVMError.errorMessages.INSUFFICIENT_BALANCE, ['INSUFFICIENT_FUNDS', 'insufficient balance for transfer']],
]);

/** geth's words for what stopped the EVM. */
export const gethWords = (error: string | undefined): readonly [code: string, message: string] =>
  GETH_WORDS.get(error ?? '') ?? ['EXECUTION_FAILED', error ?? 'execution failed'];

const toFailure = (error: string | undefined, gasUsed: bigint): Failure => {
  const [code, message] = gethWords(error);
  return failure(code, message, gasUsed);
};

export const callGas = (request: CallRequest): bigint => bigIntMin(request.gas ?? MAX_CALL_GAS, MAX_CALL_GAS);

export const runCall = async (context: CallContext, request: CallRequest): Promise<CallOutcome> =>
  (await execute(context, request, callGas(request))).outcome;

/**
 * The smallest gas limit that succeeds: a call may need more than it uses (63/64 rule, refunds), so it is searched.
 * `gasUsed` of a success is that limit.
 */
export const runEstimate = async (context: CallContext, request: CallRequest): Promise<CallOutcome> => {
  const ceiling = await estimateCeiling(context, request);
  if (typeof ceiling !== 'bigint') return ceiling;
  if (await isPlainTransfer(context, request)) {
    const { outcome } = await execute(context, request, PLAIN_TRANSFER_GAS);
    if (outcome.status === 'success') return { ...outcome, gasUsed: PLAIN_TRANSFER_GAS };
  }
  const first = await execute(context, request, ceiling);
  if (first.outcome.status === 'error' && first.outcome.code === 'OUT_OF_GAS')
    return failure('OUT_OF_GAS', `gas required exceeds allowance (${ceiling})`, first.outcome.gasUsed);
  if (first.outcome.status !== 'success') return first.outcome;
  const { outcome, refund } = first;
  const enough = await searchGas(context, request, {
    low: outcome.gasUsed - 1n,
    high: ceiling,
    guess: ((outcome.gasUsed + refund + CALL_STIPEND) * 64n) / 63n,
  });
  return { ...outcome, gasUsed: enough };
};

/** What the request, the chain and the sender's balance allow. */
const estimateCeiling = async (
  { block, reader }: CallContext,
  request: CallRequest,
): Promise<bigint | Failure> => {
  const asked =
    request.gas !== undefined && request.gas >= PLAIN_TRANSFER_GAS ? request.gas : MAX_TRANSACTION_GAS;
  const ceiling = bigIntMin(asked, MAX_TRANSACTION_GAS);
  const fees = feesOf(request, block);
  if ('status' in fees) return fees;
  if (fees.feeCap === 0n) return ceiling;
  const from = request.from ?? ZERO_ADDRESS;
  const overridden = request.stateOverrides?.find(([address]) => address === from)?.[1].balance;
  const balance = overridden ?? (await reader.account(hexToBytes(from)))?.balance ?? 0n;
  const value = request.valueWei ?? 0n;
  if (balance < value) return failure('INSUFFICIENT_FUNDS', 'insufficient funds for transfer');
  return bigIntMin(ceiling, (balance - value) / fees.feeCap);
};

const isPlainTransfer = async ({ machine, reader }: CallContext, request: CallRequest): Promise<boolean> => {
  if (request.to == null || request.stateOverrides !== undefined) return false;
  const lists = [request.data, request.accessList, request.authorizationList];
  if (lists.some((list) => (list?.length ?? 0) > 0)) return false;
  machine.state.reset(reader);
  return (await machine.state.getCodeSize(toEvmAddress(request.to))) === 0;
};

type Bounds = { low: bigint; high: bigint; guess: bigint };

/** `low` fails, `high` succeeds. */
const searchGas = async (context: CallContext, request: CallRequest, bounds: Bounds): Promise<bigint> => {
  let { low, high } = bounds;
  let middle = bounds.guess < high ? bounds.guess : (low + high) / 2n;
  while (low + 1n < high) {
    if (middle <= low || middle >= high) middle = (low + high) / 2n;
    const { outcome } = await execute(context, request, middle);
    if (outcome.status === 'success') high = middle;
    else low = middle;
    middle = bigIntMin((low + high) / 2n, low * 2n);
  }
  return high;
};
