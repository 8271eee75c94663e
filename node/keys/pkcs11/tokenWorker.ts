/**
 * The thread in which a token is used: a call of a slow or hanging token holds up this thread and nothing else.
 *
 * A session that fails is given up and opened anew at the next request, so that a token that was pulled out works again
 * when it is back. Answers in the order of the requests.
 */
import { parentPort, workerData } from 'node:worker_threads';
import {
  openTokenSession,
  TokenError,
  type TokenFault,
  type TokenSession,
} from '#node/keys/pkcs11/session.ts';

export type TokenThreadData = { readonly module: string; readonly token: string; readonly pin: string };

export type TokenRequest = { readonly id: number; readonly label: string } & (
  | { readonly what: 'publicKey' | 'generate' }
  | { readonly what: 'sign'; readonly digest: Uint8Array }
);
export type TokenAnswer = { readonly id: number } & (
  | { readonly bytes: Uint8Array }
  | { readonly fault: TokenFault }
);

const { module, token, pin } = workerData as TokenThreadData;
let session: TokenSession | null = null;
/** A PIN that was wrong once is not tried again: tokens lock after a few tries. */
let refusal: TokenError | null = null;

const answer = async (request: TokenRequest): Promise<Uint8Array> => {
  if (refusal !== null) throw refusal;
  session ??= await openTokenSession(module, token, pin);
  switch (request.what) {
    case 'publicKey':
      return session.publicKey(request.label);
    case 'generate':
      return session.generate(request.label);
    case 'sign':
      return session.sign(request.label, request.digest);
  }
};

/** What the library says without a name of ours: the token went away, or its driver failed. */
const toFault = (error: unknown): TokenFault =>
  error instanceof TokenError
    ? error.fault
    : {
        code: 'TOKEN_UNAVAILABLE',
        message: `expected token "${token}" to answer, found ${(error as Error).message}: plug it in again and look at its driver`,
      };

const giveUpSession = (): void => {
  try {
    session?.abandon();
  } catch {
    // it was lost already: that is why we are here
  }
  session = null;
};

let last: Promise<void> = Promise.resolve();
parentPort!.on('message', (request: TokenRequest) => {
  last = last.then(async () => {
    try {
      parentPort!.postMessage({ id: request.id, bytes: await answer(request) } satisfies TokenAnswer);
    } catch (error) {
      const fault = toFault(error);
      if (fault.code === 'TOKEN_UNAVAILABLE') giveUpSession();
      if (fault.code === 'WRONG_PASSPHRASE') refusal = error as TokenError;
      parentPort!.postMessage({ id: request.id, fault } satisfies TokenAnswer);
    }
  });
});
