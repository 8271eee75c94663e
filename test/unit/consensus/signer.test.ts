import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import {
  anchorAttestationDigest,
  type BridgeDomain,
  depositAttestationDigest,
  peerBindingDigest,
  proposalDigest,
  readyDigest,
  voteDigest,
} from '#consensus/digests.ts';
import type { Hash } from '#consensus/primitives.ts';
import { type SignRequest, signRequestDigest } from '#consensus/signer.ts';
import { NIL, type Vote } from '#consensus/types.ts';
import { addressOf, DOMAIN, payload, value } from '#test/unit/consensus/scenario.ts';

const domain = DOMAIN;
const bridge: BridgeDomain = { chainId: 1n, verifyingContract: addressOf(1), salt: payload('s') };
const vote: Vote = { type: 'prevote', height: 4n, round: 1, valueId: value('a') };
const proposal = { height: 4n, round: 1, polRound: -1, payloadHash: payload('a'), valueId: NIL };
const binding = { peerId: '12D3KooW', challenge: payload('c') };
const deposit = { l1ChainId: 1n, vault: addressOf(2), n: 3n, hash: payload('d'), relayerEpoch: 0n };
const anchor = { valueId: value('a'), relayerEpoch: 0n };
const unsigned = Uint8Array.of(2, 0xc0);

const REQUESTS: readonly (readonly [SignRequest, Hash])[] = [
  [{ kind: 'vote', domain, vote }, voteDigest(domain, vote)],
  [{ kind: 'proposal', domain, proposal }, proposalDigest(domain, proposal)],
  [{ kind: 'peerBinding', domain, binding }, peerBindingDigest(domain, binding)],
  [{ kind: 'ready', domain, epoch: 7n }, readyDigest(domain, 7n)],
  [
    { kind: 'depositAttestation', domain: bridge, attestation: deposit },
    depositAttestationDigest(bridge, deposit),
  ],
  [
    { kind: 'anchorAttestation', domain: bridge, attestation: anchor },
    anchorAttestationDigest(bridge, anchor),
  ],
  [{ kind: 'transaction', unsigned }, keccak256Hex(unsigned)],
];

test.each(REQUESTS)('what is signed for $kind is its typed message', (request, digest) => {
  expect(signRequestDigest(request)).toBe(digest);
});

test('no two kinds of message share a digest', () => {
  expect(new Set(REQUESTS.map(([request]) => signRequestDigest(request))).size).toBe(REQUESTS.length);
});
