/** The floods of `npm run flood` cost their receivers what they claim to: their bytes get as far as a signature. */
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { privateKeyToAddress } from '#consensus/crypto/secp256k1.ts';
import { verifyMisbehaviour } from '#consensus/evidence.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import { decodeMessage } from '#node/consensus/messages.ts';
import { FRAME_HEADER_BYTES } from '#node/network/frames.ts';
import { forgedVote, invalidEvidence, junkTransaction, uselessVotes } from '#test/perf/junk.ts';
import { CHAIN_ID, createFakeState, createTestPool } from '../mempool/poolFixture.ts';
import { DOMAIN, text } from './networkFixture.ts';

const speaker = { domain: DOMAIN, key: keccak256(text('gone bad')) };

test('gossiped junk is refused for its signer’s money, forged junk for its signature', async () => {
  const pool = createTestPool(createFakeState());
  for (let i = 0; i < 50; i++) {
    const recovering = await pool.add(junkTransaction(CHAIN_ID, true), 'gossip');
    expect(recovering).toMatchObject({ admitted: false, code: 'INSUFFICIENT_FUNDS' });
    const forged = await pool.add(junkTransaction(CHAIN_ID, false), 'gossip');
    expect(forged).toMatchObject({ admitted: false, code: 'BAD_SIGNATURE' });
  }
  pool.close();
});

test('junk votes and evidence decode, and the evidence is refused for its signature', () => {
  for (const frame of [...uselessVotes(speaker, 7n).slice(0, 3), forgedVote(7n)])
    expect(decodeMessage(frame.subarray(FRAME_HEADER_BYTES))).toMatchObject({ ok: true });
  const decoded = decodeMessage(invalidEvidence(speaker, 7n).subarray(FRAME_HEADER_BYTES));
  if (!decoded.ok || decoded.value.type !== 'evidence') throw new Error('expected evidence');
  const set = createValidatorSet([{ address: privateKeyToAddress(speaker.key), power: 1n }]);
  expect(verifyMisbehaviour(DOMAIN, set, decoded.value.evidence)).toMatchObject({
    valid: false,
    code: 'BAD_SIGNATURE',
  });
});
