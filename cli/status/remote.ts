/**
 * One node's `causeway_status`, or why there is none and what to do.
 *
 * Owns the fields that the command reads, checked because the node may be of another release, and the words for a node
 * that does not answer. Bounded in time and bytes; never throws for what a node does.
 */
import { z } from 'zod';
import { RpcError, rpcRequest } from '#cli/devnet/rpc.ts';

/** Of a status that takes milliseconds: patience for a machine that is busy. */
const ANSWER_TIMEOUT_MS = 4_000;

const quantity = z
  .string()
  .regex(/^0x(0|[1-9a-f][0-9a-f]{0,15})$/)
  .transform(BigInt);
const ms = z.number();
const text = z.string().max(8_192);
const missingVotes = z.object({
  power: quantity,
  missing: z.array(z.object({ address: text, name: text, power: quantity, why: text })).max(1_024),
});

const statusSchema = z.object({
  name: text,
  role: z.enum(['validator', 'follower']),
  height: quantity,
  genesisHash: text,
  lastBlockAgoMs: ms.nullable(),
  round: z.number().nullable(),
  step: text.nullable(),
  progress: z.object({
    state: z.enum(['committing', 'behind', 'stalled', 'halted']),
    code: text,
    sentence: text,
    remedy: text.nullable(),
    sinceMs: ms,
  }),
  margin: z
    .object({
      totalPower: quantity,
      quorumPower: quantity,
      alivePower: quantity,
      failuresTolerated: z.number(),
      failuresUntilHalt: z.number(),
      halted: z.boolean(),
    })
    .nullable(),
  votes: z.object({ prevotes: missingVotes, precommits: missingVotes }).nullable(),
  signing: z.object({ state: text, reason: text.nullable() }).nullable(),
  validators: z
    .array(
      z.object({
        address: text,
        name: text,
        power: quantity,
        self: z.boolean(),
        connected: z.boolean(),
        absence: text.nullable(),
        height: quantity.nullable(),
        round: z.number().nullable(),
        step: text.nullable(),
        lastVote: z
          .object({ height: quantity, round: z.number(), type: text, valueId: text.nullable(), agoMs: ms })
          .nullable(),
        heardAgoMs: ms.nullable(),
        roundTripMs: ms.nullable(),
      }),
    )
    .max(1_024),
});

export type RemoteStatus = z.output<typeof statusSchema>;
export type RemoteValidator = RemoteStatus['validators'][number];

export type Endpoint = {
  readonly url: string;
  /** Known before it answers, null otherwise. */
  readonly name: string | null;
  /** What to do when it does not answer. */
  readonly remedy: () => Promise<string>;
};

export type EndpointReport = {
  readonly url: string;
  readonly name: string;
} & (
  | { readonly answers: true; readonly status: RemoteStatus; readonly raw: unknown }
  | { readonly answers: false; readonly problem: string; readonly remedy: string }
);

const causeOf = (error: unknown): { readonly code?: unknown; readonly name?: unknown } =>
  ((error as { cause?: unknown }).cause ?? error) as { code?: unknown; name?: unknown };

const describeSilence = (error: unknown): string => {
  const { code } = causeOf(error);
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  if (code === 'ENOTFOUND') return 'there is no such host';
  if (error instanceof Error && error.name === 'TimeoutError')
    return `no answer within ${ANSWER_TIMEOUT_MS / 1_000} s: stopped, or too busy to answer`;
  return typeof code === 'string' ? `no answer (${code})` : 'no answer that can be read';
};

export const readEndpoint = async ({ url, name, remedy }: Endpoint): Promise<EndpointReport> => {
  const fail = async (problem: string, hint?: string): Promise<EndpointReport> => ({
    url,
    name: name ?? url,
    answers: false,
    problem,
    remedy: hint ?? (await remedy()),
  });
  let raw: unknown;
  try {
    raw = await rpcRequest(url, 'causeway_status', [], ANSWER_TIMEOUT_MS);
  } catch (error) {
    if (error instanceof RpcError)
      return fail(
        `it refused the question: ${error.message.slice(0, 200)}`,
        'Name the RPC port of a Causeway node.',
      );
    return fail(describeSilence(error));
  }
  const parsed = statusSchema.safeParse(raw);
  if (!parsed.success) {
    const where = parsed.error.issues[0]?.path.join('.') ?? '';
    return fail(
      `its answer is not the status of this release (${where === '' ? 'the whole' : where})`,
      'Ask it with the causeway command of its own release.',
    );
  }
  return { url, name: parsed.data.name, answers: true, status: parsed.data, raw };
};
