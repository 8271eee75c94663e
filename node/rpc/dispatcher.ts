/**
 * From a request's bytes to its answer's text: JSON-RPC 2.0 with batches, as geth speaks it.
 *
 * Never throws. A batch runs in order and shares one deadline and one response size; notifications are run and not
 * answered. Faults that are not an `RpcError` are logged and answered as "internal error". Every item is authorised and charged by itself.
 */

import { ChainError } from '#node/chain.ts';
import type { Caller, RpcContext } from '#node/rpc/context.ts';
import { invalidParams, invalidRequest, RPC_CODES, RpcError, serverError } from '#node/rpc/errors.ts';
import { JsonText } from '#node/rpc/jsonText.ts';
import type { Method } from '#node/rpc/method.ts';
import { createPacer } from '#node/rpc/pacer.ts';
import { parseRequestText } from '#node/rpc/requestText.ts';
import { mayCall } from '#node/rpc/roles.ts';
import { measureOften } from '#node/telemetry/stages.ts';

export type RpcLogger = {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

export type Dispatcher = {
  /** @returns the answer, null if there is nothing to answer */
  handle(body: Uint8Array, caller: Caller): Promise<string | null>;
};

type Id = string | number | null;
type Deadline = { readonly atMs: number };

export const createDispatcher = (dependencies: {
  readonly context: RpcContext;
  readonly methods: ReadonlyMap<string, Method>;
  readonly logger: RpcLogger;
}): Dispatcher => {
  const { context, methods, logger } = dependencies;
  const { limits } = context;
  let inFlight = 0;

  /** @throws RpcError */
  const charge = (caller: Caller, cost: number): void => {
    if (cost <= 0 || context.charge(caller, cost)) return;
    context.security('RATE_LIMITED', { client: caller.client, role: caller.role });
    throw rateLimited();
  };

  const runMethod = async (item: Record<string, unknown>, caller: Caller): Promise<unknown> => {
    const name = item.method as string;
    const method = methods.get(name);
    if (method === undefined)
      throw new RpcError(
        RPC_CODES.methodNotFound,
        `the method ${shorten(name)} does not exist/is not available`,
      );
    if (!mayCall(caller.role, method.access)) {
      context.security('NOT_GRANTED', { client: caller.client, role: caller.role, method: name });
      throw notGranted(method);
    }
    charge(caller, method.cost - UNIT);
    const params = item.params ?? [];
    if (!Array.isArray(params)) throw invalidParams('non-array args');
    return method.run(context, params, caller);
  };

  const toRpcError = (error: unknown, method: unknown): RpcError => {
    if (error instanceof RpcError) return error;
    if (error instanceof ChainError && error.code === 'STATE_PRUNED') return serverError(error.message);
    if (error instanceof ChainError && error.code === 'HISTORY_PRUNED')
      return new RpcError(RPC_CODES.prunedHistory, error.message);
    logger.error({ err: error, method }, 'RPC method failed');
    return new RpcError(RPC_CODES.internal, 'internal error');
  };

  /** @returns null for a notification */
  const answerItem = async (item: unknown, caller: Caller, deadline: Deadline): Promise<string | null> => {
    try {
      charge(caller, UNIT);
      if (!isCall(item)) return encodeError(idOf(item), invalidRequest('invalid request'));
      const result = await withDeadline(() => runMethod(item, caller), deadline, context.nowMs);
      if (!('id' in item)) return null;
      const answer = encodeResult(idOf(item), result);
      if (answer.length > limits.maxResponseBytes) throw tooLarge();
      return answer;
    } catch (error) {
      if (!isCall(item)) return encodeError(idOf(item), toRpcError(error, null));
      const refusal = toRpcError(error, item.method);
      return 'id' in item ? encodeError(idOf(item), refusal) : null;
    }
  };

  const answerBatch = async (
    items: readonly unknown[],
    caller: Caller,
    deadline: Deadline,
  ): Promise<string | null> => {
    if (items.length === 0) return encodeError(null, invalidRequest('empty batch'));
    if (items.length > limits.maxBatchItems) return encodeError(null, invalidRequest('batch too large'));
    const answers: string[] = [];
    let size = 0;
    const pace = createPacer();
    for (const item of items) {
      await pace();
      const answer =
        size > limits.maxResponseBytes
          ? encodeError(idOf(item), tooLarge())
          : await answerItem(item, caller, deadline);
      if (answer === null) continue;
      const isKept = size <= limits.maxResponseBytes && size + answer.length > limits.maxResponseBytes;
      size += answer.length;
      answers.push(isKept ? encodeError(idOf(item), tooLarge()) : answer);
    }
    return answers.length === 0 ? null : `[${answers.join(',')}]`;
  };

  return {
    async handle(body, caller) {
      if (inFlight >= limits.maxInFlight)
        return encodeError(
          null,
          new RpcError(RPC_CODES.limitExceeded, 'too many requests at one time: try again later'),
        );
      inFlight += 1;
      try {
        const request = measureOften('rpc', () => parseRequestText(body, limits.maxDepth));
        const deadline = { atMs: context.nowMs() + limits.callTimeoutMs };
        return await (Array.isArray(request)
          ? answerBatch(request, caller, deadline)
          : answerItem(request, caller, deadline));
      } catch (error) {
        context.charge(caller, UNIT);
        return encodeError(null, toRpcError(error, null));
      } finally {
        inFlight -= 1;
      }
    },
  };
};

/** As geth answers for a namespace that is switched off, with the remedy: tools know these words. */
const notGranted = ({ name, access }: Method): RpcError =>
  new RpcError(
    RPC_CODES.methodNotFound,
    `the method ${name} does not exist/is not available: it needs a key or token for "${access}"`,
  );
/** What every item costs at least, understood or not. */
const UNIT = 1;

const rateLimited = (): RpcError =>
  new RpcError(
    RPC_CODES.limitExceeded,
    'rate limit exceeded: ask more slowly, or with a key that allows more',
  );
const tooLarge = (): RpcError => new RpcError(RPC_CODES.responseTooLarge, 'response too large');
const timedOut = (): RpcError => new RpcError(RPC_CODES.timeout, 'request timed out');
const shorten = (text: string): string => (text.length > 64 ? `${text.slice(0, 64)}…` : text);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Ids that we can send back exactly; JavaScript cannot hold larger numbers. */
const isId = (id: unknown): id is Id =>
  id === null ||
  typeof id === 'string' ||
  (typeof id === 'number' && Math.abs(id) <= Number.MAX_SAFE_INTEGER);

const isCall = (item: unknown): item is Record<string, unknown> =>
  isObject(item) &&
  item.jsonrpc === '2.0' &&
  typeof item.method === 'string' &&
  item.method !== '' &&
  (!('id' in item) || isId(item.id));

const idOf = (item: unknown): Id => (isObject(item) && isId(item.id) ? item.id : null);

const encodeResult = (id: Id, result: unknown): string =>
  `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result instanceof JsonText ? result.text : JSON.stringify(result ?? null)}}`;

export const encodeError = (id: Id, { code, message, data }: RpcError): string =>
  JSON.stringify({
    jsonrpc: '2.0',
    id,
    error: { code, message, ...(data === undefined ? {} : { data }) },
  });

/** A task whose time is over is not even started. */
const withDeadline = async <T>(
  task: () => Promise<T>,
  deadline: Deadline,
  nowMs: () => number,
): Promise<T> => {
  const leftMs = deadline.atMs - nowMs();
  if (leftMs <= 0) throw timedOut();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(timedOut()), leftMs);
  });
  try {
    return await Promise.race([task(), timeout]);
  } finally {
    clearTimeout(timer);
  }
};
