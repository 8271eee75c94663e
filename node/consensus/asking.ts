/**
 * Requests to peers: whom to ask first, and what a malformed answer costs.
 *
 * Owns the protocol's name, its timeout and the decoding of answers. Does not own what is asked, or the patience
 * (fetcher.ts).
 */
import type { Address } from '#consensus/primitives.ts';
import type { HostDependencies } from '#node/consensus/hostPorts.ts';
import {
  decodeValueAnswer,
  encodeRequest,
  MAX_ANSWER_BYTES,
  type MessageError,
  type ValueAnswer,
} from '#node/consensus/messages.ts';
import type { Peer } from '#node/network/network.ts';

export const CONSENSUS_REQUEST_PROTOCOL = '/causeway/consensus-request/1';
const REQUEST_TIMEOUT_MS = 3_000;

export type AskingDependencies = Pick<HostDependencies, 'network'>;

export class Asking {
  readonly #deps: AskingDependencies;

  constructor(dependencies: AskingDependencies) {
    this.#deps = dependencies;
  }

  peersFirst(preferred: readonly (Address | undefined)[]): readonly Peer[] {
    const peers = this.#deps.network.peers().filter((peer) => peer.validator !== null);
    const isPreferred = (peer: Peer): boolean => preferred.includes(peer.validator ?? undefined);
    return [...peers.filter(isPreferred), ...peers.filter((peer) => !isPreferred(peer))];
  }

  async askValue(peer: Peer, request: Parameters<typeof encodeRequest>[0]): Promise<ValueAnswer | null> {
    const decoded = decodeValueAnswer(await this.ask(peer, encodeRequest(request), MAX_ANSWER_BYTES));
    if (!decoded.ok) throw this.malformed(peer, decoded.error);
    return decoded.value.answer;
  }

  ask(peer: Peer, request: Uint8Array, maxAnswerBytes: number): Promise<Uint8Array> {
    return this.#deps.network.request(peer.peerId, CONSENSUS_REQUEST_PROTOCOL, request, {
      timeoutMs: REQUEST_TIMEOUT_MS,
      maxAnswerBytes,
    });
  }

  malformed(peer: Peer, error: MessageError): MessageError {
    this.#deps.network.reportFault(peer.peerId, 'malformed', error.message);
    return error;
  }
}
