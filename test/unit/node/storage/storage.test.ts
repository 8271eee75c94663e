import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Hash, parseAddress } from '#consensus/primitives.ts';
import { EMPTY_BLOOM, logsToBloom } from '#node/storage/bloom.ts';
import { createChainStore } from '#node/storage/chainStore.ts';
import { decodeLocation, decodeReceipts, encodeLocation, encodeReceipts } from '#node/storage/codec.ts';
import { openDatabase } from '#node/storage/database.ts';
import { decodeHeader, encodeHeader, type Header } from '#node/storage/headerCodec.ts';
import type { ReceiptRecord } from '#node/storage/records.ts';
import { blockKey, bytesToHeight, heightToBytes } from '#node/storage/schema.ts';

const hash = (byte: string): Hash => `0x${byte.repeat(32)}` as Hash;
const header: Header = {
  parentHash: hash('01'),
  feeRecipient: parseAddress(`0x${'02'.repeat(20)}`),
  stateRoot: hash('03'),
  transactionsRoot: hash('04'),
  receiptsRoot: hash('05'),
  logsBloom: `0x${'00'.repeat(256)}`,
  height: 6n,
  gasLimit: 7n,
  gasUsed: 0n,
  timestamp: 8n,
  nextValidatorsHash: hash('09'),
  mixHash: hash('0a'),
  baseFeePerGas: 11n,
  parentBeaconBlockRoot: hash('0c'),
};

describe('a header', () => {
  test('decodes to what was encoded', () => {
    expect(decodeHeader(encodeHeader(header))).toEqual(header);
  });

  test('with any byte changed in a constant field, or bytes after it, is refused', () => {
    const encoded = encodeHeader(header);
    for (const at of [40, encoded.length - 1, 3 + 33 + 5]) {
      const broken = encoded.slice();
      broken[at]! ^= 1;
      expect(() => decodeHeader(broken)).toThrow();
    }
    expect(() => decodeHeader(Uint8Array.of(...encoded, 0))).toThrow();
    expect(() => decodeHeader(new Uint8Array(0))).toThrow();
  });
});

test('receipts and locations decode to what was encoded', () => {
  const logs = [
    { address: parseAddress(`0x${'04'.repeat(20)}`), topics: [hash('05'), hash('06')], data: '0x' as const },
  ];
  const receipt: ReceiptRecord = {
    transactionHash: hash('aa'),
    type: 2,
    from: parseAddress(`0x${'01'.repeat(20)}`),
    to: null,
    status: 0,
    gasUsed: 21_000n,
    cumulativeGasUsed: 21_000n,
    effectiveGasPrice: 0n,
    contractAddress: parseAddress(`0x${'03'.repeat(20)}`),
    logsBloom: logsToBloom(logs),
    logs,
  };
  const call: ReceiptRecord = {
    ...receipt,
    transactionHash: hash('ab'),
    to: receipt.from,
    contractAddress: null,
    status: 1,
    gasUsed: 30_000n,
    cumulativeGasUsed: 51_000n,
    logsBloom: EMPTY_BLOOM,
    logs: [],
  };
  expect(decodeReceipts(encodeReceipts([receipt, call]), [hash('aa'), hash('ab')])).toEqual([receipt, call]);
  expect(decodeReceipts(encodeReceipts([]), [])).toEqual([]);
  expect(decodeLocation(encodeLocation(0n, 0))).toEqual({ height: 0n, index: 0 });
  expect(decodeLocation(encodeLocation(1n << 40n, 1_427))).toEqual({ height: 1n << 40n, index: 1_427 });
});

test('keys sort as heights do', () => {
  expect(Buffer.compare(blockKey(255n), blockKey(256n))).toBe(-1);
  expect(bytesToHeight(heightToBytes(2n ** 40n + 3n))).toBe(2n ** 40n + 3n);
});

describe('the database', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'causeway-storage-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('is empty at first', async () => {
    const database = await openDatabase(folder);
    const store = createChainStore(database);
    expect([store.format(), store.genesisHash(), store.headHeight(), store.block(0n)]).toEqual([
      null,
      null,
      null,
      null,
    ]);
    await database.close();
  });

  test('is shared by the handles of one process', async () => {
    const writer = await openDatabase(folder);
    const reader = await openDatabase(folder);
    await writer.put(Uint8Array.of(1), Uint8Array.of(2), { sync: true });
    expect(reader.getSync(Uint8Array.of(1))).toEqual(Uint8Array.of(2));
    await writer.close();
    expect(await reader.get(Uint8Array.of(1))).toEqual(Uint8Array.of(2));
    await reader.close();
  });

  test('is refused to a second process, with the remedy', async () => {
    const database = await openDatabase(folder);
    const code = `
      import { openDatabase } from '#node/storage/database.ts';
      await openDatabase(${JSON.stringify(folder)}).then(
        () => console.log('OPENED'), (error) => console.log(error.code, error.message));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', code], {
      encoding: 'utf8',
    });
    expect(stdout).toContain('STORAGE_FAULT');
    expect(stdout).toContain('stop the other process');
    await database.close();
  });

  test('that cannot be opened says where', async () => {
    const file = path.join(folder, 'file');
    await writeFile(file, '');
    await expect(openDatabase(file)).rejects.toMatchObject({ code: 'STORAGE_FAULT', fatal: true });
  });
});
