/**
 * `npm run flood [-- --blocks N --json --keep]`: what a flood from one core does to the others' blocks and memory.
 *
 * A real devnet (4 validators, 3 relayers, an L1), transfers so that full blocks come at their interval, and a
 * flooder on one thread. Measured in one run: the interval without a flood; a stranger's flood; an allow-listed full
 * node's flood (relayer-3's identity, whose own process is ended first); then validator-4 is ended, the interval of
 * the remaining three is measured as the baseline of its own, because a silent validator costs rounds by itself; then
 * validator-4's keys flood. Intervals are the others' medians, memory is each process's RSS against its RSS at the
 * end of the baseline. Exit 1 when a ratio reaches 2, memory grows by more than 100 MiB, or a flood did not flow.
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
import { type Devnet, eventually, heightOf, startDevnet, VALIDATORS } from '#test/e2e/support/devnet.ts';
import type { FlooderArguments } from './flooder.ts';
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
  readonly sent: Readonly<Record<string, number>> | null;
};

/** Transfers, a few a second, one after the other's admission. */
const keepBusy = (urls: readonly string[], chainId: number): { stop(): void } => {
  let stopped = false;
  const run = async (): Promise<void> => {
    const account = mnemonicToAccount(MNEMONIC, { addressIndex: 3 });
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
      } catch {
        nonce = null;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  void run();
  return {
    stop: () => {
      stopped = true;
    },
  };
};

/** Watches the heads of the honest nodes until enough blocks have come, or too long a time has passed. */
const measure = async (
  name: string,
  devnet: Devnet,
  honest: readonly string[],
  start: Readonly<Record<string, number>> | null,
): Promise<Phase> => {
  const pids = new Map<string, number>();
  for (const node of honest) pids.set(node, await devnet.pidOf(node));
  const memory: Record<string, { start: number; most: number }> = {};
  for (const [node, pid] of pids) memory[node] = { start: start?.[node] ?? rssMib(pid), most: 0 };
  const arrivals = new Map<number, number>();
  const end = Date.now() + BLOCKS * 6_000;
  let first = -1;
  let highest = 0;
  const url = devnet.urls[VALIDATORS.indexOf(honest[0] as (typeof VALIDATORS)[number])]!;
  while (arrivals.size <= BLOCKS && Date.now() < end) {
    const found = await heightOf(url).catch(() => -1);
    if (found > highest) {
      if (first >= 0) for (let at = highest + 1; at <= found; at++) arrivals.set(at, performance.now());
      first = found;
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
    sent: null,
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
  stop(): Promise<Record<string, number>>;
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
      return last.startsWith('{') ? (JSON.parse(last) as Record<string, number>) : {};
    },
  };
};

const flooded = async (
  name: string,
  devnet: Devnet,
  honest: readonly string[],
  given: FlooderArguments,
  start: Readonly<Record<string, number>>,
): Promise<Phase> => {
  const flooder = watchFlooder(startFlooder(given));
  try {
    await flooder.underWay();
    const phase = await measure(name, devnet, honest, start);
    return { ...phase, sent: await flooder.stop() };
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
    const sent =
      phase.sent === null ? null : Object.values(phase.sent).reduce((sum, count) => sum + count, 0);
    return {
      phase: phase.name,
      'median ms': phase.intervalMs,
      'longest ms': phase.longestMs,
      blocks: phase.blocks,
      ratio: Number(ratio.toFixed(2)),
      'RSS growth MiB': Math.round(growthMib),
      sent,
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
      phases.flatMap(({ phase }) => (phase.sent === null ? [] : [[phase.name, phase.sent]])),
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
    const node =
      role === null ? null : flood === 'validator' ? accounts.validators[role]! : accounts.relayers[role]!;
    return {
      flood,
      chainId: genesis.spec.chainId.toString(),
      genesisHash: genesis.genesisHash,
      targets: honest.map(targetOf),
      nodeSeed: node === null ? null : bytesToHex(node.nodeSeed),
      consensusKey: flood === 'validator' ? bytesToHex(node!.privateKey) : null,
      rpcUrl: devnet.urls[0]!,
    };
  };
  const startOf = (phase: Phase): Record<string, number> =>
    Object.fromEntries(Object.entries(phase.rssMib).map(([node, { most }]) => [node, most]));

  const busy = keepBusy(devnet.urls.slice(0, 3), Number(genesis.spec.chainId));
  try {
    const four = [...VALIDATORS];
    const three = four.slice(0, 3);
    say('baseline: four validators');
    await measure('warm-up', devnet, four, null);
    const baseline = await measure('baseline', devnet, four, null);
    const phases = [{ phase: baseline, baseline }];
    if (values.only === undefined || values.only === 'stranger') {
      say('flood: a stranger');
      phases.push({
        phase: await flooded('stranger', devnet, four, input('stranger', four, null), startOf(baseline)),
        baseline,
      });
    }
    if (values.only === undefined || values.only === 'fullNode') {
      say('flood: an allow-listed full node');
      await devnet.kill('relayer-3');
      phases.push({
        phase: await flooded('full node', devnet, four, input('fullNode', four, 2), startOf(baseline)),
        baseline,
      });
    }
    if (values.only === undefined || values.only === 'validator') {
      say('baseline: three of four validators');
      await devnet.kill('validator-4');
      const bad = accounts.validators.findIndex(({ name }) => name === 'validator-4');
      const silent = await measure('baseline, validator-4 silent', devnet, three, startOf(baseline));
      phases.push({ phase: silent, baseline: silent });
      say('flood: validator-4 gone bad');
      phases.push({
        phase: await flooded('validator', devnet, three, input('validator', three, bad), startOf(silent)),
        baseline: silent,
      });
    }
    await eventually('the devnet to go on afterwards', async () => {
      const before = await heightOf(devnet.urls[0]!);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      return (await heightOf(devnet.urls[0]!)) > before;
    });
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
