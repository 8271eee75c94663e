/**
 * Which block a parameter means: `latest` = `safe` = the committed head, `finalized` = covered by a checkpoint in a
 * finalised L1 block (RULES 43), `pending` = the state of the head, since nothing is executed ahead of a commit.
 */
import { smallerOf } from '#node/rpc/bigints.ts';
import type { RpcContext } from '#node/rpc/context.ts';
import { headerNotFound, serverError } from '#node/rpc/errors.ts';
import type { BlockByNumber, BlockSelector } from '#node/rpc/params.ts';
import type { BlockRecord } from '#node/storage/records.ts';

/** The height that is meant; may be above the head when it was given as a number. */
export const selectHeight = (context: RpcContext, selector: BlockByNumber): bigint => {
  if (selector.kind === 'height') return selector.height;
  const head = context.chain.head().block.height;
  switch (selector.tag) {
    case 'earliest':
      return 0n;
    case 'finalized':
      return smallerOf(context.finalizedHeight(), head);
    default:
      return head;
  }
};

/** The block that is meant, null if there is none. */
export const selectBlock = async (
  context: RpcContext,
  selector: BlockSelector,
): Promise<BlockRecord | null> => {
  if (selector.kind === 'hash') return context.chain.blockByHash(selector.hash);
  const head = context.chain.head().block;
  const height = selectHeight(context, selector);
  if (height === head.height) return head;
  return height > head.height ? null : context.chain.blockAt(height);
};

/** The height whose state is meant, the head's if nothing was said. @throws RpcError header not found */
export const selectState = async (
  context: RpcContext,
  selector: BlockSelector | undefined,
): Promise<bigint> => {
  if (selector === undefined) return context.chain.head().block.height;
  if (selector.kind === 'hash') {
    const block = await context.chain.blockByHash(selector.hash);
    if (block === null) throw serverError('header for hash not found');
    return block.height;
  }
  const height = selectHeight(context, selector);
  if (height > context.chain.head().block.height) throw headerNotFound();
  return height;
};
