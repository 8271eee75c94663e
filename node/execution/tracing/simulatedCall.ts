/** One call of a simulated block, applied as a transaction that needs no signature: its checks, fees and effects. */
import type { Block } from '@ethereumjs/block';
import { RLP } from '@ethereumjs/rlp';
import { getCalldataFloorGas } from '@ethereumjs/tx';
import { Account, bigIntMax, bigIntMin, type Address as EvmAddress } from '@ethereumjs/util';
import {
  type Address,
  concatBytes,
  hexToBytes,
  parseAddress,
  parseHash,
  ZERO_ADDRESS,
} from '#consensus/primitives.ts';
import type { CallOutcome, CallRequest } from '#node/chain.ts';
import type { Machine } from '#node/execution/machine.ts';
import { settle, toEvmAddress, toTransaction, warmUp } from '#node/execution/runCall.ts';
import { AUTHORIZATION_GAS, applyAuthorizations } from '#node/execution/tracing/authorizations.ts';
import { isPrecompileOf, listenWith } from '#node/execution/tracing/callTracers.ts';
import { type CallNode, CallTree } from '#node/execution/tracing/callTree.ts';
import { JobRefusal } from '#node/execution/tracing/jobs.ts';
import { runTraced } from '#node/execution/tracing/tracer.ts';
import { MAX_INIT_CODE_BYTES } from '#node/execution/transactionChecks.ts';
import type { Header } from '#node/storage/headerCodec.ts';
import type { LogRecord } from '#node/storage/records.ts';
import { quantityToBytes } from '#node/storage/rlpValues.ts';

/** execution-apis' codes for what makes a transaction invalid. */
const CODES = {
  nonceTooLow: -38010,
  nonceTooHigh: -38011,
  feeCapTooLow: -38012,
  intrinsicGas: -38013,
  insufficientFunds: -38014,
  blockGasLimit: -38015,
  initCodeSize: -38025,
  invalidParams: -32602,
  internal: -32603,
} as const;
const MAX_NONCE = (1n << 64n) - 1n;
/** Where transfers of ether are logged from (`traceTransfers`), with the signature of ERC-20's Transfer. */
const TRANSFER_LOGGER = parseAddress(`0x${'ee'.repeat(20)}`);
const TRANSFER_TOPIC = parseHash('0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef');

export type AppliedCall = {
  readonly request: CallRequest;
  readonly outcome: CallOutcome;
  readonly gasUsed: bigint;
  /** Before refunds. */
  readonly peakGas: bigint;
  readonly gasPrice: bigint;
  readonly logs: readonly LogRecord[];
  readonly type: 0 | 2 | 4;
  /** The transaction with a signature of zeros. */
  readonly raw: Uint8Array;
};

export type ApplyOptions = {
  readonly validation: boolean;
  readonly traceTransfers: boolean;
  readonly blockGasUsed: bigint;
  readonly gasCap: bigint;
  /** The chain's own, wherever overrides moved them. */
  readonly precompiles: readonly string[];
};

type Prepared = {
  readonly from: EvmAddress;
  readonly account: Account;
  readonly nonce: bigint;
  readonly gas: bigint;
  readonly feeCap: bigint;
  readonly gasPrice: bigint;
  readonly intrinsic: bigint;
  readonly floor: bigint;
};

/** @throws JobRefusal for what makes the whole simulation fail */
export const applyCall = async (
  machine: Machine,
  setting: Block,
  header: Header,
  request: CallRequest,
  options: ApplyOptions,
): Promise<AppliedCall> => {
  const prepared = await prepare(machine, header, request, options);
  const { from, account, nonce, gas, gasPrice, intrinsic, floor } = prepared;
  const { state, vm } = machine;
  const value = request.valueWei ?? 0n;
  account.balance -= gas * gasPrice;
  account.nonce = (nonce + 1n) & MAX_NONCE;
  await state.putAccount(from, account);
  vm.evm.journal.cleanJournal();
  const { coinbase } = setting.header;
  warmUp(vm, request, { from, coinbase, precompiles: options.precompiles });
  const authorized = await applyAuthorizations(machine, request.authorizationList ?? []);
  const tree = new CallTree(isPrecompileOf(machine), {
    withLogs: true,
    onlyTop: false,
    withIntrinsicGas: false,
  });
  const result = await runTraced(machine, { ...listenWith(tree), end: () => null }, () =>
    vm.evm.runCall({
      block: setting,
      gasPrice,
      caller: from,
      gasLimit: gas - intrinsic,
      ...(request.to == null ? {} : { to: toEvmAddress(request.to) }),
      value,
      data: request.data ?? new Uint8Array(0),
      skipNonceIncrement: true,
    }),
  );
  result.execResult.gasRefund = (result.execResult.gasRefund ?? 0n) + authorized;
  const { outcome } = settle(result, intrinsic, floor);
  await payFees(machine, prepared, outcome.gasUsed, header);
  for (const [destroyed] of result.execResult.selfdestruct ?? [])
    if (result.execResult.createdAddresses?.has(destroyed) === true)
      await vm.evm.journal.deleteAccount(toEvmAddress(parseAddress(destroyed)));
  await vm.evm.journal.cleanup();
  state.originalStorageCache.clear();
  const root = tree.finish({ gasUsed: outcome.gasUsed, failed: false, returnValue: new Uint8Array(0) });
  return {
    request,
    outcome,
    gasUsed: outcome.gasUsed,
    peakGas: bigIntMax(result.execResult.executionGasUsed + intrinsic, floor),
    gasPrice,
    logs: [...logsOf(root, options.traceTransfers)],
    ...encodeUnsigned(machine, request, prepared),
  };
};

/** Checks in geth's order. @throws JobRefusal */
const prepare = async (
  machine: Machine,
  header: Header,
  request: CallRequest,
  { validation, blockGasUsed, gasCap }: ApplyOptions,
): Promise<Prepared> => {
  const { state } = machine;
  const from = toEvmAddress(request.from ?? ZERO_ADDRESS);
  const account = (await state.getAccount(from)) ?? new Account();
  const nonce = request.nonce ?? account.nonce;
  const room = header.gasLimit - blockGasUsed;
  const gas = bigIntMin(request.gas ?? room, gasCap);
  if (gas > room)
    throw new JobRefusal(
      CODES.blockGasLimit,
      `block gas limit reached: ${blockGasUsed + gas} >= ${header.gasLimit}`,
    );
  if (validation) {
    if (nonce < account.nonce)
      throw new JobRefusal(
        CODES.nonceTooLow,
        `nonce too low: address ${from}, tx: ${nonce} state: ${account.nonce}`,
      );
    if (nonce > account.nonce)
      throw new JobRefusal(
        CODES.nonceTooHigh,
        `nonce too high: address ${from}, tx: ${nonce} state: ${account.nonce}`,
      );
    if (nonce === MAX_NONCE) throw new JobRefusal(CODES.internal, `nonce has max value: address ${from}`);
  }
  const fees = feesOf(header, request, validation);
  const cost = gas * fees.feeCap + (request.valueWei ?? 0n);
  if (account.balance < cost)
    throw new JobRefusal(
      CODES.insufficientFunds,
      `insufficient funds for gas * price + value: address ${from} have ${account.balance} want ${cost}`,
    );
  const data = request.data ?? new Uint8Array(0);
  if (request.to == null && data.length > MAX_INIT_CODE_BYTES)
    throw new JobRefusal(CODES.initCodeSize, `max initcode size exceeded: code size ${data.length}`);
  const transaction = toTransaction(machine, request);
  const tuples = BigInt(request.authorizationList?.length ?? 0);
  const intrinsic = transaction.getIntrinsicGas() + AUTHORIZATION_GAS * tuples;
  const floor = getCalldataFloorGas(transaction);
  if (gas < bigIntMax(intrinsic, floor))
    throw new JobRefusal(
      CODES.intrinsicGas,
      `intrinsic gas too low: have ${gas}, want ${bigIntMax(intrinsic, floor)}`,
    );
  return { from, account, nonce, gas, ...fees, intrinsic, floor };
};

/** @throws JobRefusal */
const feesOf = ({ baseFeePerGas }: Header, request: CallRequest, validation: boolean) => {
  const feeCap = request.gasPrice ?? request.maxFeePerGas ?? 0n;
  const tip = request.gasPrice ?? request.maxPriorityFeePerGas ?? 0n;
  if (!validation && feeCap === 0n && tip === 0n) return { feeCap: 0n, gasPrice: 0n };
  if (tip > feeCap)
    throw new JobRefusal(
      CODES.invalidParams,
      `max priority fee per gas higher than max fee per gas: ${tip} > ${feeCap}`,
    );
  if (feeCap < baseFeePerGas)
    throw new JobRefusal(
      CODES.feeCapTooLow,
      `max fee per gas less than block base fee: maxFeePerGas: ${feeCap}, baseFee: ${baseFeePerGas}`,
    );
  return { feeCap, gasPrice: bigIntMin(feeCap, baseFeePerGas + tip) };
};

/** Unused gas back to the sender, the tip to the fee recipient. */
const payFees = async (
  { state }: Machine,
  { from, gas, gasPrice }: Prepared,
  gasUsed: bigint,
  header: Header,
): Promise<void> => {
  if (gasPrice === 0n) return;
  const credit = async (to: EvmAddress, amountWei: bigint): Promise<void> => {
    if (amountWei <= 0n) return;
    const account = (await state.getAccount(to)) ?? new Account();
    account.balance += amountWei;
    await state.putAccount(to, account);
  };
  await credit(from, (gas - gasUsed) * gasPrice);
  await credit(toEvmAddress(header.feeRecipient), gasUsed * (gasPrice - header.baseFeePerGas));
};

const wordOf = (address: Address) => parseHash(`0x${address.slice(2).padStart(64, '0')}`);

function* logsOf(node: CallNode, withTransfers: boolean): Generator<LogRecord> {
  if (node.error !== null) return;
  if (withTransfers && node.value > 0n && node.type !== 'DELEGATECALL' && node.to !== null)
    yield {
      address: TRANSFER_LOGGER,
      topics: [TRANSFER_TOPIC, wordOf(node.from), wordOf(node.to)],
      data: `0x${node.value.toString(16).padStart(64, '0')}`,
    };
  let next = 0;
  for (const [position, call] of node.calls.entries()) {
    while (next < node.logs.length && node.logs[next]!.position <= position) yield node.logs[next++]!;
    yield* logsOf(call, withTransfers);
  }
  while (next < node.logs.length) yield node.logs[next++]!;
}

/** geth's form of a transaction that was never signed: type 2, or legacy with a gas price, all signatures zero. */
const encodeUnsigned = (
  { common }: Machine,
  request: CallRequest,
  { nonce, gas, feeCap }: Prepared,
): Pick<AppliedCall, 'type' | 'raw'> => {
  const to = request.to == null ? new Uint8Array(0) : hexToBytes(request.to);
  const value = quantityToBytes(request.valueWei ?? 0n);
  const data = request.data ?? new Uint8Array(0);
  const none = new Uint8Array(0);
  if (request.gasPrice !== undefined)
    return {
      type: 0,
      raw: RLP.encode([
        quantityToBytes(nonce),
        quantityToBytes(request.gasPrice),
        quantityToBytes(gas),
        to,
        value,
        data,
        none,
        none,
        none,
      ]),
    };
  const type = request.authorizationList === undefined ? 2 : 4;
  const accessList = (request.accessList ?? []).map(({ address, storageKeys }) => [
    hexToBytes(address),
    storageKeys.map(hexToBytes),
  ]);
  const authorizations = (request.authorizationList ?? []).map((tuple) => [
    quantityToBytes(tuple.chainId),
    hexToBytes(tuple.address),
    quantityToBytes(tuple.nonce),
    quantityToBytes(tuple.yParity),
    quantityToBytes(tuple.r),
    quantityToBytes(tuple.s),
  ]);
  const fields = [
    quantityToBytes(common.chainId()),
    quantityToBytes(nonce),
    quantityToBytes(request.maxPriorityFeePerGas ?? 0n),
    quantityToBytes(feeCap),
    quantityToBytes(gas),
    to,
    value,
    data,
    accessList,
    ...(type === 4 ? [authorizations] : []),
    none,
    none,
    none,
  ];
  return { type, raw: concatBytes(Uint8Array.of(type), RLP.encode(fields)) };
};
