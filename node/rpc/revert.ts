/**
 * A call's outcome as an answer: its data, or geth's error for a revert (code 3, hex data, the decoded reason in the
 * message), or geth's words for anything else that stopped it.
 */
import { hexToBytes } from '#consensus/primitives.ts';
import type { CallOutcome } from '#node/chain.ts';
import { revertReasonOf } from '#node/execution/tracing/revertReason.ts';
import { RPC_CODES, RpcError, serverError } from '#node/rpc/errors.ts';

/** @throws RpcError if the call did not succeed */
export const expectSuccess = (outcome: CallOutcome): Extract<CallOutcome, { status: 'success' }> => {
  if (outcome.status === 'success') return outcome;
  if (outcome.status === 'error') throw serverError(outcome.message);
  const reason = revertReasonOf(hexToBytes(outcome.data));
  throw new RpcError(
    RPC_CODES.reverted,
    reason === null ? 'execution reverted' : `execution reverted: ${reason}`,
    outcome.data,
  );
};
