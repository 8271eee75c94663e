import { ZERO_HASH } from '#consensus/primitives.ts';
import { type JudgeContext, judgePayload, type ValidDerivation } from '#node/consensus/judge.ts';
import { hashOf } from '#test/sim/cluster/samples.ts';

const NOW_MS = 1_800_000_000_000;
const DERIVATION: ValidDerivation = {
  valid: true,
  payloadHash: hashOf(1),
  valueId: hashOf(2),
  checkpoint: {
    height: 5n,
    blockHash: hashOf(3),
    stateRoot: hashOf(4),
    outboxRoot: ZERO_HASH,
    outboxCount: 0n,
    importedCount: 3n,
    importedHash: hashOf(5),
    nextValidatorsHash: hashOf(6),
  },
  imports: false,
  carriesImport: false,
  gasLimitSum: 0n,
  timestamp: BigInt(NOW_MS / 1_000),
  included: 0,
  dropped: [],
  gasUsed: 0n,
  receiptHashes: [],
};
const judge = (change: Partial<ValidDerivation>, context: Partial<JudgeContext> = {}) =>
  judgePayload(
    { ...DERIVATION, ...change },
    { round: 0, nowMs: NOW_MS, blockGasLimit: 30_000_000n, depositHashAt: () => null, ...context },
  );
const importing = { imports: true, carriesImport: true };

test('a fresh payload after round 0 carries no import, even if our view covers it (RULES 10)', () => {
  expect(judge(importing, { round: 1, depositHashAt: () => hashOf(5) })).toMatchObject({
    accepted: false,
    retry: 'never',
  });
  expect(judge({ carriesImport: true }, { round: 1 })).toMatchObject({ accepted: false });
});

test('an import beyond the own view waits for the L1; one that differs from it is refused for good', () => {
  expect(judge(importing)).toMatchObject({ accepted: false, retry: 'l1' });
  expect(judge(importing, { depositHashAt: () => hashOf(9) })).toMatchObject({
    accepted: false,
    retry: 'never',
  });
  expect(judge(importing, { depositHashAt: (count) => (count === 3n ? hashOf(5) : null) })).toEqual({
    accepted: true,
  });
});

test('gas limits halve with each round, down to a thousandth', () => {
  expect(judge({ gasLimitSum: 30_000_000n })).toEqual({ accepted: true });
  expect(judge({ gasLimitSum: 30_000_001n })).toMatchObject({ accepted: false, retry: 'never' });
  expect(judge({ gasLimitSum: 15_000_001n }, { round: 1 })).toMatchObject({ accepted: false });
  expect(judge({ gasLimitSum: 15_000_000n }, { round: 1 })).toEqual({ accepted: true });
  expect(judge({ gasLimitSum: 29_296n }, { round: 5_000 })).toEqual({ accepted: true });
  expect(judge({ gasLimitSum: 29_297n }, { round: 5_000 })).toMatchObject({ accepted: false });
});

test('a timestamp up to 500 ms ahead is accepted, one further ahead waits for the clock (RULES 11)', () => {
  const timestamp = DERIVATION.timestamp + 1n;
  expect(judge({ timestamp }, { nowMs: NOW_MS + 499 })).toMatchObject({ accepted: false, retry: 'clock' });
  expect(judge({ timestamp }, { nowMs: NOW_MS + 500 })).toEqual({ accepted: true });
});
