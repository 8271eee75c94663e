import fc from 'fast-check';
import { ZERO_HASH } from '#consensus/primitives.ts';
import type { Checkpoint } from '#consensus/types.ts';
import {
  type ConsensusMessage,
  type ConsensusRequest,
  decodeLastVoteAnswer,
  decodeMessage,
  decodeRequest,
  decodeValueAnswer,
  decodeVotesAnswer,
  encodeLastVoteAnswer,
  encodeMessage,
  encodeRequest,
  encodeValueAnswer,
  encodeVotesAnswer,
} from '#node/consensus/messages.ts';
import { encodeRlp } from '#node/consensus/rlp.ts';
import { MAX_CONSENSUS_MESSAGE_BYTES } from '#node/network/network.ts';
import { hashOf, KEYS, PAYLOAD, SIGNATURE } from '#test/sim/cluster/samples.ts';

const VOTE = {
  type: 'precommit',
  height: 9n,
  round: 3,
  valueId: hashOf(4),
  signature: SIGNATURE,
  payloadHash: hashOf(5),
} as const;

const MESSAGES: readonly ConsensusMessage[] = [
  {
    type: 'proposal',
    proposal: {
      height: 2n ** 64n - 1n,
      round: 0,
      polRound: -1,
      payloadHash: hashOf(3),
      valueId: ZERO_HASH,
      signature: SIGNATURE,
    },
  },
  { type: 'vote', vote: VOTE },
  { type: 'vote', vote: { ...VOTE, type: 'prevote', round: 0, valueId: ZERO_HASH, payloadHash: null } },
  { type: 'payload', height: 7n, payload: PAYLOAD },
  {
    type: 'summary',
    height: 7n,
    round: 2,
    rounds: [
      { round: 2, proposal: true, payload: false, prevotes: Uint8Array.of(5), precommits: Uint8Array.of(0) },
    ],
  },
  {
    type: 'certificate',
    certificate: {
      height: 3n,
      round: 1,
      valueId: hashOf(8),
      signatures: KEYS.map(({ address }) => ({ validator: address, signature: SIGNATURE })),
    },
  },
];

const REQUESTS: readonly ConsensusRequest[] = [
  { type: 'valueById', height: 4n, valueId: hashOf(1) },
  { type: 'valueByPayload', height: 4n, payloadHash: hashOf(2) },
  { type: 'lastVote', validator: KEYS[0]!.address },
  { type: 'polka', height: 4n, round: 6, valueId: hashOf(3) },
];

const CHECKPOINT: Checkpoint = {
  height: 4n,
  blockHash: hashOf(1),
  stateRoot: hashOf(2),
  outboxRoot: hashOf(3),
  outboxCount: 5n,
  importedCount: 0n,
  importedHash: ZERO_HASH,
  nextValidatorsHash: hashOf(4),
};

const DECODERS = [decodeMessage, decodeRequest, decodeValueAnswer, decodeVotesAnswer, decodeLastVoteAnswer];

const ENCODED = [
  ...MESSAGES.map(encodeMessage),
  ...REQUESTS.map(encodeRequest),
  encodeValueAnswer({ payload: PAYLOAD, derived: { checkpoint: CHECKPOINT, receiptHashes: [hashOf(9)] } }),
  encodeVotesAnswer([VOTE]),
  encodeLastVoteAnswer(VOTE),
];

test('random bytes are an error, never an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      for (const decode of DECODERS) {
        const decoded = decode(bytes);
        if (!decoded.ok) expect(['MALFORMED', 'UNKNOWN_KIND', 'TOO_LARGE']).toContain(decoded.error.code);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a message with any one byte changed, cut or added decodes or is an error, and what decodes encodes to itself', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...MESSAGES.map(encodeMessage)),
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom('change', 'cut', 'add'),
      (original, position, byte, how) => {
        const at = position % original.length;
        const bytes =
          how === 'cut'
            ? original.slice(0, at)
            : how === 'add'
              ? Uint8Array.from([...original, byte])
              : original.map((old, index) => (index === at ? byte : old));
        const decoded = decodeMessage(bytes);
        if (decoded.ok) expect(encodeMessage(decoded.value)).toEqual(bytes);
      },
    ),
    { numRuns: 3_000 },
  );
});

test('deep nesting and false lengths are errors', () => {
  const nested = Uint8Array.from([2, ...new Array<number>(3_000).fill(0xc1), 0xc0]);
  expect(decodeMessage(nested)).toMatchObject({ ok: false, error: { code: 'MALFORMED' } });
  expect(decodeMessage(Uint8Array.of(2, 0xfb, 0xff, 0xff, 0xff, 0xff))).toMatchObject({ ok: false });
  expect(decodeMessage(Uint8Array.of(2, 0x81, 0x05))).toMatchObject({ ok: false });
});

test('a message over the size cap is refused before it is parsed', () => {
  const large = new Uint8Array(MAX_CONSENSUS_MESSAGE_BYTES + 1);
  expect(decodeMessage(large)).toMatchObject({ ok: false, error: { code: 'TOO_LARGE' } });
});

test('integers with leading zeros, short hashes and long bitmaps are refused', () => {
  const kinds = [
    encodeRlp([Uint8Array.of(0, 1), new Uint8Array(0), []]),
    encodeRlp([
      Uint8Array.of(1),
      new Uint8Array(0),
      [[new Uint8Array(0), new Uint8Array(0), new Uint8Array(0), new Uint8Array(129), new Uint8Array(0)]],
    ]),
  ];
  for (const body of kinds)
    expect(decodeMessage(Uint8Array.from([4, ...body]))).toMatchObject({
      ok: false,
      error: { code: 'MALFORMED' },
    });
  expect(
    decodeRequest(Uint8Array.from([1, ...encodeRlp([Uint8Array.of(1), new Uint8Array(31)])])),
  ).toMatchObject({
    ok: false,
  });
});

test('every message, request and answer comes back as it was', () => {
  for (const message of MESSAGES)
    expect(decodeMessage(encodeMessage(message))).toEqual({ ok: true, value: message });
  for (const request of REQUESTS)
    expect(decodeRequest(encodeRequest(request))).toEqual({ ok: true, value: request });
  const answer = { payload: PAYLOAD, derived: { checkpoint: CHECKPOINT, receiptHashes: [hashOf(9)] } };
  expect(decodeValueAnswer(encodeValueAnswer(answer))).toEqual({ ok: true, value: { answer } });
  expect(decodeValueAnswer(encodeValueAnswer(null))).toEqual({ ok: true, value: { answer: null } });
  expect(decodeVotesAnswer(encodeVotesAnswer([VOTE]))).toEqual({ ok: true, value: [VOTE] });
  expect(decodeLastVoteAnswer(encodeLastVoteAnswer(VOTE))).toEqual({ ok: true, value: { vote: VOTE } });
  expect(decodeLastVoteAnswer(encodeLastVoteAnswer(null))).toEqual({ ok: true, value: { vote: null } });
  expect(ENCODED.every((bytes) => bytes.length > 1)).toBe(true);
});

test('a payload of 2 MiB in 1,428 transactions decodes at once', () => {
  const transactions = Array.from({ length: 1_428 }, () => new Uint8Array(1_450).fill(9));
  const bytes = encodeMessage({ type: 'payload', height: 1n, payload: { ...PAYLOAD, transactions } });
  const before = performance.now();
  expect(decodeMessage(bytes).ok).toBe(true);
  expect(performance.now() - before).toBeLessThan(500);
});
