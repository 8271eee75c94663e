/**
 * What a transaction costs the execution thread, and what it writes: blocks of 600 on a prepared chain, one process.
 *
 *     node test/perf/executionCost.ts [transfer|erc20|storage|compute|mix] [accounts] [blocks]
 *
 * Blocks are derived and committed back to back, by the product's `openChain`: no consensus, no network, no RPC, and
 * signatures recovered beforehand, as on a node. Five phases after a warm-up; each line is a median over them, processor
 * time in µs a transaction (threads from `/proc`, stages from the node's own counters), and the spread. Linux.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { devnetAccounts } from '#cli/devnet/accounts.ts';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import type { Hash } from '#consensus/primitives.ts';
import { type OpenedChain, openChain } from '#node/execution/openChain.ts';
import { readStages } from '#node/telemetry/stages.ts';
import { payloadOn, requireValid, sealValue } from '#test/unit/node/execution/exampleChain.ts';
import { type BaseState, chainFolderOf, prepareBaseState, SENDER_COUNT } from './bench/baseState.ts';
import { benchKey, signBulk, uncompressedKey } from './bench/signing.ts';
import { createCalls, WORKLOADS, type Workload } from './bench/workloads.ts';

const WORKLOAD = (process.argv[2] ?? 'transfer') as Workload;
const ACCOUNTS = Number(process.argv[3] ?? 10_000);
const BLOCKS = Number(process.argv[4] ?? 20);
const PHASES = 5;
const WARM_UP_BLOCKS = 30;
const GWEI = 10n ** 9n;
/** Of the block gas limit there is room for so many. */
const BLOCK_SIZE = WORKLOAD === 'storage' || WORKLOAD === 'compute' ? 50 : WORKLOAD === 'mix' ? 300 : 500;

if (!WORKLOADS.includes(WORKLOAD))
  throw new Error(`expected one of ${WORKLOADS.join(', ')}, found ${WORKLOAD}`);

type Sample = Readonly<Record<string, number>>;

/** Nanoseconds that each thread ran, by name. */
const sampleThreads = (): Record<string, number> => {
  const times: Record<string, number> = {};
  for (const thread of readdirSync('/proc/self/task')) {
    const folder = `/proc/self/task/${thread}`;
    const comm = readFileSync(`${folder}/comm`, 'utf8').trim();
    const name = Number(thread) === process.pid ? 'main' : comm;
    const ranNs = Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[0]);
    times[`thread ${name}, µs`] = (times[`thread ${name}, µs`] ?? 0) + ranNs / 1_000;
  }
  return times;
};

const sample = (): Sample => {
  const { execution, trie, commit } = readStages();
  const { user, system } = process.cpuUsage();
  const written = /^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))![1];
  return {
    'stage execution, µs': 1_000 * (execution.busyMs - trie.busyMs),
    'stage trie, µs': 1_000 * trie.busyMs,
    'stage commit, µs': 1_000 * commit.busyMs,
    'process, µs': user + system,
    'written, bytes': Number(written),
    ...sampleThreads(),
  };
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const validators = new Map(
  devnetAccounts().validators.map(({ address, privateKey }) => [address, privateKey]),
);
const senders = Array.from({ length: SENDER_COUNT }, (_, index) => benchKey(index));
const publicKeys = senders.map(uncompressedKey);
const nonces = new Array<number>(SENDER_COUNT).fill(0);
const known = new Map<Hash, Uint8Array>();

let next = 0;
const signBlock = (base: BaseState, call: ReturnType<typeof createCalls>): Uint8Array[] =>
  Array.from({ length: BLOCK_SIZE }, () => {
    const at = next++ % SENDER_COUNT;
    const { chainId } = base.genesis.spec;
    const terms = { chainId, nonce: nonces[at]!++, tipWei: 0n, maxFeeWei: GWEI };
    const raw = signBulk({ ...call(next), ...terms }, senders[at]!.privateKey);
    known.set(keccak256Hex(raw), publicKeys[at]!);
    return raw;
  });

const runBlocks = async (
  chain: OpenedChain,
  base: BaseState,
  blocks: readonly Uint8Array[][],
): Promise<void> => {
  for (const transactions of blocks) {
    const { valueId, checkpoint, included } = requireValid(
      await chain.derive(payloadOn(chain, transactions)),
    );
    if (included !== transactions.length) throw new Error(`expected all to be included, found ${included}`);
    const { receipts } = await chain.commit(
      valueId,
      sealValue(base.genesis, checkpoint.height, valueId, validators),
    );
    if (receipts.some(({ status }) => status !== 1)) throw new Error('expected every transaction to succeed');
  }
  known.clear();
};

const base = await prepareBaseState(ACCOUNTS, (text) => console.error(text));
const folder = mkdtempSync(join(tmpdir(), 'causeway-cost-'));
cpSync(chainFolderOf(base.folder), chainFolderOf(folder), { recursive: true });
const chain = await openChain({ dataDir: join(folder, 'data'), genesis: base.genesis });
try {
  chain.usePublicKeys((hash) => known.get(hash) ?? null);
  const call = createCalls(WORKLOAD, base.contracts, 'cost');
  const sign = (count: number) => Array.from({ length: count }, () => signBlock(base, call));
  await runBlocks(chain, base, sign(WARM_UP_BLOCKS));
  const phases: Sample[] = [];
  for (let phase = 0; phase < PHASES; phase++) {
    const blocks = sign(BLOCKS);
    const before = sample();
    await runBlocks(chain, base, blocks);
    const after = sample();
    phases.push(
      Object.fromEntries(
        Object.keys(after).map((name) => [
          name,
          (after[name]! - (before[name] ?? 0)) / (BLOCKS * BLOCK_SIZE),
        ]),
      ),
    );
  }
  console.log(
    `${WORKLOAD}, ${ACCOUNTS} accounts, blocks of ${BLOCK_SIZE}: median of ${PHASES} × ${BLOCKS} blocks`,
  );
  for (const name of Object.keys(phases[0]!)) {
    const values = phases.map((phase) => phase[name] ?? 0);
    const [low, middle, high] = [Math.min(...values), median(values), Math.max(...values)];
    if (middle >= 1)
      console.log(
        `${name.padEnd(28)} ${middle.toFixed(0).padStart(6)}   (${low.toFixed(0)}–${high.toFixed(0)})`,
      );
  }
  console.log(`RSS ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB`);
} finally {
  await chain.close();
  rmSync(folder, { recursive: true, force: true });
}
