import { createBlock } from '@ethereumjs/block';
import { Account, Address as EvmAddress, KECCAK256_RLP } from '@ethereumjs/util';
import { runTx } from '@ethereumjs/vm';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { type Address, hexToBytes } from '#consensus/primitives.ts';
import { createChainCommon } from '#node/execution/chainCommon.ts';
import { loadCryptoLibraries } from '#node/execution/cryptoLibraries.ts';
import { createMachine, type Machine } from '#node/execution/machine.ts';
import type { OverlayState } from '#node/execution/overlayState.ts';
import { runPlainTransfer, TRANSFER_GAS } from '#node/execution/plainTransfer.ts';
import { decodeQuickly } from '#node/execution/quickDecoding.ts';
import { EMPTY_STATE } from '#node/execution/stateReader.ts';
import { computeStateUpdate } from '#node/execution/stateTrie.ts';
import { createTransactionRules } from '#node/execution/transactionChecks.ts';
import { NO_NODES } from '#node/execution/trieNodes.ts';
import { streamOf } from '#test/sim/streams.ts';
import {
  exampleSpec,
  FEE_RECIPIENT,
  GWEI,
  signTransaction,
  USERS,
} from '#test/unit/node/execution/exampleChain.ts';

const SEED = Number(process.env.TRANSFER_SEED ?? 1);
const RUNS = Number(process.env.TRANSFER_RUNS ?? 150);
const spec = exampleSpec();
const CONTRACT = `0x${'c0'.repeat(20)}` as Address;
const DELEGATED = `0x${'d7'.repeat(20)}` as Address;
const NOBODY = `0x${'99'.repeat(20)}` as Address;
const precompile = (number: number) => `0x${number.toString(16).padStart(40, '0')}` as Address;

let machine: Machine;
beforeAll(async () => {
  const libraries = await loadCryptoLibraries();
  machine = await createMachine(createChainCommon(spec.chainId, libraries.kzg), libraries, () => null);
});

type Setting = {
  readonly balances: ReadonlyMap<Address, bigint>;
  readonly to: Address;
  readonly from: (typeof USERS)[number];
  readonly feeRecipient: Address;
  readonly valueWei: bigint;
  readonly tip: bigint;
  readonly baseFee: bigint;
};

const prepare = async (state: OverlayState, { balances }: Setting): Promise<void> => {
  state.reset(EMPTY_STATE);
  const at = (address: Address): EvmAddress => new EvmAddress(hexToBytes(address));
  for (const [address, balance] of balances) await state.putAccount(at(address), new Account(0n, balance));
  await state.putAccount(at(CONTRACT), new Account(1n, 0n));
  await state.putCode(at(CONTRACT), hexToBytes('0x6001600055'));
  await state.putAccount(at(DELEGATED), new Account(1n, 0n));
  await state.putCode(at(DELEGATED), hexToBytes(`0xef0100${'c0'.repeat(20)}`));
};

const rootOf = (state: OverlayState): string =>
  computeStateUpdate(state.changes(), NO_NODES, KECCAK256_RLP).stateRoot;

const decode = async ({ from, to, valueWei, tip, baseFee }: Setting) => {
  const raw = await signTransaction(from, {
    nonce: 0,
    to,
    value: valueWei,
    gas: 60_000n,
    maxFeePerGas: baseFee + tip,
    maxPriorityFeePerGas: tip,
  });
  const decoded = decodeQuickly(
    raw,
    keccak256Hex(raw),
    createTransactionRules(spec, machine.vm.common as never),
    null,
  );
  if (decoded === null) throw new Error('expected a plain call');
  return decoded;
};

test(`a transfer leaves the state that runTx leaves (TRANSFER_SEED=${SEED} TRANSFER_RUNS=${RUNS})`, async () => {
  const random = streamOf(SEED, 'transfers');
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  let carriedOut = 0;
  for (let run = 0; run < RUNS; run++) {
    const from = pick(USERS);
    const setting: Setting = {
      from,
      balances: new Map(
        USERS.flatMap(({ address }) =>
          address === from.address || random() < 0.5
            ? [[address, BigInt(Math.floor(random() * 1e6)) + 10n ** 18n]]
            : [],
        ),
      ),
      to: pick([
        ...USERS.map(({ address }) => address),
        NOBODY,
        FEE_RECIPIENT,
        CONTRACT,
        DELEGATED,
        precompile(1),
        precompile(4),
        precompile(0x100),
        precompile(0x1234),
      ]),
      feeRecipient: pick([FEE_RECIPIENT, from.address, NOBODY, CONTRACT, USERS[0]!.address]),
      valueWei: pick([0n, 1n, BigInt(Math.floor(random() * 1e15))]),
      tip: pick([0n, 1n, GWEI]),
      baseFee: pick([0n, 7n, GWEI]),
    };
    const transaction = await decode(setting);
    const where = `run ${run}: ${transaction.to}, fees to ${setting.feeRecipient}, ${setting.valueWei} wei, tip ${setting.tip}`;
    const context = { feeRecipient: setting.feeRecipient, baseFeePerGas: setting.baseFee };
    await prepare(machine.state, setting);
    const before = rootOf(machine.state);
    const isDone = runPlainTransfer(machine.state, transaction, context);
    const quick = rootOf(machine.state);
    const hasCode = [CONTRACT, DELEGATED].includes(transaction.to!);
    expect([where, isDone]).toEqual([where, !hasCode && !transaction.to!.startsWith(`0x${'0'.repeat(36)}`)]);
    if (!isDone) {
      expect([where, quick]).toEqual([where, before]);
      continue;
    }
    carriedOut++;
    await prepare(machine.state, setting);
    const result = await runTx(machine.vm, {
      tx: transaction.tx,
      block: createBlock(
        {
          header: {
            number: 1n,
            gasLimit: 30_000_000n,
            baseFeePerGas: setting.baseFee,
            coinbase: new EvmAddress(hexToBytes(setting.feeRecipient)),
          },
        },
        { common: machine.vm.common },
      ),
      blockGasUsed: 0n,
      skipHardForkValidation: true,
      skipBlockGasLimitValidation: true,
    });
    expect([
      where,
      result.totalGasSpent,
      result.execResult.exceptionError,
      result.execResult.logs ?? [],
    ]).toEqual([where, TRANSFER_GAS, undefined, []]);
    expect([where, rootOf(machine.state)]).toEqual([where, quick]);
  }
  expect(carriedOut).toBeGreaterThan(RUNS / 4);
});

test('a balance that would overflow goes the long way', async () => {
  const setting: Setting = {
    from: USERS[0]!,
    balances: new Map([
      [USERS[0]!.address, 10n ** 18n],
      [NOBODY, (1n << 256n) - 1n],
    ]),
    to: NOBODY,
    feeRecipient: FEE_RECIPIENT,
    valueWei: 1n,
    tip: 0n,
    baseFee: GWEI,
  };
  await prepare(machine.state, setting);
  const context = { feeRecipient: FEE_RECIPIENT, baseFeePerGas: GWEI };
  expect(runPlainTransfer(machine.state, await decode(setting), context)).toBe(false);
});

test.each(['to', 'feeRecipient'] as const)(
  'an empty account that exists goes the long way (%s)',
  async (role) => {
    const setting: Setting = {
      from: USERS[0]!,
      balances: new Map([
        [USERS[0]!.address, 10n ** 18n],
        [NOBODY, 0n],
      ]),
      to: USERS[1]!.address,
      feeRecipient: FEE_RECIPIENT,
      valueWei: 0n,
      tip: 0n,
      baseFee: GWEI,
      [role]: NOBODY,
    };
    await prepare(machine.state, setting);
    const at = new EvmAddress(hexToBytes(NOBODY));
    await machine.state.putStorage(at, new Uint8Array(32).fill(1), Uint8Array.of(1));
    const before = rootOf(machine.state);
    const context = { feeRecipient: setting.feeRecipient, baseFeePerGas: GWEI };
    expect(runPlainTransfer(machine.state, await decode(setting), context)).toBe(false);
    expect(rootOf(machine.state)).toBe(before);
  },
);
