/** From a call object as a client sent it to what a call thread runs, and the work of those threads. */
import type { CallRequest } from '#node/chain.ts';
import type { CallJob } from '#node/execution/tracing/jobs.ts';
import type { BlockOverrides, StateOverrides } from '#node/execution/tracing/overrides.ts';
import { smallerOf } from '#node/rpc/bigints.ts';
import type { CallObject } from '#node/rpc/callParams.ts';
import type { Caller, RpcContext } from '#node/rpc/context.ts';
import { invalidParams, RpcError, serverError } from '#node/rpc/errors.ts';
import { JsonText } from '#node/rpc/jsonText.ts';

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** @throws RpcError */
const checkCall = (context: RpcContext, call: CallObject): void => {
  if (call.data !== undefined && call.input !== undefined && !isSame(call.data, call.input))
    throw serverError(
      'both "data" and "input" are set and not equal. Please use "input" to pass transaction call data',
    );
  const hasFeeCaps = call.maxFeePerGas !== undefined || call.maxPriorityFeePerGas !== undefined;
  if (call.gasPrice !== undefined && hasFeeCaps)
    throw serverError('both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified');
  if (
    call.maxFeePerGas !== undefined &&
    call.maxPriorityFeePerGas !== undefined &&
    call.maxFeePerGas < call.maxPriorityFeePerGas
  )
    throw serverError(
      `maxFeePerGas (${call.maxFeePerGas}) < maxPriorityFeePerGas (${call.maxPriorityFeePerGas})`,
    );
  const { chainId } = context.genesis.spec;
  if (call.chainId !== undefined && call.chainId !== chainId)
    throw serverError(`chainId does not match node's (have=${call.chainId}, want=${chainId})`);
  if (call.blobVersionedHashes !== undefined && call.blobVersionedHashes.length > 0)
    throw invalidParams('blob transactions are not supported on this chain');
  if (call.authorizationList?.length === 0) throw serverError('EIP-7702 transaction with empty auth list');
};

export type Overrides = {
  readonly stateOverrides?: StateOverrides | undefined;
  readonly blockOverrides?: BlockOverrides | undefined;
};

/** @throws RpcError */
export const toCallRequest = (
  context: RpcContext,
  call: CallObject,
  { stateOverrides, blockOverrides }: Overrides = {},
): CallRequest => {
  checkCall(context, call);
  const { callGasCap } = context.limits;
  const gas = call.gas === undefined ? undefined : smallerOf(call.gas, callGasCap);
  const input = call.input ?? call.data;
  return {
    ...(call.from === undefined ? {} : { from: call.from }),
    ...(call.to === undefined ? {} : { to: call.to }),
    ...(input === undefined ? {} : { data: input }),
    ...(call.value === undefined ? {} : { valueWei: call.value }),
    ...(gas === undefined ? {} : { gas }),
    ...(call.gasPrice === undefined ? {} : { gasPrice: call.gasPrice }),
    ...(call.maxFeePerGas === undefined ? {} : { maxFeePerGas: call.maxFeePerGas }),
    ...(call.maxPriorityFeePerGas === undefined ? {} : { maxPriorityFeePerGas: call.maxPriorityFeePerGas }),
    ...(call.nonce === undefined ? {} : { nonce: call.nonce }),
    ...(call.authorizationList === undefined ? {} : { authorizationList: call.authorizationList }),
    ...(call.accessList === undefined
      ? {}
      : {
          accessList: call.accessList.map(({ address, storageKeys }) => ({
            address,
            storageKeys: storageKeys ?? [],
          })),
        }),
    ...(stateOverrides === undefined || stateOverrides.length === 0 ? {} : { stateOverrides }),
    ...(blockOverrides === undefined ? {} : { blockOverrides }),
  };
};

/** Runs a job in a call thread, in this client's turn. @throws RpcError with the job's refusal */
export const performJob = async (context: RpcContext, caller: Caller, job: CallJob): Promise<JsonText> => {
  const outcome = await context.callGate(() => context.calls.perform(job), caller.client);
  if (outcome.status === 'json') return new JsonText(outcome.json);
  throw new RpcError(outcome.code, outcome.message, outcome.data);
};
