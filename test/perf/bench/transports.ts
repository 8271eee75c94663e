/**
 * The ways of a transaction into a validator: JSON-RPC batches over a WebSocket or over HTTP, or one request for each.
 *
 * Owns connections and the text of requests. Nothing is sent twice, and no answer is waited for before the next send:
 * the load is open loop.
 */
import { Agent, request } from 'node:http';
import { WebSocket } from 'ws';
import type { Transport } from './generatorProtocol.ts';

export type Answer = { readonly id: number; readonly error: string | null };

export type Link = {
  /** At most `MAX_BATCH`. @param ids of the answers, one for each */
  send(ids: readonly number[], raws: readonly string[]): void;
  /** Any other question, over the same socket where there is one. */
  ask<T>(method: string, params: readonly unknown[]): Promise<T>;
  close(): void;
};

export type LinkEvents = {
  answered(answers: readonly Answer[]): void;
  /** A new head, when it was heard of here. */
  head(height: number): void;
  failed(message: string): void;
};

type RpcAnswer = {
  readonly id?: number | string | null;
  readonly method?: string;
  readonly params?: { readonly result: { readonly number: string } };
  readonly result?: unknown;
  readonly error?: { readonly message: string };
};

const requestText = (id: number, raw: string): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"eth_sendRawTransaction","params":["${raw}"]}`;

const batchText = (ids: readonly number[], raws: readonly string[]): string =>
  `[${raws.map((raw, index) => requestText(ids[index]!, raw)).join(',')}]`;

const toAnswer = ({ id, error }: RpcAnswer): Answer => ({ id: Number(id), error: error?.message ?? null });

/** A batch that is refused as a whole has one answer. */
const toAnswers = (ids: readonly number[], parsed: RpcAnswer | readonly RpcAnswer[]): Answer[] =>
  Array.isArray(parsed) ? parsed.map(toAnswer) : ids.map((id) => ({ ...toAnswer(parsed as RpcAnswer), id }));

const HTTP_SOCKETS = 64;

const createHttp = (url: string, events: LinkEvents, isBatched: boolean): Pick<Link, 'send' | 'close'> => {
  const agent = new Agent({ keepAlive: true, maxSockets: HTTP_SOCKETS });
  const post = (ids: readonly number[], body: string): void => {
    const outgoing = request(
      url,
      { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => events.answered(toAnswers(ids, JSON.parse(text))));
      },
    );
    outgoing.on('error', (error) => events.failed(error.message));
    outgoing.end(body);
  };
  return {
    send: (ids, raws) => {
      if (isBatched) post(ids, batchText(ids, raws));
      else for (const [index, raw] of raws.entries()) post([ids[index]!], requestText(ids[index]!, raw));
    },
    close: () => agent.destroy(),
  };
};

/** Heads always come over a WebSocket; transactions go over it too unless the transport is HTTP. */
export const openLink = async (url: string, transport: Transport, events: LinkEvents): Promise<Link> => {
  const socket = new WebSocket(url.replace('http:', 'ws:'), { perMessageDeflate: false });
  const asked = new Map<string, { resolve(result: unknown): void; reject(error: Error): void }>();
  let nextAsk = 0;
  socket.on('message', (data: Buffer) => {
    const parsed = JSON.parse(data.toString('utf8')) as RpcAnswer | RpcAnswer[];
    if (Array.isArray(parsed)) return events.answered(parsed.map(toAnswer));
    if (parsed.method === 'eth_subscription') return events.head(Number(parsed.params!.result.number));
    const waiting = asked.get(String(parsed.id));
    if (waiting === undefined) return events.failed(parsed.error?.message ?? 'an answer to nothing');
    asked.delete(String(parsed.id));
    if (parsed.error === undefined) waiting.resolve(parsed.result);
    else waiting.reject(new Error(parsed.error.message));
  });
  socket.on('error', (error) => events.failed(error.message));
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  const ask = <T>(method: string, params: readonly unknown[]): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const id = `ask-${nextAsk++}`;
      asked.set(id, { resolve: (result) => resolve(result as T), reject });
      socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
  await ask('eth_subscribe', ['newHeads']);
  const http = transport === 'ws' ? null : createHttp(url, events, transport === 'batch');
  return {
    send: (ids, raws) => {
      if (http === null) socket.send(batchText(ids, raws));
      else http.send(ids, raws);
    },
    ask,
    close: () => {
      http?.close();
      socket.terminate();
    },
  };
};
