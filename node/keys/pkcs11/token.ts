/**
 * A token from the outside: asynchronous, each request with a bound in time, any failure a KeyError.
 *
 * Owns the thread. A request that ran out of time is lost, not taken back: its late answer is thrown away.
 */
import { Worker } from 'node:worker_threads';
import { KeyError } from '#node/keys/errors.ts';
import type { TokenAnswer, TokenRequest, TokenThreadData } from '#node/keys/pkcs11/tokenWorker.ts';

export type Token = {
  /** 65 bytes, uncompressed. @throws KeyError */
  publicKey(label: string): Promise<Uint8Array>;
  /** A new key in the token, from which it cannot be taken. @returns its public key. @throws KeyError EXISTS */
  generate(label: string): Promise<Uint8Array>;
  /** @returns r ‖ s, not normalised. @throws KeyError TOKEN_UNAVAILABLE */
  sign(label: string, digest: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
};

type Waiting = { resolve(bytes: Uint8Array): void; reject(error: KeyError): void };

/** Generous to a network HSM, short beside a round. */
const DEFAULT_BOUND_MS = 5_000;
/** A queue that grows is a token that does not keep up: better a refusal than a late vote. */
const MAX_WAITING = 64;

export const openToken = (options: TokenThreadData, boundMs = DEFAULT_BOUND_MS): Token => {
  const waiting = new Map<number, Waiting>();
  let nextId = 0;
  const worker = new Worker(new URL('./tokenWorker.ts', import.meta.url), { workerData: options });
  const failAll = (message: string): void => {
    for (const { reject } of waiting.values()) reject(new KeyError('TOKEN_UNAVAILABLE', message));
    waiting.clear();
  };
  worker.on('message', (answer: TokenAnswer) => {
    const request = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('bytes' in answer) request?.resolve(answer.bytes);
    else request?.reject(new KeyError(answer.fault.code, answer.fault.message));
  });
  worker.on('error', (error) => failAll(`expected the token's thread to run, found: ${error.message}`));
  worker.on('exit', () => failAll('expected the token open, found it closed'));
  // after the listeners, which hold the process again: a token in use must not keep a node from ending
  worker.unref();

  const ask = (request: Omit<TokenRequest, 'id'>): Promise<Uint8Array> => {
    if (waiting.size >= MAX_WAITING)
      return Promise.reject(
        new KeyError(
          'TOKEN_UNAVAILABLE',
          `expected at most ${MAX_WAITING} requests that wait for token "${options.token}", found more: it does not keep up`,
        ),
      );
    const id = nextId++;
    return new Promise<Uint8Array>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(id);
        reject(
          new KeyError(
            'TOKEN_UNAVAILABLE',
            `expected token "${options.token}" to answer within ${boundMs} ms, found silence: look at the device and its driver`,
          ),
        );
      }, boundMs);
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          then(value);
        };
      waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      worker.postMessage({ id, ...request });
    });
  };

  return {
    publicKey: (label) => ask({ what: 'publicKey', label }),
    generate: (label) => ask({ what: 'generate', label }),
    sign: (label, digest) => ask({ what: 'sign', label, digest } as Omit<TokenRequest, 'id'>),
    close: async () => {
      await worker.terminate();
    },
  };
};
