import { EVM } from '@ethereumjs/evm';
import { createMPT } from '@ethereumjs/mpt';
import { RLP } from '@ethereumjs/rlp';
import { hexToBigInt, keccak256, toHex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { keccak256 as hash } from '#consensus/crypto/keccak.ts';
import { type Address, type Hash, hexToBytes } from '#consensus/primitives.ts';
import type { Payload } from '#consensus/types.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import { PREDEPLOY_CODE } from '#genesis/predeployCode.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import type { Genesis } from '#genesis/spec.ts';
import { validatorListEntries } from '#genesis/validatorSetSlots.ts';
import { BlockExecutor, type Committed } from '#node/execution/blockExecutor.ts';
import { computeGenesisRoot } from '#node/execution/genesisState.ts';
import { IMPORT_DEPOSITS_SIGNATURE } from '#node/execution/importTransaction.ts';
import { decodeHeader, encodeHeader, hashHeader } from '#node/storage/headerCodec.ts';
import type { ReceiptRecord } from '#node/storage/records.ts';
import { COUNTER, deploying, REVERTER } from '#test/unit/node/execution/contracts.ts';
import {
  exampleGenesis,
  FEE_RECIPIENT,
  GWEI,
  RELAYER_KEYS,
  requireValid,
  sealValue,
  signTransaction,
  temporaryFolder,
  USERS,
  type User,
} from '#test/unit/node/execution/exampleChain.ts';

const [alice, bob, carol] = USERS as [User, User, User];
const [relayerAddress, relayerKey] = [...RELAYER_KEYS][0] as [Address, Uint8Array];
const relayer: User = {
  key: relayerKey,
  address: relayerAddress,
  account: privateKeyToAccount(toHex(relayerKey)),
};
const SELECTOR = keccak256(toHex(IMPORT_DEPOSITS_SIGNATURE)).slice(0, 10);
const importFrom = (user: User, changes: Record<string, unknown> = {}): Promise<Uint8Array> =>
  signTransaction(user, {
    nonce: 0,
    to: PEG_GATEWAY,
    data: SELECTOR,
    gas: 1_000_000n,
    maxFeePerGas: 0n,
    maxPriorityFeePerGas: 0n,
    ...changes,
  });

describe('a block executor', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let genesis: Genesis;
  let executor: BlockExecutor;

  const open = async (given: Genesis): Promise<void> => {
    genesis = given;
    folder = await temporaryFolder();
    executor = await BlockExecutor.open({ dataDir: folder.path, genesis });
  };
  beforeEach(async () => open(await exampleGenesis()));
  afterEach(async () => {
    await executor.close();
    await folder.remove();
  });

  const payload = (transactions: readonly Uint8Array[], changes: Partial<Payload> = {}): Payload => {
    const { block } = executor.head();
    return {
      parentHash: block.hash,
      timestamp: block.timestamp + 1n,
      feeRecipient: FEE_RECIPIENT,
      transactions,
      ...changes,
    };
  };
  const commit = async (transactions: readonly Uint8Array[]): Promise<Committed> => {
    const { valueId, checkpoint } = requireValid(await executor.derive(payload(transactions)));
    return executor.commit(valueId, sealValue(genesis, checkpoint.height, valueId));
  };
  const transfer = (user: User, nonce: number, changes: Record<string, unknown> = {}) =>
    signTransaction(user, { nonce, to: carol.address, value: 1n, gas: 21_000n, ...changes });
  const droppedCodes = async (transactions: readonly Uint8Array[]): Promise<string[]> =>
    requireValid(await executor.derive(payload(transactions))).dropped.map(({ code }) => code);

  test('computes the same genesis root as the genesis itself', async () => {
    expect(await computeGenesisRoot(genesis.accounts)).toBe(genesis.stateRoot);
  });

  test('derives one block, whatever the clock, the order of the locale and what was derived before (RULES 1)', async () => {
    // One transaction creates three contracts that destroy themselves, which the EVM library sorts by locale.
    const create = '6002601e5ff050';
    const data = `0x6130ff5f52${create.repeat(3)}00` as const;
    const destroying = payload([
      await signTransaction(alice, { nonce: 0, data, gas: 1_000_000n }),
      await transfer(bob, 0),
    ]);
    const { valueId, receiptHashes } = requireValid(await executor.derive(destroying));
    const otherFolder = await temporaryFolder();
    const other = await BlockExecutor.open({ dataDir: otherFolder.path, genesis });
    const { localeCompare } = String.prototype;
    const { now } = Date;
    let isAsked = false;
    try {
      String.prototype.localeCompare = function (that: string): number {
        isAsked = true;
        return -localeCompare.call(this, that);
      };
      Date.now = () => 0;
      requireValid(await other.derive(payload([await transfer(alice, 0), await transfer(bob, 0)])));
      expect(requireValid(await other.derive(destroying))).toMatchObject({ valueId, receiptHashes });
    } finally {
      String.prototype.localeCompare = localeCompare;
      Date.now = now;
      await other.close();
      await otherFolder.remove();
    }
    expect(isAsked).toBe(true);
  });

  test('an exception out of the EVM is no drop: nothing is derived any more, and nothing is left behind (RULES 3)', async () => {
    const { runCall } = EVM.prototype;
    const call = (user: User) => signTransaction(user, { nonce: 0, to: carol.address, data: '0x01' });
    const both = payload([await call(alice), await call(bob)]);
    const { valueId } = requireValid(await executor.derive(both));
    const another = payload([await call(alice), await call(bob)], {
      timestamp: both.timestamp + 1n,
    });
    let calls = 0;
    EVM.prototype.runCall = function (options) {
      if (++calls === 2) throw new Error('kzg not initialized');
      return runCall.call(this, options);
    };
    try {
      await expect(executor.derive(another)).rejects.toMatchObject({
        code: 'EXECUTION_FAULT',
        fatal: true,
        message: expect.stringMatching(/kzg not initialized/),
      });
    } finally {
      EVM.prototype.runCall = runCall;
    }
    await expect(executor.derive(both)).rejects.toMatchObject({ code: 'EXECUTION_FAULT' });
    await executor.close();
    executor = await BlockExecutor.open({ dataDir: folder.path, genesis });
    expect(executor.head().block.height).toBe(0n);
    expect(requireValid(await executor.derive(both))).toMatchObject({ valueId, dropped: [] });
  });

  describe('calls a payload invalid (RULES 2)', () => {
    test.each<[string, () => Promise<Payload> | Payload, string]>([
      [
        'on another parent',
        () => payload([], { parentHash: `0x${'ab'.repeat(32)}` as Hash }),
        'WRONG_PARENT',
      ],
      ['before its parent', () => payload([], { timestamp: genesis.spec.timestamp - 1n }), 'BAD_TIMESTAMP'],
      [
        'with a duplicate',
        async () => {
          const raw = await transfer(alice, 0);
          return payload([raw, raw]);
        },
        'DUPLICATE',
      ],
      ['with bytes that are no transaction', () => payload([Uint8Array.of(1, 2, 3)]), 'UNDECODABLE'],
      ['with a blob transaction', () => payload([Uint8Array.of(3, 0xc0)]), 'BLOB_REFUSED'],
      [
        'with a transaction of another chain',
        async () => payload([await transfer(alice, 0, { chainId: 1 })]),
        'WRONG_CHAIN_ID',
      ],
      [
        'with a transaction over 2^24 gas',
        async () => payload([await transfer(alice, 0, { gas: 2n ** 24n + 1n })]),
        'GAS_LIMIT',
      ],
      [
        'with more than blockGasLimit / 21000 transactions',
        () => payload(Array.from({ length: 1_429 }, () => Uint8Array.of(1))),
        'TOO_MANY_TRANSACTIONS',
      ],
      [
        'over 2 MiB',
        () => payload(Array.from({ length: 17 }, () => new Uint8Array(128 * 1024).fill(2))),
        'TOO_LARGE',
      ],
    ])('%s', async (_name, build, code) => {
      expect(await executor.derive(await build())).toMatchObject({ valid: false, code });
    });
  });

  describe('drops a transaction (RULES 2)', () => {
    test.each<[string, () => Promise<Uint8Array>, string]>([
      ['with a nonce too high', () => transfer(alice, 1), 'NONCE_TOO_HIGH'],
      ['its sender cannot pay for', () => transfer(alice, 0, { value: 10n ** 21n }), 'INSUFFICIENT_FUNDS'],
      [
        'below the base fee',
        () => transfer(alice, 0, { maxFeePerGas: GWEI - 1n, maxPriorityFeePerGas: 0n }),
        'UNDERPRICED',
      ],
      ['below the intrinsic gas', () => transfer(alice, 0, { gas: 20_999n }), 'INTRINSIC_GAS'],
      [
        "below EIP-7623's floor",
        () => transfer(alice, 0, { gas: 21_000n + 16n * 1_000n, data: `0x${'ff'.repeat(1_000)}` }),
        'INTRINSIC_GAS',
      ],
      [
        'with init code over the limit',
        () => transfer(alice, 0, { to: undefined, gas: 3_000_000n, data: `0x${'00'.repeat(49_153)}` }),
        'TOO_LARGE',
      ],
      [
        'that calls importDeposits and pays for it',
        () => importFrom(alice, { maxFeePerGas: GWEI }),
        'NOT_PERMITTED',
      ],
      ['that imports but is from no relayer', () => importFrom(alice), 'NOT_PERMITTED'],
      ['that imports with more than importGas', () => importFrom(relayer, { gas: 12_000_001n }), 'GAS_LIMIT'],
    ])('%s', async (_name, build, code) => {
      expect(await droppedCodes([await build()])).toEqual([code]);
    });

    test('that its block has no gas left for, and takes the next that fits', async () => {
      const data = `0x${'00'.repeat(32)}fe`; // init code that burns all its gas
      const burning = await signTransaction(alice, {
        nonce: 0,
        data,
        gas: 16_000_000n,
        to: PREDEPLOYS.deterministicDeployer,
      });
      const tooMuch = await transfer(bob, 0, { gas: 15_000_000n });
      const fits = await transfer(bob, 0, { gas: 14_000_000n });
      const found = requireValid(await executor.derive(payload([burning, tooMuch, fits])));
      expect(found.dropped.map(({ code }) => code)).toEqual(['NO_GAS_LEFT']);
      expect(found.included).toBe(2);
    });

    test('whose sender has code (EIP-3607)', async () => {
      const code = [...PREDEPLOY_CODE, { address: alice.address, code: Uint8Array.of(0x00) }];
      await executor.close();
      await folder.remove();
      const given = await exampleGenesis(
        { balances: [{ address: bob.address, amountWei: 10n ** 20n }] },
        code,
      );
      await open(given);
      expect(await droppedCodes([await transfer(alice, 0)])).toEqual(['SENDER_IS_CONTRACT']);
    });
  });

  test('includes an import first, at base fee 0, and one that reverts with status 0', async () => {
    const raws = [await importFrom(relayer), await transfer(alice, 0)];
    const derivation = requireValid(await executor.derive(payload(raws)));
    expect(derivation).toMatchObject({
      carriesImport: true,
      imports: false,
      gasLimitSum: 21_000n,
      included: 2,
    });
    const { block, receipts } = await commit(raws);
    expect(receipts[0]).toMatchObject({ status: 0, effectiveGasPrice: 0n, from: relayer.address });
    expect(receipts[1]).toMatchObject({ status: 1, effectiveGasPrice: 2n * GWEI });
    expect(block.gasUsed).toBe((receipts[0]?.gasUsed ?? 0n) + 21_000n);
    expect(block.gasUsed).toBeLessThanOrEqual(block.gasLimit);
  });

  test('drops an import that is not first, and a second one', async () => {
    expect(await droppedCodes([await transfer(alice, 0), await importFrom(relayer)])).toEqual([
      'IMPORT_NOT_FIRST',
    ]);
    expect(await droppedCodes([await importFrom(relayer), await importFrom(relayer, { nonce: 1 })])).toEqual([
      'IMPORT_NOT_FIRST',
    ]);
  });

  test('gives tips to the fee recipient and base fees of ordinary gas to the treasury (RULES 7)', async () => {
    await commit([await importFrom(relayer), await transfer(alice, 0), await transfer(bob, 0)]);
    expect(await executor.balanceOf(PREDEPLOYS.treasury)).toBe(2n * 21_000n * GWEI);
    expect(await executor.balanceOf(FEE_RECIPIENT)).toBe(2n * 21_000n * GWEI);
  });

  test('computes receipts root, transactions root and bloom that independent code agrees with', async () => {
    const { block, receipts } = await commit([
      await signTransaction(alice, { nonce: 0, data: deploying(COUNTER) }),
      await transfer(bob, 0, { type: 'legacy', gasPrice: 2n * GWEI }),
      await signTransaction(carol, { nonce: 0, data: REVERTER }),
    ]);
    const target = receipts[0]?.contractAddress as Address;
    const second = await commit([
      await signTransaction(alice, { nonce: 1, to: target }),
      await signTransaction(alice, {
        nonce: 2,
        to: target,
        type: 'eip2930',
        gasPrice: 2n * GWEI,
        accessList: [],
      }),
    ]);
    expect(second.receipts.map(({ logs }) => logs.length)).toEqual([1, 1]);
    expect(second.receipts[1]?.cumulativeGasUsed).toBe(second.block.gasUsed);
    expect(receipts.map(({ status }) => status)).toEqual([1, 1, 0]);
    for (const committed of [{ block, receipts }, second]) await expectStandardRoots(committed);
  });

  describe('at the end of an epoch (RULES 20)', () => {
    const setPending = (power: bigint, broken = false): Genesis['accounts'] => {
      const changed = genesis.validators.validators.map((validator) => ({ ...validator, power }));
      const entries = validatorListEntries('pending', broken ? [...changed].reverse() : changed);
      return genesis.accounts.map((account) =>
        account.address === PREDEPLOYS.validatorSet
          ? {
              ...account,
              storage: [
                ...account.storage.filter(([slot]) => !entries.some(([s]) => s === slot)),
                ...entries,
              ],
            }
          : account,
      );
    };
    const reopenWith = async (accounts: Genesis['accounts']): Promise<void> => {
      await executor.close();
      await folder.remove();
      const stateRoot = await computeGenesisRoot(accounts);
      const header = decodeHeader(genesis.header);
      const encoded = encodeHeader({ ...header, stateRoot });
      await open({ ...genesis, accounts, stateRoot, header: encoded, genesisHash: hashHeader(encoded) });
    };

    test('the pending set becomes the one that votes next, and not before', async () => {
      await reopenWith(setPending(7n));
      const expected = createValidatorSet(
        genesis.validators.validators.map((validator) => ({ ...validator, power: 7n })),
      );
      for (let height = 1; height < 5; height++)
        expect((await commit([])).nextValidators.hash).toBe(genesis.validators.hash);
      const boundary = await commit([]);
      expect(boundary.block.height).toBe(5n);
      expect(boundary.nextValidators.hash).toBe(expected.hash);
      expect(boundary.block.checkpoint.nextValidatorsHash).toBe(expected.hash);
      expect(decodeHeader(boundary.block.header).nextValidatorsHash).toBe(expected.hash);
      expect((await commit([])).nextValidators.hash).toBe(expected.hash);
    });

    test('an unreadable pending set changes nothing', async () => {
      await reopenWith(setPending(7n, true));
      for (let height = 1; height <= 5; height++)
        expect((await commit([])).nextValidators.hash).toBe(genesis.validators.hash);
    });
  });

  test('derives the stripped payload to the same block (random payloads, RULES 2)', async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
    const random = seededRandom(seed);
    for (let run = 0; run < 12; run++) {
      const raws: Uint8Array[] = [];
      for (let i = 0; i < 12; i++) raws.push(await randomTransaction(random, i));
      const distinct = raws.filter(
        (raw, at) => raws.findIndex((other) => toHex(other) === toHex(raw)) === at,
      );
      const whole = requireValid(await executor.derive(payload(distinct)));
      const gone = new Set(whole.dropped.map((dropped) => dropped.hash));
      const kept = distinct.filter((raw) => !gone.has(keccak256(raw) as Hash));
      const stripped = requireValid(await executor.derive(payload(kept)));
      const context = `SEED=${seed} run ${run}`;
      expect([context, stripped.valueId, stripped.dropped]).toEqual([context, whole.valueId, []]);
    }
  });
});

const seededRandom = (seed: number): ((bound: number) => number) => {
  let state = seed;
  return (bound) => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return state % bound;
  };
};

const randomTransaction = async (random: (bound: number) => number, index: number): Promise<Uint8Array> => {
  if (index < 2 && random(3) === 0)
    return importFrom(random(2) === 0 ? relayer : alice, { nonce: random(2) });
  const user = USERS[random(3)] as User;
  const kinds: Record<string, unknown>[] = [
    { to: bob.address, value: BigInt(random(3)) * 40n * 10n ** 18n, gas: BigInt(20_000 + random(3) * 1_000) },
    { data: deploying(COUNTER), gas: BigInt(60_000 + random(5) * 2_000_000) },
    { data: '0xfe', gas: BigInt(1_000_000 * (1 + random(14))) },
    { to: bob.address, maxFeePerGas: BigInt(random(3)) * GWEI, maxPriorityFeePerGas: 0n, gas: 30_000n },
  ];
  return signTransaction(user, { nonce: random(4), ...kinds[random(kinds.length)] });
};

/** With the trie library and this file's own encoding. */
const expectStandardRoots = async ({
  block,
  receipts,
}: Pick<Committed, 'block' | 'receipts'>): Promise<void> => {
  const header = decodeHeader(block.header);
  const root = async (values: readonly Uint8Array[]): Promise<string> => {
    const trie = await createMPT({ useKeyHashingFunction: hash });
    for (const [index, value] of values.entries()) await trie.put(RLP.encode(index), value);
    return toHex(trie.root());
  };
  const minimal = (value: bigint): Uint8Array =>
    value === 0n ? new Uint8Array(0) : hexToBytes(`0x${evenHex(value)}`);
  const encode = (receipt: ReceiptRecord): Uint8Array => {
    const body = RLP.encode([
      minimal(BigInt(receipt.status)),
      minimal(receipt.cumulativeGasUsed),
      hexToBytes(receipt.logsBloom),
      receipt.logs.map((log) => [hexToBytes(log.address), log.topics.map(hexToBytes), hexToBytes(log.data)]),
    ]);
    return receipt.type === 0 ? body : Uint8Array.of(receipt.type, ...body);
  };
  expect(header.receiptsRoot).toBe(await root(receipts.map(encode)));
  expect(header.transactionsRoot).toBe(await root(block.transactions));
  let bloom = 0n;
  for (const { logs } of receipts)
    for (const { address, topics } of logs)
      for (const value of [address, ...topics]) {
        const digest = hexToBytes(keccak256(value) as Hash);
        for (const at of [0, 2, 4]) bloom |= 1n << BigInt(((digest[at]! << 8) | digest[at + 1]!) & 2047);
      }
  expect(hexToBigInt(header.logsBloom)).toBe(bloom);
};

const evenHex = (value: bigint): string => {
  const hex = value.toString(16);
  return hex.length % 2 === 0 ? hex : `0${hex}`;
};
