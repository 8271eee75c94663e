import { readFileSync } from 'node:fs';
import { getContractAddress } from 'viem';
import { DEFAULT_TIMEOUTS } from '#consensus/timeouts.ts';
import { createChainCommon } from '#node/execution/chainCommon.ts';
import { loadCryptoLibraries } from '#node/execution/cryptoLibraries.ts';
import { createMachine } from '#node/execution/machine.ts';
import { OPERATIONS, runtimeOf } from '#test/perf/worstCaseOperations.ts';
import { BLOCK_GAS, FLOOR_MGAS, toMarkdown, type WorstCase } from '#test/perf/worstCaseTable.ts';
import { deploying } from './contracts.ts';
import { GOVERNORS, signTransaction, USERS, type User } from './exampleChain.ts';
import { genesisOf, SetCluster, setKeys } from './setCluster.ts';

const folder = new URL('../../../perf/', import.meta.url);
const table: WorstCase = JSON.parse(readFileSync(new URL('worstCase.json', folder), 'utf8'));

describe('the worst-case table (RULES 4)', () => {
  test('has a row for every operation that is measured, and the page shows it', () => {
    expect(table.rows.map(({ name }) => name).sort()).toEqual(OPERATIONS.map(({ name }) => name).sort());
    expect(readFileSync(new URL('worstCase.md', folder), 'utf8')).toBe(toMarkdown(table));
  });

  test('names every opcode and precompile of the fork', async () => {
    const libraries = await loadCryptoLibraries();
    const machine = await createMachine(createChainCommon(1n, libraries.kzg), libraries, () => null);
    const { precompiles, opcodes } = machine.vm.evm as unknown as {
      readonly precompiles: ReadonlyMap<string, unknown>;
      readonly opcodes: ReadonlyMap<number, { readonly name: string }>;
    };
    const words = new Set(table.rows.flatMap(({ name }) => name.split(/[^A-Za-z0-9]+/)));
    const families = new Set([...words].map((word) => word.replace(/^(PUSH|DUP|SWAP|LOG)\d+$/, '$1')));
    const missing = [
      ...[...opcodes.values()]
        .map(({ name }) => name)
        .filter((name) => !families.has(name) && !words.has(name)),
      ...[...precompiles.keys()]
        .map((key) => `0x${key.replace(/^0+/, '').padStart(2, '0')}`)
        .filter((address) => !words.has(address)),
    ];
    expect(missing).toEqual([]);
  });

  test('has nothing below its floor, and a full block of the slowest ends while timeoutPropose is suspended', () => {
    expect(table.rows.filter(({ mgasPerSecond }) => mgasPerSecond < FLOOR_MGAS)).toEqual([]);
    // roundTimers.ts: 2E, with E a third of the cap.
    expect(table.slowestBlockMs).toBeLessThanOrEqual((2 * DEFAULT_TIMEOUTS.capMs) / 3);
  });
});

/** What the cluster's pool counts with. */
const TRANSACTION_GAS = 600_000n;
const SLOW = ['0x0a pointEvaluation/pointEvaluation1', '0x0d blsG2Add/matter_g2_add_0'];

test('a block’s worth of the slowest operations, on real hosts and executors, does not stop the chain', async () => {
  const keys = setKeys(4);
  const cluster = new SetCluster(await genesisOf(keys, 100n));
  try {
    for (const [index, key] of keys.entries()) await cluster.add(`v${index}`, key);
    const [alice, bob] = USERS as [User, User];
    const calls: Uint8Array[] = [];
    for (const [index, user] of [alice, bob].entries()) {
      const operation = OPERATIONS.find(({ name }) => name === SLOW[index])!;
      const deployment = {
        data: deploying(`0x${runtimeOf({ ...operation, copies: 8 })}`),
        gas: TRANSACTION_GAS,
      };
      cluster.submit(await signTransaction(user, { nonce: 0, ...deployment }));
      const to = getContractAddress({ from: user.address, nonce: 0n });
      const data = `0x${operation.data}`;
      for (let nonce = 1; nonce <= Number(BLOCK_GAS / TRANSACTION_GAS) / 2; nonce++)
        calls.push(await signTransaction(user, { nonce, to, data, gas: TRANSACTION_GAS }));
    }
    await cluster.until(cluster.members[0]!.executed!.head().block.height + 2n);
    for (const raw of calls) cluster.submit(raw);
    // Every one is included, and a transfer that comes after them.
    const last = await signTransaction(GOVERNORS[0] as User, {
      nonce: 0,
      to: alice.address,
      value: 1n,
      gas: TRANSACTION_GAS,
    });
    cluster.submit(last);
    const isIncluded = (raw: Uint8Array): boolean =>
      cluster.members.every(({ executed }) =>
        executed!.blocks.some(({ transactions }) =>
          transactions.some((other) => Buffer.compare(raw, other) === 0),
        ),
      );
    while (![...calls, last].every(isIncluded))
      await cluster.until(cluster.members[0]!.executed!.head().block.height + 1n);
    const [first, ...others] = cluster.members;
    const height = Math.min(...cluster.members.map(({ executed }) => executed!.blocks.length)) - 1;
    for (const { executed, halts } of others) {
      expect(halts).toEqual([]);
      expect(executed!.blocks[height]!.hash).toBe(first!.executed!.blocks[height]!.hash);
    }
  } finally {
    await cluster.dispose();
  }
}, 240_000);
