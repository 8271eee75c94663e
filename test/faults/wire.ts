/**
 * Between a host and its network: what it sends is rewritten for each peer, what it hears is overheard.
 *
 * Owns the plumbing that faults share. Does not own any misdeed.
 */

import { type ConsensusMessage, decodeMessage } from '#node/consensus/messages.ts';
import type { Network, Peer } from '#node/network/network.ts';
import type { FaultTools } from '#test/faults/fault.ts';

/** The same network with some of its methods played by somebody else. */
export const delegate = (network: Network, changes: Partial<Network>): Network => ({
  get localPeerId() {
    return network.localPeerId;
  },
  start: () => network.start(),
  stop: () => network.stop(),
  peers: () => network.peers(),
  onPeerConnected: (listener) => network.onPeerConnected(listener),
  onPeerDisconnected: (listener) => network.onPeerDisconnected(listener),
  sendConsensus: (peerId, message) => network.sendConsensus(peerId, message),
  broadcastConsensus: (message) => network.broadcastConsensus(message),
  onConsensus: (handler) => network.onConsensus(handler),
  request: (peerId, protocol, request, options) => network.request(peerId, protocol, request, options),
  handleRequest: (protocol, handler) => network.handleRequest(protocol, handler),
  publishTransactions: (transactions) => network.publishTransactions(transactions),
  sendTransactions: (peerId, transactions) => network.sendTransactions(peerId, transactions),
  onTransactions: (handler) => network.onTransactions(handler),
  onTransactionsLost: (listener) => network.onTransactionsLost(listener),
  reportUse: (peerId, use, sizeBytes) => network.reportUse(peerId, use, sizeBytes),
  reportFault: (peerId, fault, detail) => network.reportFault(peerId, fault, detail),
  ...changes,
});

/** In the order of their addresses, so that the same peers are always the same half. */
export const validatorPeers = (network: Network): readonly Peer[] =>
  network
    .peers()
    .filter(({ validator }) => validator !== null)
    .sort((a, b) => (a.validator! < b.validator! ? -1 : 1));

/** Half of the other validators, the bigger one first; by their place in the set, whoever is connected. */
export const halfOf = ({ key, position, network }: FaultTools, peer: Peer): 0 | 1 => {
  const members = position()?.set.validators.map(({ address }) => address);
  const others = (members ?? validatorPeers(network).map(({ validator }) => validator!)).filter(
    (address) => address !== key.address,
  );
  return others.indexOf(peer.validator!) < Math.ceil(others.length / 2) ? 0 : 1;
};

export const decoded = (message: Uint8Array): ConsensusMessage | null => {
  const result = decodeMessage(message);
  return result.ok ? result.value : null;
};

/** What goes to this peer in place of the message. */
export type Rewrite = (peer: Peer, message: Uint8Array) => readonly Uint8Array[];

/** Broadcasts become messages to each validator, so that each can be told something else. */
export const rewriting = (
  network: Network,
  rewrite: Rewrite,
): Pick<Network, 'sendConsensus' | 'broadcastConsensus'> => {
  const send = (peer: Peer, message: Uint8Array): void => {
    for (const sent of rewrite(peer, message)) network.sendConsensus(peer.peerId, sent);
  };
  return {
    sendConsensus: (peerId, message) => {
      const peer = network.peers().find((known) => known.peerId === peerId);
      if (peer !== undefined) send(peer, message);
    },
    broadcastConsensus: (message) => {
      for (const peer of validatorPeers(network)) send(peer, message);
    },
  };
};

/** Hears what the host hears, before it does. */
export const overhearing = (
  network: Network,
  hear: (peer: Peer, message: ConsensusMessage, bytes: Uint8Array) => void,
): Pick<Network, 'onConsensus'> => ({
  onConsensus: (handler) =>
    network.onConsensus((peer, bytes) => {
      const message = decoded(bytes);
      if (message !== null) hear(peer, message, bytes);
      handler(peer, bytes);
    }),
});

export const sendToAll = (network: Network, message: Uint8Array): void => {
  for (const { peerId } of validatorPeers(network)) network.sendConsensus(peerId, message);
};
