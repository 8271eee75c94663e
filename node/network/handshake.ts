/**
 * The first conversation on every connection: are we on the same chain, and whose consensus key are you?
 *
 * Both sides send a hello (protocol version, chain id, genesis hash, fork plan, challenge), then a proof (a
 * validator's PeerBinding signature over its own PeerId and the other's challenge, or nothing), then a verdict.
 * Noise has already proven the PeerIds; the fresh challenge keeps a recorded proof from being of use to anybody.
 * Invariant: a peer is accepted as a validator only with an address that the allow-list gives to its PeerId, or that
 * the chain names as a validator's, whatever the PeerId.
 */
import { randomBytes } from 'node:crypto';
import type { Stream } from '@libp2p/interface';
import { recoverAddress } from '#consensus/crypto/secp256k1.ts';
import { peerBindingDigest } from '#consensus/digests.ts';
import {
  type Address,
  bytesToHash,
  bytesToHex,
  type Hash,
  hexToBytes,
  parseSignature,
  toBigEndian,
} from '#consensus/primitives.ts';
import type { Signer } from '#consensus/signer.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import { decodeRlp, encodeRlp } from '#node/consensus/rlp.ts';
import { NetworkError } from '#node/network/networkError.ts';
import { createFrameReader, type FrameReader, writeFrame } from '#node/network/streams.ts';

export const HANDSHAKE_PROTOCOL = '/causeway/handshake/1';
const MAX_HANDSHAKE_FRAME_BYTES = 1024;
const MAX_REASON_BYTES = 512;

/** Why two nodes do not talk; `refused` is the other side's verdict in its own words. */
export type HandshakeErrorCode =
  | 'WRONG_VERSION'
  | 'WRONG_CHAIN_ID'
  | 'WRONG_GENESIS'
  | 'WRONG_FORK_PLAN'
  | 'BAD_BINDING'
  | 'UNLISTED'
  | 'MALFORMED'
  | 'REFUSED';

export class HandshakeError extends Error {
  override readonly name = 'HandshakeError';
  readonly code: HandshakeErrorCode;
  constructor(code: HandshakeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export type HandshakeIdentity = {
  readonly protocolVersion: number;
  readonly domain: ConsensusDomain;
  readonly forkPlanHash: Hash;
  readonly peerId: string;
  /** Null for a node without a consensus key: it proves its PeerId only. */
  readonly signer: Signer | null;
};

export type RemoteParty = {
  readonly peerId: string;
  /** What the allow-list says about this PeerId; null for a full node and for a stranger. */
  readonly validator: Address | null;
  /** Asked for a key that was proven; without it, `validator` alone is acceptable. */
  readonly accepts?: (proven: Address) => boolean;
  /** A stranger: refused without a proof. */
  readonly mustProve?: boolean;
  /** It dialled us: a stranger's proof then comes before ours, so that it cannot make us sign. */
  readonly isDialler?: boolean;
};

type Hello = {
  readonly protocolVersion: number;
  readonly chainId: bigint;
  readonly genesisHash: Hash;
  readonly forkPlanHash: Hash;
  readonly challenge: Hash;
};

const TAG = { hello: 1, proof: 2, verdict: 3 } as const;
const utf8 = new TextEncoder();
const text = new TextDecoder();
const malformed = (what: string): HandshakeError =>
  new HandshakeError('MALFORMED', `expected ${what} in the handshake, found something else`);

const encodeMessage = (tag: number, ...fields: Uint8Array[]): Uint8Array =>
  encodeRlp([Uint8Array.of(tag), ...fields]);

const decodeMessage = (frame: Uint8Array, fieldCounts: Record<number, number>) => {
  let item: ReturnType<typeof decodeRlp>;
  try {
    item = decodeRlp(frame);
  } catch {
    throw malformed('RLP');
  }
  if (item instanceof Uint8Array) throw malformed('a list');
  const fields = item.map((field) => {
    if (field instanceof Uint8Array) return field;
    throw malformed('a flat list');
  });
  const tag = fields[0]?.length === 1 ? fields[0][0]! : 0;
  if (fieldCounts[tag] !== fields.length - 1) throw malformed('a message of this step');
  return { tag, fields: fields.slice(1) };
};

const encodeHello = (hello: Hello): Uint8Array =>
  encodeMessage(
    TAG.hello,
    toBigEndian(BigInt(hello.protocolVersion), 4),
    toBigEndian(hello.chainId, 32),
    hexToBytes(hello.genesisHash),
    hexToBytes(hello.forkPlanHash),
    hexToBytes(hello.challenge),
  );

const HELLO_SIZES = [4, 32, 32, 32, 32];

const decodeHello = (frame: Uint8Array): Hello => {
  const { fields } = decodeMessage(frame, { [TAG.hello]: HELLO_SIZES.length });
  if (fields.some((field, index) => field.length !== HELLO_SIZES[index])) throw malformed('a hello');
  const [version, chainId, genesisHash, forkPlanHash, challenge] = fields as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  return {
    protocolVersion: Number(BigInt(bytesToHex(version))),
    chainId: BigInt(bytesToHex(chainId)),
    genesisHash: bytesToHash(genesisHash),
    forkPlanHash: bytesToHash(forkPlanHash),
    challenge: bytesToHash(challenge),
  };
};

/** Null when both describe the same chain; the message names the difference, both sides of it. */
const compareHellos = (ours: Hello, theirs: Hello): HandshakeError | null => {
  if (ours.protocolVersion !== theirs.protocolVersion)
    return new HandshakeError(
      'WRONG_VERSION',
      `expected protocol version ${ours.protocolVersion}, found ${theirs.protocolVersion}: run the same release on both`,
    );
  if (ours.chainId !== theirs.chainId)
    return new HandshakeError(
      'WRONG_CHAIN_ID',
      `expected chain id ${ours.chainId}, found ${theirs.chainId}: this peer belongs to another chain`,
    );
  if (ours.genesisHash !== theirs.genesisHash)
    return new HandshakeError(
      'WRONG_GENESIS',
      `expected genesis hash ${ours.genesisHash}, found ${theirs.genesisHash}: compare the genesis files of both`,
    );
  if (ours.forkPlanHash !== theirs.forkPlanHash)
    return new HandshakeError(
      'WRONG_FORK_PLAN',
      `expected fork plan ${ours.forkPlanHash}, found ${theirs.forkPlanHash}: one of the two has not been upgraded`,
    );
  return null;
};

const createProof = async (identity: HandshakeIdentity, challenge: Hash): Promise<Uint8Array> => {
  if (identity.signer === null) return encodeMessage(TAG.proof, new Uint8Array(0));
  const signature = await identity.signer.sign({
    kind: 'peerBinding',
    domain: identity.domain,
    binding: { peerId: identity.peerId, challenge },
  });
  return encodeMessage(TAG.proof, hexToBytes(signature));
};

/** @returns the validator that the peer proved to be, null for a peer that offered no proof */
const verifyProof = (
  proof: Uint8Array,
  identity: HandshakeIdentity,
  remote: RemoteParty,
  challenge: Hash,
): Address | null => {
  if (proof.length === 0 && remote.mustProve === true)
    throw new HandshakeError(
      'UNLISTED',
      `expected a PeerId of the specification or the consensus key of a validator, found ${remote.peerId} with neither: enrol it, or stop that node`,
    );
  if (proof.length === 0) return null;
  if (proof.length !== 65) throw malformed('a 65-byte signature or none');
  const digest = peerBindingDigest(identity.domain, { peerId: remote.peerId, challenge });
  const recovered = recoverAddress(digest, parseSignature(bytesToHex(proof)));
  const accepts = remote.accepts ?? ((proven: Address) => proven === remote.validator);
  if (recovered !== null && accepts(recovered)) return recovered;
  throw new HandshakeError(
    'BAD_BINDING',
    `expected a binding of ${remote.peerId} by ${remote.validator ?? 'no consensus key (it is no validator of the specification)'}, found one by ${recovered ?? 'nobody'}: check the node's consensus key against the specification and the chain's validators`,
  );
};

const encodeVerdict = (accepted: boolean, reason: string): Uint8Array =>
  encodeMessage(
    TAG.verdict,
    Uint8Array.of(accepted ? 1 : 0),
    utf8.encode(reason).subarray(0, MAX_REASON_BYTES),
  );

/** Control characters of a stranger's text do not reach a log. */
const printable = (bytes: Uint8Array): string =>
  text.decode(bytes.subarray(0, MAX_REASON_BYTES)).replace(/[^\x20-\x7e]/g, '?');

/** The fields of `expected`, unless the peer's verdict came instead. @throws HandshakeError REFUSED, MALFORMED */
const readStep = async (
  reader: FrameReader,
  expected: { tag: number; fields: number },
  signal: AbortSignal,
): Promise<Uint8Array[]> => {
  const { tag, fields } = decodeMessage(await reader.next(signal), {
    [TAG.verdict]: 2,
    [expected.tag]: expected.fields,
  });
  if (tag === TAG.verdict && fields[0]?.[0] !== 1)
    throw new HandshakeError('REFUSED', `the peer refused us: ${printable(fields[1]!)}`);
  if (tag !== expected.tag) throw malformed('a proof');
  return fields;
};

/**
 * Runs one side; the two sides are symmetric.
 * @returns the consensus address that the peer proved, null for a full node
 * @throws HandshakeError; NetworkError when the stream fails
 */
export const performHandshake = async (
  stream: Stream,
  identity: HandshakeIdentity,
  remote: RemoteParty,
  signal: AbortSignal,
): Promise<Address | null> => {
  const reader = createFrameReader(stream, { minBytes: 1, maxBytes: MAX_HANDSHAKE_FRAME_BYTES });
  const ours: Hello = {
    protocolVersion: identity.protocolVersion,
    chainId: identity.domain.chainId,
    genesisHash: identity.domain.genesisHash,
    forkPlanHash: identity.forkPlanHash,
    challenge: bytesToHash(randomBytes(32)),
  };
  try {
    await writeFrame(stream, encodeHello(ours), signal);
    const theirs = decodeHello(await reader.next(signal));
    const difference = compareHellos(ours, theirs);
    if (difference !== null) throw difference;
    const sendProof = async (): Promise<void> =>
      writeFrame(stream, await createProof(identity, theirs.challenge), signal);
    const isStranger = remote.mustProve === true && remote.isDialler === true;
    if (!isStranger) await sendProof();
    const [proof] = await readStep(reader, { tag: TAG.proof, fields: 1 }, signal);
    const validator = verifyProof(proof!, identity, remote, ours.challenge);
    if (isStranger) await sendProof();
    await writeFrame(stream, encodeVerdict(true, ''), signal).catch(() => {
      // a peer that refused us has closed by now: its verdict, which says why, is still to be read
    });
    await readStep(reader, { tag: TAG.verdict, fields: 2 }, signal);
    return validator;
  } catch (error) {
    if (error instanceof HandshakeError && error.code !== 'REFUSED')
      await writeFrame(stream, encodeVerdict(false, error.message), signal).catch(() => {
        // the stream is gone: the peer learns from that
      });
    if (error instanceof NetworkError && (error.code === 'OVERSIZED' || error.code === 'MALFORMED'))
      throw new HandshakeError('MALFORMED', error.message);
    throw error;
  }
};
