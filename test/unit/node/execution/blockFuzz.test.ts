/**
 * Random blocks, one after another, through our executor and state and through plain @ethereumjs/vm with its own.
 *
 * Ours: decoding, checks, transfers without the interpreter, fast interpreter and precompiles, overlay, trie. The
 * library's: everything, with its defaults. Receipts, logs, gas and the state root after each block have to be equal, and
 * what we drop the library has to refuse.
 */
import { type Block, createBlock } from '@ethereumjs/block';
import { Common, Hardfork, Mainnet } from '@ethereumjs/common';
import { createTxFromRLP } from '@ethereumjs/tx';
import { Account, Address as EvmAddress } from '@ethereumjs/util';
import { createVM, type RunTxResult, runTx, type VM } from '@ethereumjs/vm';
import { bytesToHex, type Hex, hexToBytes, parseAddress } from '#consensus/primitives.ts';
import { createChainCommon } from '#node/execution/chainCommon.ts';
import { loadCryptoLibraries } from '#node/execution/cryptoLibraries.ts';
import { createMachine, type Machine } from '#node/execution/machine.ts';
import { OverlayState } from '#node/execution/overlayState.ts';
import { runTransactions } from '#node/execution/runTransactions.ts';
import { EMPTY_STATE } from '#node/execution/stateReader.ts';
import { createTransactionRules, decodeTransaction } from '#node/execution/transactionChecks.ts';
import type { ReceiptRecord } from '#node/storage/records.ts';
import { between, streamOf } from '#test/sim/streams.ts';
import { MemoryState } from '#test/spec/memoryState.ts';
import { program } from '#test/unit/node/execution/blockFuzz/programs.ts';
import {
  partyOf,
  precompile,
  randomTransaction,
  type World,
} from '#test/unit/node/execution/blockFuzz/transactions.ts';
import { exampleSpec, FEE_RECIPIENT } from '#test/unit/node/execution/exampleChain.ts';

const SEED = Number(process.env.BLOCK_SEED ?? 1);
const CHAINS = Number(process.env.BLOCK_CHAINS ?? 3);
const BLOCKS = Number(process.env.BLOCK_BLOCKS ?? 8);

const spec = exampleSpec();
const plainCommon = (): Common =>
  new Common({
    chain: { ...Mainnet, name: 'plain', chainId: spec.chainId.toString() },
    hardfork: Hardfork.Osaka,
  });

/** What both sides say of one transaction. */
type Said = {
  readonly gasUsed: bigint;
  readonly status: number;
  readonly contractAddress: string | null;
  readonly bloom: Hex;
  readonly logs: readonly unknown[];
};

const oursSays = (receipt: ReceiptRecord): Said => ({
  gasUsed: receipt.gasUsed,
  status: receipt.status,
  contractAddress: receipt.contractAddress,
  bloom: receipt.logsBloom,
  logs: receipt.logs,
});

const librarySays = (result: RunTxResult, isCreation: boolean): Said => ({
  gasUsed: result.totalGasSpent,
  status: result.execResult.exceptionError === undefined ? 1 : 0,
  contractAddress:
    isCreation && result.createdAddress !== undefined ? bytesToHex(result.createdAddress.bytes) : null,
  bloom: bytesToHex(result.bloom.bitvector),
  logs: (result.execResult.logs ?? []).map(([address, topics, data]) => ({
    address: bytesToHex(address),
    topics: topics.map(bytesToHex),
    data: bytesToHex(data),
  })),
});

class Twins {
  readonly #machine: Machine;
  readonly #plain: VM;
  readonly #committed = new MemoryState();
  readonly #rules;
  #height = 0n;

  private constructor(machine: Machine, plain: VM) {
    this.#machine = machine;
    this.#plain = plain;
    this.#rules = { ...createTransactionRules(spec, machine.common), blockGasLimit: 1_000_000_000n };
  }

  static async create(
    machine: Machine,
    accounts: readonly (readonly [Uint8Array, bigint, Uint8Array])[],
  ): Promise<Twins> {
    const { kzg, bls, bn254 } = await loadCryptoLibraries();
    const common = plainCommon();
    common.customCrypto.kzg = kzg;
    const plain = await createVM({ common, evmOpts: { bls, bn254 } });
    const twins = new Twins(machine, plain);
    const overlay = new OverlayState(EMPTY_STATE);
    for (const state of [overlay, plain.stateManager])
      for (const [address, balance, code] of accounts) {
        await state.putAccount(new EvmAddress(address), new Account(code.length > 0 ? 1n : 0n, balance));
        if (code.length > 0) await state.putCode(new EvmAddress(address), code);
      }
    twins.#committed.commit(overlay.changes());
    expect(await twins.#plainRoot()).toBe(twins.#committed.root);
    return twins;
  }

  async #plainRoot(): Promise<Hex> {
    return bytesToHex(await this.#plain.stateManager.getStateRoot());
  }

  nonceOf(address: Uint8Array): bigint {
    return this.#committed.reader.account(address)?.nonce ?? 0n;
  }

  /** @returns ours. @throws when the two differ */
  async run(raws: readonly Uint8Array[], where: string) {
    this.#height += 1n;
    const header = {
      number: this.#height,
      timestamp: 1_700_000_000n + this.#height,
      gasLimit: this.#rules.blockGasLimit,
      baseFeePerGas: this.#rules.baseFeePerGas,
      coinbase: parseAddress(FEE_RECIPIENT),
    };
    const blockOf = (common: Common): Block => createBlock({ header }, { common });
    const transactions = raws.map((raw) => {
      const result = decodeTransaction(raw, this.#rules);
      if (!result.ok) throw new Error(`${where}: ${result.code} ${result.message}`);
      return result.transaction;
    });
    this.#machine.state.reset(this.#committed.reader);
    const setting = { feeRecipient: FEE_RECIPIENT, contextAt: () => blockOf(this.#machine.common) };
    const ours = await runTransactions(this.#machine, this.#rules, setting, transactions);
    const dropped = new Map(ours.dropped.map(({ hash, code }) => [hash, code]));
    const receipts = new Map(ours.receipts.map((receipt) => [receipt.transactionHash, receipt]));
    const block = blockOf(this.#plain.common);
    for (const [index, { raw, hash, to }] of transactions.entries()) {
      const place = `${where}, transaction ${index} ${bytesToHex(raw)}`;
      const tx = createTxFromRLP(raw, { common: this.#plain.common, allowUnlimitedInitCodeSize: true });
      const options = { tx, block, skipHardForkValidation: true, skipBlockGasLimitValidation: true };
      if (dropped.has(hash)) {
        const verdict = await runTx(this.#plain, options).then(
          () => 'taken',
          () => 'refused',
        );
        expect([place, dropped.get(hash), verdict]).toEqual([place, dropped.get(hash), 'refused']);
        continue;
      }
      const library = librarySays(await runTx(this.#plain, options), to === null);
      expect([place, oursSays(receipts.get(hash)!)]).toEqual([place, library]);
    }
    const root = this.#committed.commit(this.#machine.state.changes());
    expect([where, root]).toEqual([where, await this.#plainRoot()]);
    return ours;
  }
}

test(`random blocks leave what plain @ethereumjs/vm leaves (BLOCK_SEED=${SEED} BLOCK_CHAINS=${CHAINS} BLOCK_BLOCKS=${BLOCKS})`, async () => {
  const libraries = await loadCryptoLibraries();
  const machine = await createMachine(createChainCommon(spec.chainId, libraries.kzg), libraries, () => null);
  const totals = { included: 0, dropped: 0, failed: 0, created: 0, logs: 0 };
  for (let chain = 0; chain < CHAINS; chain++) {
    const random = streamOf(SEED, `chain ${chain}`);
    const parties = Array.from({ length: 6 }, (_, index) => partyOf(`party ${index}`));
    const contracts: Uint8Array[] = Array.from({ length: 5 }, (_, index) =>
      new Uint8Array(20).fill(0xc0 + index),
    );
    const others = [
      ...parties.map(({ address }) => address),
      ...[1, 2, 3, 4, 5, 9, 0x0b, 0x100, 0x1234].map(precompile),
      partyOf('nobody').address,
      new Uint8Array(20),
      hexToBytes(FEE_RECIPIENT),
    ];
    const nothing = new Uint8Array(0);
    const inPrograms = [...others, ...contracts, ...contracts, ...contracts];
    const twins = await Twins.create(machine, [
      ...parties.map(
        ({ address }, index) => [address, index === 5 ? 10n ** 14n : 10n ** 20n, nothing] as const,
      ),
      ...contracts.map(
        (address) => [address, BigInt(between(random, 0, 5_000)), program(random, inPrograms)] as const,
      ),
    ]);
    const world: World = { common: machine.common, parties, contracts, others, nonces: new Map() };
    for (let block = 0; block < BLOCKS; block++) {
      for (const party of parties) world.nonces.set(party, twins.nonceOf(party.address));
      const raws = Array.from({ length: between(random, 1, 20) }, () => randomTransaction(random, world));
      const { receipts, dropped } = await twins.run(
        raws,
        `BLOCK_SEED=${SEED}, chain ${chain}, block ${block}`,
      );
      totals.included += receipts.length;
      totals.dropped += dropped.length;
      for (const { status, contractAddress, logs } of receipts) {
        if (status === 0) totals.failed++;
        else if (contractAddress !== null) totals.created++;
        totals.logs += logs.length;
        if (contractAddress !== null && random() < 0.5) contracts.push(hexToBytes(contractAddress));
      }
      // Old ones go, so that the rest meet.
      contracts.splice(0, Math.max(0, contracts.length - 8));
    }
  }
  // A fuzzer whose transactions are all refused finds nothing.
  if (CHAINS * BLOCKS >= 24)
    for (const [what, count] of Object.entries(totals)) expect([what, count > 0]).toEqual([what, true]);
  expect(totals.included).toBeGreaterThan(totals.dropped);
}, 900_000);
