import fc from 'fast-check';
import { concatHex, hashStruct, hashTypedData, keccak256, type TypedDataDomain } from 'viem';
import {
  anchorAttestationDigest,
  checkpointToValueId,
  depositAttestationDigest,
  payloadToHash,
  peerBindingDigest,
  proposalDigest,
  readyDigest,
  voteDigest,
} from '#consensus/digests.ts';
import { bytesToAddress, bytesToHash, bytesToHex } from '#consensus/primitives.ts';
import type { ConsensusDomain } from '#consensus/types.ts';

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytesToHash);
const address = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(bytesToAddress);
const uint64 = fc.bigInt(0n, 2n ** 64n - 1n);
const uint256 = fc.bigInt(0n, 2n ** 256n - 1n);
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const consensusDomain = fc.record({ chainId: uint64, genesisHash: hash });
const bridgeDomain = fc.record({ chainId: uint64, verifyingContract: address, salt: hash });

const NAMED = { name: 'Causeway', version: '1' };
const toViemDomain = ({ chainId, genesisHash }: ConsensusDomain): TypedDataDomain => ({
  ...NAMED,
  chainId,
  salt: genesisHash,
});

const field = (type: string, name: string) => ({ type, name });
const VOTE_FIELDS = [field('uint64', 'height'), field('uint32', 'round'), field('bytes32', 'valueId')];
const TYPES = {
  Checkpoint: [
    field('uint64', 'height'),
    field('bytes32', 'blockHash'),
    field('bytes32', 'stateRoot'),
    field('bytes32', 'outboxRoot'),
    field('uint64', 'outboxCount'),
    field('uint64', 'importedCount'),
    field('bytes32', 'importedHash'),
    field('bytes32', 'nextValidatorsHash'),
  ],
  Payload: [
    field('bytes32', 'parentHash'),
    field('uint64', 'timestamp'),
    field('address', 'feeRecipient'),
    field('bytes32', 'transactionsHash'),
  ],
  Proposal: [
    field('uint64', 'height'),
    field('uint32', 'round'),
    field('int64', 'polRound'),
    field('bytes32', 'payloadHash'),
    field('bytes32', 'valueId'),
  ],
  Prevote: VOTE_FIELDS,
  Precommit: VOTE_FIELDS,
  Ready: [field('uint64', 'epoch')],
  PeerBinding: [field('string', 'peerId'), field('bytes32', 'challenge')],
  DepositAttestation: [
    field('uint256', 'l1ChainId'),
    field('address', 'vault'),
    field('uint64', 'n'),
    field('bytes32', 'hash'),
    field('uint64', 'relayerEpoch'),
  ],
  AnchorAttestation: [field('bytes32', 'valueId'), field('uint64', 'relayerEpoch')],
};

const viemDigest = (domain: TypedDataDomain, primaryType: keyof typeof TYPES, message: object): string =>
  hashTypedData({ domain, types: TYPES, primaryType, message: message as Record<string, unknown> });
const viemStruct = (primaryType: keyof typeof TYPES, data: object): string =>
  hashStruct({ types: TYPES, primaryType, data: data as Record<string, unknown> });

test('votes', () => {
  fc.assert(
    fc.property(consensusDomain, uint64, uint32, hash, (domain, height, round, valueId) => {
      const message = { height, round, valueId };
      expect(voteDigest(domain, { type: 'prevote', ...message })).toBe(
        viemDigest(toViemDomain(domain), 'Prevote', message),
      );
      expect(voteDigest(domain, { type: 'precommit', ...message })).toBe(
        viemDigest(toViemDomain(domain), 'Precommit', message),
      );
    }),
  );
});

test('proposals, a polRound of −1 included', () => {
  fc.assert(
    fc.property(
      consensusDomain,
      fc.record({
        height: uint64,
        round: uint32,
        polRound: fc.integer({ min: -1, max: 2 ** 32 - 2 }),
        payloadHash: hash,
        valueId: hash,
      }),
      (domain, proposal) => {
        for (const polRound of [proposal.polRound, -1])
          expect(proposalDigest(domain, { ...proposal, polRound })).toBe(
            viemDigest(toViemDomain(domain), 'Proposal', { ...proposal, polRound: BigInt(polRound) }),
          );
      },
    ),
  );
});

test('checkpoints', () => {
  const checkpoint = fc.record({
    height: uint64,
    blockHash: hash,
    stateRoot: hash,
    outboxRoot: hash,
    outboxCount: uint64,
    importedCount: uint64,
    importedHash: hash,
    nextValidatorsHash: hash,
  });
  fc.assert(
    fc.property(checkpoint, (value) => {
      expect(checkpointToValueId(value)).toBe(viemStruct('Checkpoint', value));
    }),
  );
});

test('payloads, the empty one included', () => {
  const payload = fc.record({
    parentHash: hash,
    timestamp: uint64,
    feeRecipient: address,
    transactions: fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }),
  });
  fc.assert(
    fc.property(payload, (value) => {
      const transactionsHash = keccak256(
        concatHex(value.transactions.map((bytes) => keccak256(bytesToHex(bytes)))),
      );
      expect(payloadToHash(value)).toBe(viemStruct('Payload', { ...value, transactionsHash }));
    }),
  );
});

test('peer bindings', () => {
  fc.assert(
    fc.property(consensusDomain, fc.string(), hash, (domain, peerId, challenge) => {
      expect(peerBindingDigest(domain, { peerId, challenge })).toBe(
        viemDigest(toViemDomain(domain), 'PeerBinding', { peerId, challenge }),
      );
    }),
  );
});

test('a joiner being ready', () => {
  fc.assert(
    fc.property(consensusDomain, uint64, (domain, epoch) => {
      expect(readyDigest(domain, epoch)).toBe(viemDigest(toViemDomain(domain), 'Ready', { epoch }));
    }),
  );
});

test('bridge attestations', () => {
  const deposit = fc.record({ l1ChainId: uint256, vault: address, n: uint64, hash, relayerEpoch: uint64 });
  const anchor = fc.record({ valueId: hash, relayerEpoch: uint64 });
  fc.assert(
    fc.property(bridgeDomain, deposit, anchor, (domain, depositAttestation, anchorAttestation) => {
      const viemDomain = { ...NAMED, ...domain };
      expect(depositAttestationDigest(domain, depositAttestation)).toBe(
        viemDigest(viemDomain, 'DepositAttestation', depositAttestation),
      );
      expect(anchorAttestationDigest(domain, anchorAttestation)).toBe(
        viemDigest(viemDomain, 'AnchorAttestation', anchorAttestation),
      );
    }),
  );
});

test('a vote for another type, chain or genesis has another digest', () => {
  const domain: ConsensusDomain = { chainId: 1n, genesisHash: bytesToHash(new Uint8Array(32).fill(1)) };
  const vote = { height: 1n, round: 0, valueId: bytesToHash(new Uint8Array(32).fill(2)) };
  const digests = [
    voteDigest(domain, { type: 'prevote', ...vote }),
    voteDigest(domain, { type: 'precommit', ...vote }),
    voteDigest({ ...domain, chainId: 2n }, { type: 'precommit', ...vote }),
    voteDigest({ ...domain, genesisHash: vote.valueId }, { type: 'precommit', ...vote }),
  ];
  expect(new Set(digests).size).toBe(4);
});
