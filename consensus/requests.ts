/**
 * The effects that ask the host for something, and how the machine remembers that it asked.
 *
 * Each goes out once. The round of asking is kept, so that what was asked long ago is forgotten with its round.
 */
import type { Effect } from '#consensus/engine.ts';

export type Request = Extract<Effect, { type: 'build' | 'derive' | 'judge' | 'fetchValue' }>;

/** By request key: the round in which it was asked. */
export type AskedRequests = ReadonlyMap<string, number>;

export const requestKey = (request: Request): string => {
  switch (request.type) {
    case 'build':
      return `build:${request.round}`;
    case 'derive':
      return `derive:${request.payloadHash}`;
    case 'judge':
      return `judge:${request.round}:${request.payloadHash}`;
    case 'fetchValue':
      return `fetchValue:${request.round}:${request.valueId}`;
  }
};

export const isAsked = (asked: AskedRequests, request: Request): boolean => asked.has(requestKey(request));

export const noteAsked = (asked: AskedRequests, request: Request, round: number): AskedRequests =>
  new Map(asked).set(requestKey(request), round);

export const forgetAsked = (asked: AskedRequests, request: Request): AskedRequests => {
  const rest = new Map(asked);
  rest.delete(requestKey(request));
  return rest;
};

export const forgetAskedBefore = (asked: AskedRequests, round: number): AskedRequests =>
  new Map([...asked].filter(([, at]) => at >= round));
