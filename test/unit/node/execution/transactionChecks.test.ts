import { RLP } from '@ethereumjs/rlp';
import fc from 'fast-check';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { concatBytes, hexToBytes } from '#consensus/primitives.ts';
import { BoundedCache } from '#node/execution/boundedCache.ts';
import { IMPORT_DEPOSITS_SELECTOR } from '#node/execution/importTransaction.ts';
import {
  checkAccount,
  checkRules,
  createTransactionRules,
  type DecodedTransaction,
  decodeTransaction,
  effectiveGasPrice,
  MAX_TRANSACTION_BYTES,
  senderCodeKind,
} from '#node/execution/transactionChecks.ts';
import {
  ETHER,
  exampleSpec,
  GWEI,
  signTransaction,
  USERS,
  type User,
} from '#test/unit/node/execution/exampleChain.ts';

const rules = createTransactionRules(exampleSpec());
const [alice, bob] = USERS as [User, User];
const decode = async (changes: Record<string, unknown> = {}): Promise<DecodedTransaction> => {
  const raw = await signTransaction(alice, { nonce: 3, to: bob.address, value: 5n, ...changes });
  const result = decodeTransaction(raw, rules);
  if (!result.ok) throw new Error(result.message);
  return result.transaction;
};

test.each([
  ['legacy', { type: 'legacy', gasPrice: 2n * GWEI }, 0],
  ['eip2930', { type: 'eip2930', gasPrice: 2n * GWEI, accessList: [] }, 1],
  ['eip1559', {}, 2],
])('a signed %s transaction is decoded with its sender', async (_name, changes, type) => {
  expect(await decode(changes)).toMatchObject({
    type,
    sender: alice.address,
    to: bob.address,
    nonce: 3n,
    valueWei: 5n,
    minimumGas: 21_000n,
    isImport: false,
  });
});

test('an EIP-7702 transaction is known as a delegation', async () => {
  const authorization = await alice.account.signAuthorization({
    chainId: 42_424,
    contractAddress: bob.address,
    nonce: 4,
  });
  const transaction = await decode({
    type: 'eip7702',
    maxFeePerGas: 3n * GWEI,
    maxPriorityFeePerGas: GWEI,
    authorizationList: [authorization],
  });
  expect(transaction).toMatchObject({ type: 4, delegates: true, minimumGas: 46_000n });
});

describe('decoding refuses', () => {
  const refused = (raw: Uint8Array): string => {
    const result = decodeTransaction(raw, rules);
    return result.ok ? 'ACCEPTED' : result.code;
  };

  test('what is empty, too large, of an unknown type or a blob', () => {
    expect(refused(new Uint8Array(0))).toBe('UNDECODABLE');
    expect(refused(new Uint8Array(MAX_TRANSACTION_BYTES + 1))).toBe('TOO_LARGE');
    expect(refused(Uint8Array.of(5, 0xc0))).toBe('UNDECODABLE');
    expect(refused(Uint8Array.of(3, 0xc0))).toBe('BLOB_REFUSED');
    expect(refused(new Uint8Array(100_000).fill(0xc1))).toBe('UNDECODABLE');
  });

  test('another chain, and a legacy transaction of no chain', async () => {
    const sign = (changes: Record<string, unknown>) =>
      signTransaction(alice, { nonce: 0, to: bob.address, ...changes });
    expect(refused(await sign({ chainId: 1 }))).toBe('WRONG_CHAIN_ID');
    expect(refused(await sign({ type: 'legacy', gasPrice: GWEI, chainId: 1 }))).toBe('WRONG_CHAIN_ID');
    expect(refused(await sign({ type: 'legacy', gasPrice: GWEI, chainId: undefined }))).toBe(
      'WRONG_CHAIN_ID',
    );
    expect(refused(await sign({ gas: (1n << 24n) + 1n }))).toBe('GAS_LIMIT');
  });

  const fieldsOf = async (changes: Record<string, unknown> = {}): Promise<Uint8Array[]> =>
    RLP.decode(
      (await signTransaction(alice, { nonce: 0, to: bob.address, ...changes })).subarray(1),
    ) as Uint8Array[];
  const typed = (fields: unknown[]): Uint8Array =>
    concatBytes(Uint8Array.of(2), RLP.encode(fields as Uint8Array[]));

  test('a high s, a signature that recovers nothing, and trailing bytes', async () => {
    const fields = await fieldsOf();
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const s = BigInt(`0x${Buffer.from(fields[11]!).toString('hex')}`);
    const high = hexToBytes(`0x${(order - s).toString(16).padStart(64, '0')}`);
    expect(refused(typed(fields.with(11, high)))).toBe('BAD_SIGNATURE');
    expect(refused(typed(fields.with(10, new Uint8Array(32).fill(0xff))))).toBe('BAD_SIGNATURE');
    expect(refused(typed(fields))).toBe('ACCEPTED');
    expect(refused(concatBytes(typed(fields), Uint8Array.of(0)))).toBe('UNDECODABLE');
  });

  test('an access list whose address is a list as long as an address', async () => {
    const fields: unknown[] = await fieldsOf();
    const address = Array.from({ length: 20 }, () => new Uint8Array(0));
    expect(refused(typed(fields.with(8, [[address, []]])))).toBe('UNDECODABLE');
    const key = Array.from({ length: 32 }, () => new Uint8Array(0));
    expect(refused(typed(fields.with(8, [[new Uint8Array(20), [key]]])))).toBe('UNDECODABLE');
  });

  test('a number with leading zeros', async () => {
    const fields = await fieldsOf();
    expect(refused(typed(fields.with(4, Uint8Array.of(0, 0x52, 0x08))))).toBe('UNDECODABLE');
  });

  test('any other bytes, without throwing', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom(0x01, 0x02, 0x04, 0xc0, 0xf8),
        (tail, first) => {
          expect(decodeTransaction(concatBytes(Uint8Array.of(first), tail), rules).ok).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('the checks', () => {
  const nobody = (): boolean => false;
  const funded = { nonce: 3n, balance: ETHER, code: 'none' as const };

  test('let through what can be executed', async () => {
    const transaction = await decode();
    expect(checkRules(transaction, rules, nobody)).toEqual({ ok: true });
    expect(checkAccount(transaction, funded)).toEqual({ ok: true });
    expect(checkAccount(transaction, { ...funded, code: 'delegation' })).toEqual({ ok: true });
  });

  test('name what is wrong with the sender', async () => {
    const transaction = await decode();
    const codeFor = (sender: object): unknown => {
      const result = checkAccount(transaction, { ...funded, ...sender });
      return result.ok ? null : result.code;
    };
    expect(codeFor({ nonce: 4n })).toBe('NONCE_TOO_LOW');
    expect(codeFor({ nonce: 2n })).toBe('NONCE_TOO_HIGH');
    expect(codeFor({ code: 'contract' })).toBe('SENDER_IS_CONTRACT');
    const cost = 100_000n * 3n * GWEI + 5n;
    expect(codeFor({ balance: cost })).toBeNull();
    expect(codeFor({ balance: cost - 1n })).toBe('INSUFFICIENT_FUNDS');
  });

  test('know delegations from contracts', () => {
    expect(senderCodeKind(new Uint8Array(0))).toBe('none');
    expect(senderCodeKind(hexToBytes(`0xef0100${'11'.repeat(20)}`))).toBe('delegation');
    expect(senderCodeKind(hexToBytes(`0xef0100${'11'.repeat(19)}`))).toBe('contract');
    expect(senderCodeKind(Uint8Array.of(0x60))).toBe('contract');
  });

  test('see an import only in a call of the gateway with its selector', async () => {
    const data = IMPORT_DEPOSITS_SELECTOR;
    expect((await decode({ to: PEG_GATEWAY, data })).isImport).toBe(true);
    expect((await decode({ to: bob.address, data })).isImport).toBe(false);
    expect((await decode({ to: PEG_GATEWAY, data: data.slice(0, 8) })).isImport).toBe(false);
  });

  test('price gas as EIP-1559 does', async () => {
    expect(effectiveGasPrice(await decode(), GWEI)).toBe(2n * GWEI);
    expect(
      effectiveGasPrice(await decode({ maxFeePerGas: (3n * GWEI) / 2n, maxPriorityFeePerGas: GWEI }), GWEI),
    ).toBe((3n * GWEI) / 2n);
    expect(effectiveGasPrice(await decode({ type: 'legacy', gasPrice: 5n * GWEI }), GWEI)).toBe(5n * GWEI);
  });
});

test('a bounded cache forgets what was used longest ago', () => {
  const cache = new BoundedCache<string, number>(2);
  cache.set('a', 1);
  cache.set('b', 2);
  expect(cache.get('a')).toBe(1);
  cache.set('c', 3);
  expect([cache.get('a'), cache.get('b'), cache.get('c'), cache.size]).toEqual([1, undefined, 3, 2]);
});
