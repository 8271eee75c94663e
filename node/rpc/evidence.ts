/**
 * causeway_evidence: what this validator can prove about others, in the form that contracts and EIP-712 tools take.
 *
 * Does not own the evidence or its JSON (node/consensus/evidence/). A follower is not sent any, and says so rather than
 * answering with an empty list.
 */
import { z } from 'zod';
import { evidenceToJson } from '#node/consensus/evidence/evidenceJson.ts';
import type { KeptEvidence } from '#node/consensus/evidence/evidencePool.ts';
import type { RpcContext } from '#node/rpc/context.ts';
import { serverError } from '#node/rpc/errors.ts';
import { defineMethod, type Method, optional } from '#node/rpc/method.ts';
import { address, count, uint64 } from '#node/rpc/params.ts';
import { arrayOf } from '#node/rpc/schemas.ts';

export const DEFAULT_EVIDENCE_LIMIT = 100;
export const MAX_EVIDENCE_LIMIT = 1_000;

const filter = z.object(
  {
    offender: address.nullish(),
    fromHeight: uint64.nullish(),
    limit: count
      .refine((limit) => limit <= MAX_EVIDENCE_LIMIT, `expected at most ${MAX_EVIDENCE_LIMIT}`)
      .nullish(),
  },
  'expected a filter object',
);

const toJson = async ({ chain, genesis }: RpcContext, kept: KeptEvidence) => {
  const { height } = kept.item.first;
  const head = chain.head();
  const set = height > head.block.height ? head.nextValidators : await chain.validatorsAt(height);
  if (set === null) throw serverError(`the validator set of height ${height} is not known`);
  const domain = { chainId: genesis.spec.chainId, genesisHash: genesis.genesisHash };
  return evidenceToJson(kept, { domain, set, committed: await chain.blockAt(height) });
};

export const evidenceMethods: readonly Method[] = [
  defineMethod({
    name: 'causeway_evidence',
    summary: 'Proven misbehaviour of validators, in ascending order of height.',
    result: arrayOf({ type: 'object' }),
    cost: 20,
    params: [optional('filter', filter)],
    run: async (context, [wanted]) => {
      const all = context.evidence();
      if (all === null) throw serverError('this node is no validator and keeps no evidence: ask a validator');
      const { offender = null, fromHeight = null, limit = null } = wanted ?? {};
      const found = all.filter(
        ({ item, offenders }) =>
          (offender === null || offenders.includes(offender)) &&
          (fromHeight === null || item.first.height >= fromHeight),
      );
      const shown = found.slice(0, Number(limit ?? DEFAULT_EVIDENCE_LIMIT));
      const json = [];
      for (const kept of shown) json.push(await toJson(context, kept));
      return json;
    },
  }),
];
