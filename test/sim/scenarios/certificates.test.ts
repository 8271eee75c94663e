import { NIL, type SealSignature } from '#consensus/types.ts';
import { forgeCertificates } from '#test/faults/forger.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { seededRandom } from '#test/sim/cluster/virtualClock.ts';
import { certificateOf, expectSound, hostAmongPuppets, signVoteWith, stepVote } from './stage.ts';

test('9 · a certificate with a repeated, unknown or mixed-type signer: rejected whole', async () => {
  const { cluster, target, puppets, valueId } = await hostAmongPuppets(9);
  const [liar, one, two] = puppets;
  const at = { height: 1n, round: 0, valueId } as const;
  const own = stepVote(cluster, target, { height: 1n, round: 0, type: 'prevote' })!;
  const prevotes: SealSignature[] = [
    own,
    ...[one, two].map(({ member }) => signVoteWith(member.key, { ...at, type: 'prevote' })),
  ].map(({ validator, signature }) => ({ validator, signature }));
  const tools = { key: liar.member.key, domain: DOMAIN, random: seededRandom(9) };
  for (const certificate of forgeCertificates(tools, at, valueId, prevotes))
    liar.send(target, { type: 'certificate', certificate });
  // A real quorum is worth nothing with one seal that is not one.
  const precommits = puppets.map(({ member }) => signVoteWith(member.key, { ...at, type: 'precommit' }));
  const whole = certificateOf(precommits);
  const nil = signVoteWith(target.key, { ...at, type: 'precommit', valueId: NIL });
  const signatures = [...whole.signatures, { validator: target.key.address, signature: nil.signature }].sort(
    (a, b) => (a.validator < b.validator ? -1 : 1),
  );
  liar.send(target, { type: 'certificate', certificate: { ...whole, signatures } });
  await cluster.clock.advance(100);
  expect(target.height()).toBe(0n);
  expect(target.host!.status()).toMatchObject({ round: 0, step: 'prevote' });
  const codes = cluster.hub.faults.map(({ peerId, fault, detail }) => {
    expect([peerId, fault]).toEqual([liar.member.name, 'invalid']);
    return detail.split(/[ :]/)[1];
  });
  expect(codes.sort()).toEqual([
    'BAD_SIGNATURE',
    'BAD_SIGNATURE',
    'DUPLICATE_SIGNER',
    'NO_QUORUM',
    'UNKNOWN_SIGNER',
  ]);
  one.send(target, { type: 'certificate', certificate: whole });
  await cluster.clock.advance(100);
  expect(target.height()).toBe(1n);
  expectSound(
    cluster,
    puppets.map(({ member }) => member),
  );
  await cluster.stopAll();
});
