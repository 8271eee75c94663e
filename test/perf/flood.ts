/**
 * `npm run flood [-- --blocks N --json --keep]`: what a flood from one core does to the others' blocks and memory.
 *
 * A real devnet (4 validators, 3 relayers, an L1), transfers so that full blocks come at their interval, and a
 * flooder on one thread. Measured in one run: the interval without a flood; a stranger's flood; an allow-listed full
 * node's floods (relayer-3's identity, whose own process is ended first); then validator-4 is ended, the interval of
 * the remaining three is measured as the baseline of its own, because a silent validator costs rounds by itself; then
 * validator-4's keys flood. Of a node's floods, the loud one does everything and is banned for it again and again; the
 * quiet one comes as near to every bound as it may. Intervals are the others' medians, memory is each process's RSS
 * against its RSS at the end of the baseline. Transfers are counted from their acceptance by a node to a block: where
 * none are committed, the interval is that of empty blocks. Exit 1 when a ratio reaches 2, memory grows by more than
 * 100 MiB, or a flood did not flow.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createPublicClient, http, parseGwei } from 'viem';
import { mnemonicToAccount } from 'viem/accounts';
import { devnetAccounts, MNEMONIC } from '#cli/devnet/accounts.ts';
import { devnetLayout } from '#cli/devnet/layout.ts';
import { bytesToHex } from '#consensus/primitives.ts';
import { loadGenesis } from '#genesis/genesisFile.ts';
import { type Devnet, eventually, heightOf, rpc, startDevnet, VALIDATORS } from '#test/e2e/support/devnet.ts';
import type { FlooderArguments, FlooderReport } from './flooder.ts';
import type { FloodName } from './floods.ts';

const MAX_RATIO = 2;
const MAX_GROWTH_MIB = 100;
const HERE = dirname(fileURLToPath(import.meta.url));

const { values } = parseArgs({
  options: {
    blocks: { type: 'string', default: '40' },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
const BLOCKS = Number(values.blocks);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const median = (list: readonly number[]): number => {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted.length === 0 ? Number.NaN : sorted[Math.floor(sorted.length / 2)]!;
};

const rssMib = (pid: number): number => {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1_024;
  } catch {
    return Number.NaN; // ended: seen by its name below
  }
};

type Phase = {
  readonly name: string;
  readonly intervalMs: number;
  readonly longestMs: number;
  readonly blocks: number;
  readonly rssMib: Readonly<Record<string, { readonly start: number; readonly most: number }>>;
  readonly load: { readonly submitted: number; readonly refused: number; readonly committed: number };
  /** The load's transactions that wait at the end, in the pool that has most of them. */
  readonly waiting: number;
  readonly flooder: FlooderReport | null;
};

/** What the load has had accepted and refused so far, and by whom. */
type Load = {
  readonly counts: { submitted: number; refused: number; lastRefusal: string };
  waiting(): Promise<number>;
  stop(): void;
};

/** Transfers, a few a second, one after the other's admission. */
const keepBusy = (urls: readonly string[], chainId: number): Load => {
  const account = mnemonicToAccount(MNEMONIC, { addressIndex: 3 });
  const counts = { submitted: 0, refused: 0, lastRefusal: '' };
  let stopped = false;
  const run = async (): Promise<void> => {
    let nonce: number | null = null;
    for (let i = 0; !stopped; i++) {
      const client = createPublicClient({
        transport: http(urls[i % urls.length], { timeout: 3_000, retryCount: 0 }),
      });
      try {
        nonce ??= await client.getTransactionCount({ address: account.address, blockTag: 'pending' });
        const serializedTransaction = await account.signTransaction({
          chainId,
          nonce,
          to: account.address,
          value: 1n,
          gas: 21_000n,
          maxFeePerGas: parseGwei('3'),
          maxPriorityFeePerGas: parseGwei('1'),
        });
        await client.sendRawTransaction({ serializedTransaction });
        nonce++;
        counts.submitted++;
      } catch (error) {
        nonce = null;
        counts.refused++;
        counts.lastRefusal = String((error as { details?: string }).details ?? error);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  void run();
  const waitingAt = async (url: string): Promise<number> => {
    const nonceAt = async (tag: string): Promise<number> =>
      Number(await rpc<string>(url, 'eth_getTransactionCount', [account.address, tag]));
    return (await nonceAt('pending')) - (await nonceAt('latest'));
  };
  return {
    counts,
    waiting: async () => Math.max(...(await Promise.all(urls.map((url) => waitingAt(url).catch(() => -1))))),
    stop: () => {
      stopped = true;
    },
  };
};

/** In the blocks after the first up to the last. */
const transactionsIn = async (url: string, first: number, last: number): Promise<number> => {
  let count = 0;
  for (let height = first + 1; height <= last; height++)
    count += Number(
      await rpc<string>(url, 'eth_getBlockTransactionCountByNumber', [`0x${height.toString(16)}`]),
    );
  return count;
};

/** Watches the heads of the honest nodes until enough blocks have come, or too long a time has passed. */
const measure = async (
  name: string,
  devnet: Devnet,
  honest: readonly string[],
  load: Load,
  start: Readonly<Record<string, number>> | null,
): Promise<Phase> => {
  const pids = new Map<string, number>();
  for (const node of honest) pids.set(node, await devnet.pidOf(node));
  const memory: Record<string, { start: number; most: number }> = {};
  for (const [node, pid] of pids) memory[node] = { start: start?.[node] ?? rssMib(pid), most: 0 };
  const arrivals = new Map<number, number>();
  const end = Date.now() + BLOCKS * 6_000;
  const before = { ...load.counts };
  let first = -1;
  let highest = 0;
  const url = devnet.urls[VALIDATORS.indexOf(honest[0] as (typeof VALIDATORS)[number])]!;
  while (arrivals.size <= BLOCKS && Date.now() < end) {
    const found = await heightOf(url).catch(() => -1);
    if (found > highest) {
      if (first >= 0) for (let at = highest + 1; at <= found; at++) arrivals.set(at, performance.now());
      else first = found;
      highest = found;
    }
    for (const [node, pid] of pids) memory[node]!.most = Math.max(memory[node]!.most, rssMib(pid));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const times = [...arrivals.values()];
  const intervals = times.slice(1).map((time, i) => time - times[i]!);
  return {
    name,
    intervalMs: Math.round(median(intervals)),
    longestMs: Math.round(Math.max(...intervals)),
    blocks: intervals.length,
    rssMib: memory,
    load: {
      submitted: load.counts.submitted - before.submitted,
      refused: load.counts.refused - before.refused,
      committed: await eventually('the blocks to be read', async () => ({
        count: await transactionsIn(url, first, highest),
      })).then(({ count }) => count),
    },
    waiting: await load.waiting(),
    flooder: null,
  };
};

const hasTaskset = existsSync('/usr/bin/taskset');

const startFlooder = (given: FlooderArguments): ChildProcess => {
  const args = [join(HERE, 'flooder.ts'), JSON.stringify(given)];
  const [program, all] = hasTaskset
    ? ['/usr/bin/taskset', ['-c', String(cpus().length - 1), process.execPath, ...args]]
    : [process.execPath, args];
  return spawn(program as string, all as string[], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
};

/** A flood that says less than this was not one, and the phase says nothing. */
const MIN_SENT = 100;

type Flooder = {
  readonly child: ChildProcess;
  underWay(): Promise<void>;
  stop(): Promise<FlooderReport>;
};

const watchFlooder = (child: ChildProcess): Flooder => {
  let output = '';
  child.stdout!.on('data', (chunk) => {
    output += chunk;
  });
  return {
    child,
    underWay: async () => {
      await eventually('the flooder to flood', async () => output.includes('flooding'), 120_000);
    },
    async stop() {
      const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), 30_000);
      await ended;
      clearTimeout(killer);
      const last = output.trim().split('\n').at(-1) ?? '';
      return last.startsWith('{') ? (JSON.parse(last) as FlooderReport) : { sent: {}, cpuPercent: 0 };
    },
  };
};

const flooded = async (
  name: string,
  devnet: Devnet,
  honest: readonly string[],
  given: FlooderArguments,
  load: Load,
  start: Readonly<Record<string, number>>,
): Promise<Phase> => {
  const flooder = watchFlooder(startFlooder(given));
  try {
    await flooder.underWay();
    const phase = await measure(name, devnet, honest, load, start);
    return { ...phase, flooder: await flooder.stop() };
  } finally {
    flooder.child.kill('SIGKILL');
  }
};

const growthOf = ({ rssMib: memory }: Phase): number =>
  Math.max(...Object.values(memory).map(({ start, most }) => most - start));

const report = (phases: readonly { phase: Phase; baseline: Phase }[]): boolean => {
  const rows = phases.map(({ phase, baseline }) => {
    const ratio = phase.intervalMs / baseline.intervalMs;
    const growthMib = phase === baseline ? 0 : growthOf(phase);
    const { flooder, load } = phase;
    const sent = flooder === null ? null : Object.values(flooder.sent).reduce((sum, count) => sum + count, 0);
    return {
      phase: phase.name,
      'median ms': phase.intervalMs,
      'longest ms': phase.longestMs,
      blocks: phase.blocks,
      ratio: Number(ratio.toFixed(2)),
      'RSS growth MiB': Math.round(growthMib),
      submitted: load.submitted,
      refused: load.refused,
      committed: load.committed,
      waiting: phase.waiting,
      sent,
      'flooder CPU %': flooder?.cpuPercent ?? null,
      holds:
        (sent === null || sent >= MIN_SENT) &&
        phase.blocks >= BLOCKS &&
        ratio < MAX_RATIO &&
        growthMib <= MAX_GROWTH_MIB,
    };
  });
  const summary = {
    date: new Date().toISOString(),
    machine: {
      cores: cpus().length,
      load: loadavg().map((load) => Number(load.toFixed(1))),
      pinned: hasTaskset,
    },
    limits: { ratio: MAX_RATIO, growthMib: MAX_GROWTH_MIB },
    rows,
    sent: Object.fromEntries(
      phases.flatMap(({ phase }) => (phase.flooder === null ? [] : [[phase.name, phase.flooder.sent]])),
    ),
  };
  mkdirSync(join(HERE, 'results'), { recursive: true });
  const file = `flood-${summary.date.replace(/[:.]/g, '-')}.json`;
  writeFileSync(join(HERE, 'results', file), `${JSON.stringify(summary, null, 2)}\n`);
  if (values.json) process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
  else {
    console.table(rows);
    for (const [name, sent] of Object.entries(summary.sent)) say(`${name} sent ${JSON.stringify(sent)}`);
  }
  return rows.every(({ holds }) => holds);
};

const runAll = async (devnet: Devnet): Promise<boolean> => {
  const genesis = await loadGenesis(devnetLayout(devnet.data).genesis);
  const accounts = devnetAccounts();
  const targetOf = (name: string) => {
    const at = VALIDATORS.indexOf(name as (typeof VALIDATORS)[number]);
    const member = genesis.spec.validators.find((validator) => validator.name === name)!;
    return {
      host: '127.0.0.1',
      port: devnet.ports.validatorP2p[at]!,
      peerId: member.peerId,
      validator: member.address,
    };
  };
  const input = (flood: FloodName, honest: readonly string[], role: number | null): FlooderArguments => {
    const isValidator = flood === 'validator' || flood === 'quietValidator';
    const node = role === null ? null : (isValidator ? accounts.validators : accounts.relayers)[role]!;
    return {
      flood,
      chainId: genesis.spec.chainId.toString(),
      genesisHash: genesis.genesisHash,
      targets: honest.map(targetOf),
      nodeSeed: node === null ? null : bytesToHex(node.nodeSeed),
      consensusKey: isValidator ? bytesToHex(node!.privateKey) : null,
      rpcUrl: devnet.urls[0]!,
    };
  };
  const startOf = (phase: Phase): Record<string, number> =>
    Object.fromEntries(Object.entries(phase.rssMib).map(([node, { most }]) => [node, most]));

  const busy = keepBusy(devnet.urls.slice(0, 3), Number(genesis.spec.chainId));
  const isWanted = (...names: readonly FloodName[]): boolean =>
    values.only === undefined || names.some((name) => name === values.only);
  const phases: { phase: Phase; baseline: Phase }[] = [];
  const flood = async (
    name: FloodName,
    honest: readonly string[],
    role: number | null,
    baseline: Phase,
  ): Promise<void> => {
    if (!isWanted(name)) return;
    say(`flood: ${name}`);
    const phase = await flooded(name, devnet, honest, input(name, honest, role), busy, startOf(baseline));
    phases.push({ phase, baseline });
  };
  try {
    const four = [...VALIDATORS];
    const three = four.slice(0, 3);
    say('baseline: four validators');
    await measure('warm-up', devnet, four, busy, null);
    const baseline = await measure('baseline', devnet, four, busy, null);
    phases.push({ phase: baseline, baseline });
    await flood('stranger', four, null, baseline);
    if (isWanted('fullNode', 'quietFullNode')) await devnet.kill('relayer-3');
    await flood('fullNode', four, 2, baseline);
    await flood('quietFullNode', four, 2, baseline);
    if (isWanted('validator', 'quietValidator')) {
      say('baseline: three of four validators');
      await devnet.kill('validator-4');
      const bad = accounts.validators.findIndex(({ name }) => name === 'validator-4');
      const silent = await measure('baseline, validator-4 silent', devnet, three, busy, startOf(baseline));
      phases.push({ phase: silent, baseline: silent });
      await flood('validator', three, bad, silent);
      await flood('quietValidator', three, bad, silent);
    }
    await eventually('the devnet to go on afterwards', async () => {
      const before = await heightOf(devnet.urls[0]!);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      return (await heightOf(devnet.urls[0]!)) > before;
    });
    if (busy.counts.refused > 0) say(`the load's last refusal: ${busy.counts.lastRefusal}`);
    return report(phases);
  } finally {
    busy.stop();
  }
};

const devnet = await startDevnet();
try {
  process.exitCode = (await runAll(devnet)) ? 0 : 1;
} finally {
  if (values.keep) {
    await devnet.stop();
    say(`logs: ${join(devnet.data, 'logs')}`);
  } else await devnet.dispose();
}
process.exit();
