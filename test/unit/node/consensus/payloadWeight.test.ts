import { createTx } from '@ethereumjs/tx';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { hexToBytes } from '#consensus/primitives.ts';
import { findRoundFault, weighPayload } from '#node/consensus/payloadWeight.ts';
import { encodeRlp } from '#node/consensus/rlp.ts';
import { createChainCommon } from '#node/execution/chainCommon.ts';
import { IMPORT_DEPOSITS_SELECTOR } from '#node/execution/importTransaction.ts';
import { createTransactionRules, decodeTransaction } from '#node/execution/transactionChecks.ts';
import { PAYLOAD } from '#test/sim/cluster/samples.ts';

const CHAIN_ID = 42_424n;
const common = createChainCommon(CHAIN_ID);
const RULES = createTransactionRules(
  {
    chainId: CHAIN_ID,
    feePolicy: { mode: 'free', baseFeeWei: 0n },
    blockGasLimit: 30_000_000n,
    importGas: 9n,
  } as never,
  common,
);
const KEY = new Uint8Array(32).fill(7);
const ADDRESS = `0x${'11'.repeat(20)}`;
const signed = (fields: Record<string, unknown>): Uint8Array =>
  createTx({ gasPrice: 1n, to: ADDRESS, ...fields } as never, { common })
    .sign(KEY)
    .serialize();
const typed = (type: number, fields: Record<string, unknown> = {}): Uint8Array =>
  createTx(
    {
      type,
      chainId: CHAIN_ID,
      to: ADDRESS,
      gasLimit: 77_777n,
      ...(type === 1 ? { gasPrice: 1n } : { maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }),
      accessList: [{ address: ADDRESS, storageKeys: [`0x${'22'.repeat(32)}`] }],
      ...fields,
    } as never,
    { common },
  )
    .sign(KEY)
    .serialize();
const AUTHORIZATION = {
  chainId: '0x0',
  address: ADDRESS,
  nonce: '0x0',
  yParity: '0x1',
  r: `0x${'33'.repeat(32)}`,
  s: `0x${'34'.repeat(32)}`,
};
const weigh = (...transactions: Uint8Array[]) => weighPayload({ ...PAYLOAD, transactions });

test('gas limits are read as the derivation reads them, for every type, without the import', () => {
  const data = hexToBytes(`${IMPORT_DEPOSITS_SELECTOR}00`);
  const transactions = [
    signed({ gasLimit: 21_000n }),
    signed({ gasLimit: 16_777_216n, to: undefined, data: Uint8Array.of(0) }),
    typed(1),
    typed(2),
    typed(4, { authorizationList: [AUTHORIZATION] }),
    typed(2, { to: PEG_GATEWAY, data }),
  ];
  const decoded = transactions.map((raw) => {
    const result = decodeTransaction(raw, RULES);
    if (!result.ok) throw new Error(result.message);
    return result.transaction;
  });
  const gasLimitSum = decoded.reduce((sum, tx) => (tx.isImport ? sum : sum + tx.gasLimit), 0n);
  expect(decoded.at(-1)!.isImport).toBe(true);
  expect(weigh(...transactions)).toEqual({ gasLimitSum, carriesImport: true });
  expect(weigh(...transactions.slice(0, -1))).toEqual({ gasLimitSum, carriesImport: false });
});

test('bytes that are no transaction have no weight, and never throw', () => {
  const fields = (gas: Uint8Array, to: Uint8Array) =>
    encodeRlp([new Uint8Array(0), new Uint8Array(0), gas, to, new Uint8Array(0), new Uint8Array(0)]);
  const undecodable = [
    new Uint8Array(0),
    Uint8Array.of(0),
    Uint8Array.of(3, 0xc0),
    Uint8Array.of(2, 0xc0),
    Uint8Array.of(2),
    Uint8Array.of(0xf8, 0xff),
    fields(new Uint8Array(9).fill(1), new Uint8Array(20)),
    fields(Uint8Array.of(1), new Uint8Array(19)),
  ];
  for (const raw of undecodable) expect(weigh(signed({ gasLimit: 21_000n }), raw)).toBeNull();
  expect(weigh(fields(Uint8Array.of(1), new Uint8Array(20)))).toEqual({
    gasLimitSum: 1n,
    carriesImport: false,
  });
});

test('a round after 0 takes half the gas of the one before, and no import', () => {
  const weight = { gasLimitSum: 15_000_001n, carriesImport: false };
  expect(findRoundFault(weight, 0, 30_000_000n)).toBeNull();
  expect(findRoundFault(weight, 1, 30_000_000n)).toMatch(/at most 15000000 gas in round 1, found .*15000001/);
  expect(findRoundFault({ gasLimitSum: 0n, carriesImport: true }, 0, 30_000_000n)).toBeNull();
  expect(findRoundFault({ gasLimitSum: 0n, carriesImport: true }, 1, 30_000_000n)).toMatch(/import/);
});
