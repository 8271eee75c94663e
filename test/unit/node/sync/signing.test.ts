/** What the sync lease does to signatures: the real way of a signature, a real guard, a disk that could tear. */
import { privateKeyToAddress, signDigest } from '#consensus/crypto/secp256k1.ts';
import { type Hash, parseHash } from '#consensus/primitives.ts';
import { signRequestDigest } from '#consensus/signer.ts';
import type { SignedVote, Vote } from '#consensus/types.ts';
import { startGuard } from '#node/consensus/guardStart.ts';
import { Signing } from '#node/consensus/signing.ts';
import { createLease } from '#node/sync/lease.ts';
import { TearingDisk } from '#test/sim/cluster/tearingDisk.ts';
import { createCapturedLogger, DOMAIN } from '../network/networkFixture.ts';

const KEY = new Uint8Array(32).fill(7);
const ADDRESS = privateKeyToAddress(KEY);
const VALUE = parseHash(`0x${'aa'.repeat(32)}`);
const PAYLOAD: Hash = parseHash(`0x${'bb'.repeat(32)}`);

const start = async () => {
  const time = { ms: 0, height: 8n };
  const lease = createLease({ boundMs: 10_000, nowMs: () => time.ms, onLapsed: () => undefined });
  const started = await startGuard(
    new TearingDisk(),
    { validator: ADDRESS, genesisHash: DOMAIN.genesisHash },
    0n,
  );
  const votes: SignedVote[] = [];
  const signed = { count: 0 };
  const signing = new Signing(
    {
      domain: DOMAIN,
      signer: {
        address: ADDRESS,
        sign: async (request) => {
          signed.count++;
          return signDigest(signRequestDigest(request), KEY);
        },
      },
      guard: started.guard,
      logger: createCapturedLogger(),
      signingLease: lease,
    },
    {
      makeDurable: async () => undefined,
      polkaRoundOf: () => null,
      isCurrent: (height) => height === time.height,
      onVote: (vote) => votes.push(vote),
      onProposal: () => undefined,
    },
  );
  signing.finishLookBack();
  return { time, lease, signing, votes, signed };
};
/** Longer than any signature here takes when nothing holds it up. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
};
const prevote: Vote = { type: 'prevote', height: 8n, round: 0, valueId: VALUE };

test('40 · a height that is synced while it is voted on is never signed for, the next one is after the lease', async () => {
  const { time, lease, signing, votes, signed } = await start();
  lease.update(7n, 9n);
  signing.vote(prevote, PAYLOAD);
  await turns();
  expect(signed.count).toBe(0);
  expect(signing.withheld()).toContain('syncing');
  signing.vote({ ...prevote, height: 9n }, PAYLOAD);
  signing.vote({ ...prevote, height: 10n }, PAYLOAD);
  time.height = 9n;
  lease.update(8n, 9n);
  expect(signed.count).toBe(0);
  time.height = 10n;
  lease.update(9n, 9n);
  await signing.idle();
  expect(votes.map(({ height }) => height)).toEqual([10n]);
  expect(signed.count).toBe(1);
});

test('a vote that waited for a lease that ran out is signed late, not lost', async () => {
  const { time, lease, signing, votes } = await start();
  lease.update(7n, 2n ** 60n);
  signing.vote(prevote, PAYLOAD);
  await turns();
  expect(votes).toHaveLength(0);
  time.ms = 10_000;
  lease.update(7n, 2n ** 60n);
  await signing.idle();
  expect(votes).toHaveLength(1);
});

test('a stop does not wait for the lease', async () => {
  const { lease, signing, votes } = await start();
  lease.update(7n, 9n);
  signing.vote(prevote, PAYLOAD);
  await signing.idle();
  expect(votes.length).toBeLessThanOrEqual(1);
});
