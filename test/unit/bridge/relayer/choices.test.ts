import { parseTransaction, recoverTransactionAddress } from 'viem';
import type { RelayerSet } from '#bridge/encoding/relayerSet.ts';
import { anchorDigest, createAttestationPool } from '#bridge/relayer/attestations.ts';
import { chooseCheckpoint } from '#bridge/relayer/checkpointSubmitter.ts';
import { importGasLimit, leastImportGas, maxDepositsPerImport } from '#bridge/relayer/importBatch.ts';
import { createSignerAccount } from '#bridge/relayer/signerAccount.ts';
import { createTask } from '#bridge/relayer/task.ts';
import { createTurns } from '#bridge/relayer/turns.ts';
import type { Hash } from '#consensus/primitives.ts';
import { namedKey, namedKeys } from '#test/contracts/fixtures/keys.ts';
import { createPeg } from '#test/contracts/fixtures/peg.ts';
import { createManualClock } from '#test/unit/bridge/fixtures/clock.ts';
import { createRecordingLogger } from '#test/unit/bridge/fixtures/logger.ts';
import { domainsOf } from '#test/unit/bridge/fixtures/relayerParts.ts';

const VALUE = `0x${'6b'.repeat(32)}` as Hash;

describe('which checkpoint goes next', () => {
  const attested = (...heights: bigint[]) =>
    heights.map((key) => ({ key, value: VALUE, relayerEpoch: 1n, signatures: new Map() }));
  test('the newest in the epoch, never one beyond an epoch’s last block that is not accepted', () => {
    expect(chooseCheckpoint(attested(3n, 7n, 12n, 20n), 0n, 10n)?.key).toBe(7n);
    expect(chooseCheckpoint(attested(3n, 7n, 10n, 12n), 0n, 10n)?.key).toBe(10n);
    expect(chooseCheckpoint(attested(3n, 10n, 12n, 15n), 10n, 10n)?.key).toBe(15n);
    expect(chooseCheckpoint(attested(3n, 7n), 7n, 10n)).toBeNull();
    expect(chooseCheckpoint(attested(12n), 9n, 10n)).toBeNull();
  });
});

describe('turns', () => {
  test('every relayer has another place for each key, and the places rotate', () => {
    const clock = createManualClock();
    const places = [0, 1, 2].map((key) =>
      [0, 1, 2].map((index) => createTurns(index, 3, 100, clock).waitMs(BigInt(key))),
    );
    expect(places).toEqual([
      [0, 100, 200],
      [100, 200, 0],
      [200, 0, 100],
    ]);
  });
  test('the wait runs down, and starts again with a new key', () => {
    const clock = createManualClock();
    const turns = createTurns(2, 3, 100, clock);
    expect(turns.waitMs(0n)).toBe(200);
    clock.advance(150);
    expect(turns.waitMs(0n)).toBe(50);
    clock.advance(100);
    expect(turns.waitMs(0n)).toBe(0);
    expect(turns.waitMs(3n)).toBe(200);
  });
});

describe('size of an import', () => {
  test('follows from the gas that is reserved, the transaction cap, and the gateway’s maximum', () => {
    expect(maxDepositsPerImport(10_000_000n, 3)).toBe(96n);
    expect(maxDepositsPerImport(1_000_000_000n, 3)).toBe(163n);
    expect(maxDepositsPerImport(leastImportGas(3), 3)).toBe(1n);
    expect(importGasLimit(1n, 10_000_000n, 3)).toBe(500_000n);
    expect(importGasLimit(300n, 10_000_000n, 3)).toBe(10_000_000n);
    expect(importGasLimit(300n, 1_000_000_000n, 3)).toBe(1n << 24n);
    // 255 signatures do not fit into what three need.
    expect(importGasLimit(1n, 10_000_000n, 255)).toBe(1_830_000n);
    expect(maxDepositsPerImport(leastImportGas(255), 255)).toBe(1n);
  });
});

describe('collecting attestations', () => {
  const keys = namedKeys('relayer', 5);
  const relayers: RelayerSet = { threshold: 3, addresses: keys.map(({ address }) => address) };
  const digest = anchorDigest(domainsOf(createPeg()));
  const sign = (index: number) => keys[index]!.sign(digest(9n, VALUE, 1n));

  test('exactly the threshold goes into the transaction, in the set’s order', () => {
    const pool = createAttestationPool(relayers, digest);
    pool.open(9n, VALUE, 1n);
    for (const index of [4, 2, 0, 3]) pool.add(9n, sign(index));
    const { bitmap, signatures } = pool.collect(pool.get(9n)!);
    expect(bitmap).toBe(0b01101n);
    expect(signatures).toBe(`0x${[0, 2, 3].map((index) => sign(index).slice(2)).join('')}`);
    expect(pool.missing(pool.get(9n)!)).toEqual([keys[1]!.address]);
  });
  test('a signer counts once, a stranger and a high s never', () => {
    const pool = createAttestationPool(relayers, digest);
    pool.open(9n, VALUE, 1n);
    pool.add(9n, sign(1));
    pool.add(9n, sign(1));
    expect(pool.add(9n, namedKey('stranger').sign(digest(9n, VALUE, 1n)))).toBeNull();
    const bytes = Buffer.from(sign(2).slice(2), 'hex');
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const highS = (order - BigInt(`0x${bytes.subarray(32, 64).toString('hex')}`))
      .toString(16)
      .padStart(64, '0');
    const flipped = `0x${bytes.subarray(0, 32).toString('hex')}${highS}${bytes[64] === 27 ? '1c' : '1b'}`;
    expect(pool.add(9n, flipped as never)).toBeNull();
    expect(pool.get(9n)!.signatures.size).toBe(1);
    expect(pool.isQuorate(pool.get(9n)!)).toBe(false);
  });
  test('entries are bounded, and a new relayer epoch starts counting again', () => {
    const pool = createAttestationPool(relayers, digest, 2);
    for (const key of [1n, 2n, 3n]) pool.open(key, VALUE, 1n);
    expect(pool.all().map(({ key }) => key)).toEqual([1n, 2n]);
    expect(pool.isFull()).toBe(true);
    pool.add(1n, keys[0]!.sign(digest(1n, VALUE, 1n)));
    pool.open(1n, VALUE, 2n);
    expect(pool.get(1n)!.signatures.size).toBe(0);
    pool.forgetThrough(1n);
    expect(pool.all().map(({ key }) => key)).toEqual([2n]);
    // what is settled stays out, or one stolen key could fill the pool with old counts that it signs again
    pool.openIfSigned(1n, VALUE, 1n, [keys[0]!.sign(digest(1n, VALUE, 1n))]);
    expect(pool.all().map(({ key }) => key)).toEqual([2n]);
  });
});

describe('the account behind a signer', () => {
  const key = namedKey('relayer');
  const account = createSignerAccount(key.signer);
  test('signs transactions that recover to it', async () => {
    const raw = await account.signTransaction({
      type: 'eip1559',
      chainId: 42424,
      nonce: 3,
      to: key.address,
      gas: 21_000n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
    });
    expect(parseTransaction(raw)).toMatchObject({ type: 'eip1559', nonce: 3, gas: 21_000n });
    expect(
      (await recoverTransactionAddress({ serializedTransaction: raw as `0x02${string}` })).toLowerCase(),
    ).toBe(key.address);
  });
  test('signs nothing else', async () => {
    await expect(account.signMessage({ message: 'x' })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await expect(account.signTypedData({} as never)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});

describe('a part’s heartbeat', () => {
  test('wakes once more when woken during a run, retries failures ever slower, and stops', async () => {
    const clock = createManualClock();
    let runs = 0;
    let fails = false;
    let release: () => void = () => undefined;
    const ended: (() => void)[] = [];
    const task = createTask(
      'part',
      async () => {
        runs++;
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        queueMicrotask(() => ended.shift()?.());
        if (fails) throw new Error('no');
        return null;
      },
      { clock, logger: createRecordingLogger(), intervalMs: 100 },
    );
    const finish = async () => {
      release();
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    };
    task.start();
    expect(runs).toBe(1);
    task.wake();
    task.wake();
    await finish();
    expect(runs).toBe(2);
    await finish();
    expect(clock.waiting()).toEqual([100]);
    fails = true;
    task.wake();
    await finish();
    expect(clock.waiting()).toEqual([200]);
    task.wake(); // a failing part keeps its pause
    expect(runs).toBe(3);
    clock.advance(200);
    await finish();
    expect(clock.waiting()).toEqual([400]);
    await task.stop();
    expect(clock.waiting()).toEqual([]);
  });
});
