import fc from 'fast-check';
import { decodeTransaction } from '#node/execution/transactionChecks.ts';
import { glanceAt } from '#node/mempool/glance.ts';
import { createAccount, RULES, transfer } from './poolFixture.ts';

test('sees what decoding the whole sees', () => {
  const alice = createAccount('alice');
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.nat(300), (tip, size) => {
      const raw = transfer(alice, { tip, data: new Uint8Array(size), gas: 100_000n });
      const whole = decodeTransaction(raw, RULES);
      if (!whole.ok) return false;
      const { maxFeePerGas, maxPriorityFeePerGas, isImport } = whole.transaction;
      expect(glanceAt(raw)).toEqual({ maxFeePerGas, maxPriorityFeePerGas, isImport });
      return true;
    }),
  );
});

test('any bytes give a glance or nothing, and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const glance = glanceAt(bytes);
      return glance === null || glance.maxFeePerGas >= 0n;
    }),
  );
  expect(glanceAt(Uint8Array.of(3, 0xc0))).toBeNull();
});
