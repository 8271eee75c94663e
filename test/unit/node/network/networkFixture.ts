/** Real libp2p nodes on loopback ports of their own, for tests; everything that was started is stopped. */

import { keccak256, keccak256Hex } from '#consensus/crypto/keccak.ts';
import { privateKeyToAddress, signDigest } from '#consensus/crypto/secp256k1.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import { type Signer, signRequestDigest } from '#consensus/signer.ts';
import { seedToPeerId } from '#node/keys/nodeIdentity.ts';
import { createLibp2pNetwork, type Libp2pNetwork } from '#node/network/libp2pNetwork.ts';
import type { Logger } from '#node/network/logger.ts';
import type { Peer } from '#node/network/network.ts';
import type { Libp2pNetworkOptions } from '#node/network/networkOptions.ts';

const utf8 = new TextEncoder();
const secret = (text: string): Uint8Array => keccak256(utf8.encode(text));

export const GENESIS = keccak256Hex(utf8.encode('genesis'));
export const DOMAIN = { chainId: 42424n, genesisHash: GENESIS };

export const createSigner = (privateKey: Uint8Array): Signer => ({
  address: privateKeyToAddress(privateKey),
  sign: async (request) => signDigest(signRequestDigest(request), privateKey),
});

export type Identity = {
  readonly name: string;
  readonly seed: Uint8Array;
  readonly peerId: string;
  readonly signer: Signer | null;
  readonly validator: Address | null;
};

export const createIdentity = async (name: string, isValidator = true): Promise<Identity> => {
  const seed = secret(`node ${name}`);
  const signer = isValidator ? createSigner(secret(`consensus ${name}`)) : null;
  return { name, seed, peerId: await seedToPeerId(seed), signer, validator: signer?.address ?? null };
};

export type LogLine = {
  readonly level: string;
  readonly fields: Record<string, unknown>;
  readonly message: string;
};

export type CapturedLogger = Logger & {
  readonly lines: LogLine[];
  /** Resolves with the first line, past or future, that contains the text. */
  waitFor(text: string): Promise<LogLine>;
};

export const createCapturedLogger = (): CapturedLogger => {
  const lines: LogLine[] = [];
  const waiters = new Set<(line: LogLine) => void>();
  const at =
    (level: string) =>
    (fields: unknown, message?: string): void => {
      const line = { level, fields: fields as Record<string, unknown>, message: message ?? '' };
      lines.push(line);
      for (const waiter of waiters) waiter(line);
    };
  const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return {
    ...(logger as unknown as Logger),
    lines,
    waitFor(text) {
      const found = lines.find(({ message }) => message.includes(text));
      if (found !== undefined) return Promise.resolve(found);
      return new Promise((resolve) => {
        const waiter = (line: LogLine): void => {
          if (!line.message.includes(text)) return;
          waiters.delete(waiter);
          resolve(line);
        };
        waiters.add(waiter);
      });
    },
  };
};

export type TestNode = {
  readonly identity: Identity;
  readonly network: Libp2pNetwork;
  readonly logger: CapturedLogger;
  connected(peerId: string): Promise<Peer>;
  disconnected(peerId: string): Promise<Peer>;
  /** Connect and disconnect events so far, in order. */
  readonly events: string[];
  readonly messages: { from: string; bytes: Uint8Array }[];
  message(matches: (bytes: Uint8Array) => boolean): Promise<{ from: string; bytes: Uint8Array }>;
  readonly transactions: Uint8Array[];
  /** For a handler of the test's own: `transaction` sees what it was given. */
  arrived(raw: Uint8Array): void;
  transaction(raw: Uint8Array): Promise<void>;
};

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

export type Cluster = {
  start(
    identity: Identity,
    allowed: readonly Identity[],
    dials?: readonly TestNode[],
    overrides?: Partial<Libp2pNetworkOptions>,
  ): Promise<TestNode>;
  stopAll(): Promise<void>;
};

export const createCluster = (): Cluster => {
  const running: Libp2pNetwork[] = [];
  return {
    async start(identity, allowed, dials = [], overrides = {}) {
      const logger = createCapturedLogger();
      const network = await createLibp2pNetwork({
        privateKeySeed: identity.seed,
        listen: ['/ip4/127.0.0.1/tcp/0'],
        peers: dials.map((node) => ({
          peerId: node.identity.peerId,
          address: node.network.addresses()[0]!,
        })),
        allowList: allowed.map(({ peerId, name, validator }) => ({ peerId, name, validator })),
        domain: DOMAIN,
        signer: identity.signer,
        logger,
        ...overrides,
      });
      running.push(network);
      const node = observe(identity, network, logger);
      await network.start();
      return node;
    },
    async stopAll() {
      await Promise.all(running.splice(0).map((network) => network.stop()));
    },
  };
};

const observe = (identity: Identity, network: Libp2pNetwork, logger: CapturedLogger): TestNode => {
  const events: string[] = [];
  const messages: { from: string; bytes: Uint8Array }[] = [];
  const transactions: Uint8Array[] = [];
  const listeners = new Set<() => void>();
  const changed = (): void => {
    for (const listener of [...listeners]) listener();
  };
  const until = <T>(find: () => T | undefined): Promise<T> =>
    new Promise((resolve) => {
      const check = (): void => {
        const found = find();
        if (found === undefined) return;
        listeners.delete(check);
        resolve(found);
      };
      listeners.add(check);
      check();
    });
  let lastGone: Peer | null = null;
  network.onPeerConnected((peer) => {
    events.push(`+${peer.peerId}`);
    changed();
  });
  network.onPeerDisconnected((peer) => {
    events.push(`-${peer.peerId}`);
    lastGone = peer;
    changed();
  });
  network.onConsensus((peer, bytes) => {
    messages.push({ from: peer.peerId, bytes });
    changed();
  });
  network.onTransactions(async (_peer, batch) => {
    const fresh = batch.filter((raw) => !transactions.some((known) => sameBytes(raw, known)));
    transactions.push(...fresh);
    changed();
    return { fresh, isJunk: false, recovered: 0, waitMs: 0 };
  });
  return {
    identity,
    network,
    logger,
    events,
    messages,
    transactions,
    arrived: (raw) => {
      transactions.push(raw);
      changed();
    },
    connected: (peerId) => until(() => network.peers().find((peer) => peer.peerId === peerId)),
    disconnected: (peerId) =>
      until(() =>
        events.includes(`-${peerId}`) && !network.peers().some((peer) => peer.peerId === peerId)
          ? lastGone!
          : undefined,
      ),
    message: (matches) => until(() => messages.find(({ bytes }) => matches(bytes))),
    transaction: (raw) =>
      until(() => (transactions.some((other) => sameBytes(raw, other)) ? true : undefined)).then(() => {}),
  };
};

export const text = (value: string): Uint8Array => utf8.encode(value);
export const hashOf = (value: string): Hash => keccak256Hex(utf8.encode(value));
