/**
 * What the floods send, each as dear to the receiver as its sender can make it.
 *
 * Owns the bytes. What is expensive to make here (signatures) is made once for each height; what a receiver recognises
 * cheaply is made anew for each message.
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { privateKeyToAddress, signDigest } from '#consensus/crypto/secp256k1.ts';
import { proposalDigest, voteDigest } from '#consensus/digests.ts';
import { bytesToHex, concatBytes, type Hash, hexToBytes, type Signature } from '#consensus/primitives.ts';
import { type ConsensusDomain, NIL, type SignedVote, type Vote } from '#consensus/types.ts';
import { encodeMessage } from '#node/consensus/messages.ts';
import { encodeFrame } from '#node/network/frames.ts';

export const filled = (size: number): Uint8Array => crypto.getRandomValues(new Uint8Array(size));
export const randomHash = (): Hash => bytesToHex(filled(32)) as Hash;

/** Big-endian without leading zeros, as RLP has it. */
const minimalBytes = (value: bigint): Uint8Array => {
  const hex = value.toString(16);
  return hexToBytes(`0x${hex.length % 2 === 0 ? hex : `0${hex}`}`);
};
/** RLP of a short string that is not a single byte below 0x80. */
const rlpString = (bytes: Uint8Array): Uint8Array => concatBytes(Uint8Array.of(0x80 + bytes.length), bytes);

/** The x coordinate of a point of the curve: with it, a signature with any s recovers to somebody. */
const someX = (): Uint8Array =>
  hexToBytes(signDigest(keccak256Hex(filled(32)), concatBytes(Uint8Array.of(1), filled(31)))).slice(0, 32);

const FIELD_PRIME = 2n ** 256n - 2n ** 32n - 977n;
const powerOf = (base: bigint, exponent: bigint): bigint => {
  let result = 1n;
  for (let square = base, left = exponent; left > 0n; left >>= 1n, square = (square * square) % FIELD_PRIME)
    if ((left & 1n) === 1n) result = (result * square) % FIELD_PRIME;
  return result;
};

/** No point of the curve has it: x³ + 7 is no square. The receiver has to try. */
const nobodysX = (): Uint8Array => {
  for (;;) {
    const bytes = concatBytes(Uint8Array.of(1), filled(31));
    const x = BigInt(bytesToHex(bytes));
    if (powerOf((x * x * x + 7n) % FIELD_PRIME, (FIELD_PRIME - 1n) / 2n) !== 1n) return bytes;
  }
};

/** A legacy transfer (EIP-155). Its signature recovers to an account without money, or to nobody at all. */
export const junkTransaction = (chainId: bigint, recovers: boolean): Uint8Array => {
  const r = recovers ? someX() : nobodysX();
  const v = minimalBytes(2n * chainId + 35n + BigInt(Math.random() < 0.5));
  const body = concatBytes(
    Uint8Array.of(0x80),
    rlpString(minimalBytes(2_000_000_000n)),
    rlpString(minimalBytes(21_000n)),
    rlpString(filled(20)),
    rlpString(concatBytes(Uint8Array.of(1), filled(7))),
    Uint8Array.of(0x80),
    rlpString(v),
    rlpString(minimalBytes(BigInt(bytesToHex(r)))),
    rlpString(concatBytes(Uint8Array.of(1), filled(31))),
  );
  return concatBytes(Uint8Array.of(0xf8, body.length), body);
};

const forgedSignature = (): Signature =>
  bytesToHex(
    concatBytes(Uint8Array.of(1), filled(31), Uint8Array.of(1), filled(31), Uint8Array.of(27)),
  ) as Signature;

export type Speaker = { readonly domain: ConsensusDomain; readonly key: Uint8Array };

const signVote = ({ domain, key }: Speaker, vote: Vote): SignedVote => ({
  ...vote,
  validator: privateKeyToAddress(key),
  signature: signDigest(voteDigest(domain, vote), key),
  payloadHash: null,
});

const voteFrame = ({ validator: _validator, ...vote }: SignedVote): Uint8Array =>
  encodeFrame(encodeMessage({ type: 'vote', vote }));

/** For any of many rounds and values. */
export const voteOf = (speaker: Speaker, height: bigint): Uint8Array =>
  voteFrame(
    signVote(speaker, {
      type: Math.random() < 0.5 ? 'prevote' : 'precommit',
      height: height + BigInt(Math.floor(Math.random() * 2)),
      round: Math.floor(Math.random() * 50),
      valueId: randomHash(),
    }),
  );

export const forgedVote = (height: bigint): Uint8Array =>
  encodeFrame(
    encodeMessage({
      type: 'vote',
      vote: {
        type: 'prevote',
        height,
        round: Math.floor(Math.random() * 50),
        valueId: randomHash(),
        signature: forgedSignature(),
        payloadHash: null,
      },
    }),
  );

/** What nobody can object to and nobody needs: one nil prevote in each of many rounds. */
export const uselessVotes = (speaker: Speaker, height: bigint): readonly Uint8Array[] =>
  Array.from({ length: 256 }, (_, round) =>
    voteFrame(signVote(speaker, { type: 'prevote', height, round, valueId: NIL })),
  );

export const proposalOf = ({ domain, key }: Speaker, height: bigint): Uint8Array => {
  const proposal = {
    height,
    round: Math.floor(Math.random() * 50),
    polRound: -1,
    payloadHash: randomHash(),
    valueId: NIL,
  };
  const signature = signDigest(proposalDigest(domain, proposal), key);
  return encodeFrame(encodeMessage({ type: 'proposal', proposal: { ...proposal, signature } }));
};

const LARGE = new Uint8Array(120_000).fill(0xee);

export const payloadOf = ({ key }: Speaker, height: bigint): Uint8Array =>
  encodeFrame(
    encodeMessage({
      type: 'payload',
      height,
      payload: {
        parentHash: randomHash(),
        timestamp: BigInt(Math.floor(Date.now() / 1_000)),
        feeRecipient: privateKeyToAddress(key),
        transactions: Array.from({ length: 8 }, () => LARGE),
      },
    }),
  );

/** Against the speaker itself: two votes of which one was signed by nobody, so that it takes recoveries to refuse. */
export const invalidEvidence = (speaker: Speaker, height: bigint): Uint8Array => {
  const vote = { type: 'prevote' as const, height, round: 0, valueId: randomHash() };
  const first = signVote(speaker, vote);
  const second = { ...first, valueId: randomHash(), signature: forgedSignature() };
  return encodeFrame(encodeMessage({ type: 'evidence', evidence: { type: 'duplicateVote', first, second } }));
};
