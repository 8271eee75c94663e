/** Where a committed transaction is. */
import type { Hash } from '#consensus/primitives.ts';
import type { RpcContext } from '#node/rpc/context.ts';
import { serverError } from '#node/rpc/errors.ts';

export type TransactionPlace = { readonly height: bigint; readonly index: number };

/** @throws RpcError in geth's words, if no block has it */
export const placeOfTransaction = async ({ chain }: RpcContext, hash: Hash): Promise<TransactionPlace> => {
  const place = await chain.transactionLocation(hash);
  if (place === null) throw serverError('transaction not found');
  return place;
};
