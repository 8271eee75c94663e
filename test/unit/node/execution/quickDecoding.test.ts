import { createTxFromRLP, getMinimumGasLimit } from '@ethereumjs/tx';
import { keccak256, keccak256Hex } from '#consensus/crypto/keccak.ts';
import { bytesToAddress } from '#consensus/primitives.ts';
import { decodeRlp, encodeRlp, type RlpItem } from '#node/consensus/rlp.ts';
import { decodeQuickly } from '#node/execution/quickDecoding.ts';
import { createTransactionRules, decodeTransaction } from '#node/execution/transactionChecks.ts';
import { streamOf } from '#test/sim/streams.ts';
import { exampleSpec, signTransaction, USERS } from '#test/unit/node/execution/exampleChain.ts';

const SEED = Number(process.env.DECODING_SEED ?? 1);
const RUNS = Number(process.env.DECODING_RUNS ?? 400);
const rules = createTransactionRules(exampleSpec());
const [alice] = USERS;

const randomBytes = (random: () => number, size: number): Uint8Array =>
  Uint8Array.from({ length: size }, () => (random() < 0.3 ? 0 : Math.floor(random() * 256)));

const randomCall = (random: () => number): Promise<Uint8Array> =>
  signTransaction(alice!, {
    nonce: Math.floor(random() * 300),
    to: `0x${Buffer.from(randomBytes(random, 20)).toString('hex')}`,
    value:
      random() < 0.3 ? 0n : BigInt(Math.floor(random() * 2 ** 53)) * 10n ** BigInt(Math.floor(random() * 20)),
    gas: 21_000n + BigInt(Math.floor(random() * 2_000_000)),
    data: `0x${Buffer.from(randomBytes(random, random() < 0.4 ? 0 : Math.floor(random() * 200))).toString('hex')}`,
    ...(random() < 0.2
      ? { accessList: [{ address: `0x${'12'.repeat(20)}`, storageKeys: [`0x${'34'.repeat(32)}`] }] }
      : {}),
    ...(random() < 0.2 ? { type: 'legacy', gasPrice: 10n ** 10n } : {}),
  });

/** A valid transaction with one thing changed: a byte, a field, the encoding. */
const spoil = (random: () => number, raw: Uint8Array): Uint8Array => {
  const spoilt = raw.slice();
  if (random() < 0.5 || raw[0] !== 2) {
    spoilt[Math.floor(random() * raw.length)] = Math.floor(random() * 256);
    return spoilt;
  }
  const fields = [...(decodeRlp(raw.subarray(1)) as readonly RlpItem[])];
  const at = Math.floor(random() * fields.length);
  const field = fields[at]!;
  const choice = random();
  if (choice < 0.3) fields[at] = randomBytes(random, Math.floor(random() * 40));
  else if (choice < 0.5 && field instanceof Uint8Array) fields[at] = Uint8Array.of(0, ...field);
  else if (choice < 0.6) fields[at] = [];
  else if (choice < 0.7) fields.splice(at, 1);
  else if (choice < 0.8) fields.push(Uint8Array.of(1));
  else if (field instanceof Uint8Array) fields[at] = field.subarray(1);
  return Uint8Array.of(2, ...encodeRlp(fields));
};

/** The library's verdict on the bytes, as `decodeTransaction` would use it without the quick way. */
const slowly = (raw: Uint8Array) => {
  const tx = createTxFromRLP(raw, { common: rules.common, allowUnlimitedInitCodeSize: true });
  if (Buffer.compare(tx.serialize(), raw) !== 0) throw new Error('not canonical');
  const publicKey = tx.getSenderPublicKey();
  return {
    sender: bytesToAddress(keccak256(publicKey).subarray(12)),
    nonce: tx.nonce,
    gasLimit: tx.gasLimit,
    minimumGas: getMinimumGasLimit(tx),
    maxFeePerGas: 'maxFeePerGas' in tx ? tx.maxFeePerGas : null,
    maxPriorityFeePerGas: 'maxPriorityFeePerGas' in tx ? tx.maxPriorityFeePerGas : null,
    valueWei: tx.value,
    to: tx.to === undefined ? null : bytesToAddress(tx.to.bytes),
    dataSizeBytes: tx.data.length,
  };
};

test(`what is decoded quickly, the library decodes to the same (DECODING_SEED=${SEED} DECODING_RUNS=${RUNS})`, async () => {
  const random = streamOf(SEED, 'decoding');
  let quick = 0;
  for (let run = 0; run < RUNS; run++) {
    const raw = await randomCall(random);
    for (const bytes of [raw, ...Array.from({ length: 6 }, () => spoil(random, raw))]) {
      const found = decodeQuickly(bytes, keccak256Hex(bytes), rules, null);
      if (found === null) continue;
      quick++;
      const {
        raw: _raw,
        hash: _hash,
        publicKey: _key,
        type,
        delegates,
        isImport,
        isPlain,
        tx: _tx,
        ...fields
      } = found;
      const where = `run ${run}: 0x${Buffer.from(bytes).toString('hex')}`;
      expect([where, fields]).toEqual([where, slowly(bytes)]);
      expect([type, delegates, isImport, isPlain]).toEqual([2, false, false, fields.dataSizeBytes === 0]);
    }
  }
  expect(quick).toBeGreaterThan(RUNS / 3);
});

test('a public key that was recovered before is used, here and by the library’s object', async () => {
  const raw = await signTransaction(alice!, { nonce: 0, to: `0x${'12'.repeat(20)}`, gas: 21_000n });
  const known = decodeTransaction(raw, rules);
  if (!known.ok) throw new Error(known.message);
  const other = new Uint8Array(64).fill(5);
  const trusted = decodeTransaction(raw, rules, () => other);
  if (!trusted.ok) throw new Error(trusted.message);
  const expected = bytesToAddress(keccak256(other).subarray(12));
  expect(trusted.transaction.sender).toBe(expected);
  expect(bytesToAddress(trusted.transaction.tx.getSenderAddress().bytes)).toBe(expected);
  expect(known.transaction.sender).toBe(alice!.address);
});
