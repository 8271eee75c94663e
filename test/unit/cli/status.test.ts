/** `causeway status` against real RPC servers over real consensus hosts, and against what answers otherwise. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '#cli/main.ts';
import { WIDTH, wrap } from '#cli/status/render.ts';
import { Cluster } from '#test/sim/cluster/cluster.ts';
import type { TestServer } from '#test/unit/node/rpc/fakes/server.ts';
import { serveStatus } from '#test/unit/node/statusServer.ts';

type Ways = {
  readonly env?: Record<string, string>;
  readonly isTTY?: boolean;
  readonly signal?: AbortSignal;
  readonly onOut?: () => void;
};

const run = async (argv: readonly string[], ways: Ways = {}) => {
  let stdout = '';
  let stderr = '';
  const streams = {
    stdout: {
      isTTY: ways.isTTY ?? false,
      write: (text: string) => {
        stdout += text;
        ways.onOut?.();
      },
    },
    stderr: {
      write: (text: string) => {
        stderr += text;
      },
    },
    env: ways.env ?? {},
  };
  const code = await runCli(['status', ...argv], streams, ways.signal ?? new AbortController().signal);
  return { code, stdout, stderr };
};

let cluster: Cluster;
let servers: TestServer[] = [];
const urls = (): string[] => servers.flatMap(({ url }) => ['--rpc', url]);

beforeEach(async () => {
  cluster = new Cluster({ seed: 61 });
  await cluster.startAll();
  await cluster.until(3n, 30_000);
  servers = await Promise.all(cluster.members.map((member) => serveStatus(cluster, member)));
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await cluster.stopAll();
});

/** kill -9: its process and its port are gone. */
const kill = async (...indexes: number[]): Promise<void> => {
  for (const index of indexes) {
    cluster.crash(cluster.members[index]!);
    await servers[index]!.stop();
  }
  await cluster.clock.advance(12_000);
};

test('a chain that commits: exit code 0, the sentence first, one row for each validator, the margin', async () => {
  const { code, stdout, stderr } = await run(urls());
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = stdout.split('\n');
  expect(lines[0]).toMatch(/^Committing, newest block 3/);
  for (const index of [1, 2, 3, 4])
    expect(stdout).toMatch(
      new RegExp(
        `^validator-${index} +1 +[345] +(-|0) +\\w+ +\\d+/0 pre\\w+ 0x[0-9a-f]{6}, \\d\\.\\d s +- +`,
        'm',
      ),
    );
  expect(stdout).toContain('Survives 1 more failure, the heaviest first (4 of 4 power alive, a quorum is 3)');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(WIDTH);
});

test('one down: still 0, it is shown as unreachable with what to do, and no more failure is survived', async () => {
  await kill(3);
  const { code, stdout } = await run(urls());
  expect(code).toBe(0);
  expect(stdout).toContain('Survives 0 more failures: the next one halts the chain (3 of 4 power alive');
  expect(stdout).toMatch(/^validator-4 .* away$/m);
  expect(stdout).toContain(`${servers[3]!.url}  unreachable`);
  expect(stdout).toMatch(/nothing listens there\. Check that the node runs/);
});

test('two down: exit code 10, halted, with both names and what to do, and their missing votes', async () => {
  await kill(2, 3);
  const { code, stdout } = await run(urls());
  expect(code).toBe(10);
  const said = stdout.replaceAll(/\s+/g, ' ');
  expect(said).toMatch(
    /^Not committing, newest block \d+.* The chain is halted: this node sees only 2 of 4 power/,
  );
  expect(said).toMatch(/missing validator-3 \(not connected, .*\) and validator-4 \(not connected, /);
  expect(said).toContain('Start the missing validators or restore their links');
  expect(said).toContain('0 more failures until it halts: it is halted (2 of 4 power alive');
  expect(said).toMatch(
    /Missing prevotes of round \d+ \(2 of 4 power voted\): validator-3 \(0x[0-9a-f]{40}, power 1: /,
  );
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(WIDTH);
});

test('nobody answers: exit code 4, each with its reason', async () => {
  await kill(0, 1, 2, 3);
  const { code, stdout } = await run(urls());
  expect(code).toBe(4);
  expect(stdout).toMatch(/^Unreachable: none of the nodes that were asked answers\./);
  expect(stdout.match(/nothing listens there/g)).toHaveLength(4);
});

test('--json is one line with the verdict and what each node said, quantities as the RPC gives them', async () => {
  await kill(2, 3);
  const { code, stdout } = await run([...urls(), '--json']);
  expect(code).toBe(10);
  expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  const json = JSON.parse(stdout);
  expect(json).toMatchObject({ state: 'stalled', exitCode: 10, code: 'QUORUM_LOST' });
  expect(
    json.nodes.map(({ name, reachable }: { name: string; reachable: boolean }) => [name, reachable]),
  ).toEqual([
    ['validator-1', true],
    ['validator-2', true],
    [servers[2]!.url, false],
    [servers[3]!.url, false],
  ]);
  expect(json.nodes[0].status.margin).toMatchObject({
    alivePower: '0x2',
    failuresUntilHalt: 0,
    halted: true,
  });
  expect(json.nodes[2]).toMatchObject({ status: null, problem: 'nothing listens there' });
});

test('no colour unless stdout is a terminal; NO_COLOR wins', async () => {
  const ESC = '\x1b[';
  expect((await run(urls())).stdout).not.toContain(ESC);
  expect((await run(urls(), { isTTY: true })).stdout).toContain(ESC);
  expect((await run(urls(), { isTTY: true, env: { NO_COLOR: '1' } })).stdout).not.toContain(ESC);
});

test('--watch looks again until it is interrupted, and then has the exit code of the last look', async () => {
  await kill(2, 3);
  const interrupt = new AbortController();
  let looks = 0;
  const { code, stdout } = await run([...urls(), '--watch', '--json'], {
    signal: interrupt.signal,
    onOut: () => {
      looks += 1;
      if (looks === 2) interrupt.abort();
    },
  });
  expect(code).toBe(10);
  const states = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).state);
  expect(states).toEqual(['stalled', 'stalled']);
});

test('what is no Causeway node, and what answers garbage, is said to be so', async () => {
  const answers = [
    '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no such method"}}',
    'not JSON',
    '{"result":{"name":"x"}}',
  ];
  const foreign = answers.map((answer) => createServer((_request, response) => response.end(answer)));
  const addresses = await Promise.all(
    foreign.map(
      (server) =>
        new Promise<string>((resolve) => {
          server.listen(0, '127.0.0.1', () =>
            resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
          );
        }),
    ),
  );
  const { code, stdout } = await run(addresses.flatMap((url) => ['--rpc', url]));
  expect(code).toBe(4);
  expect(stdout).toContain('it refused the question: causeway_status: no such method');
  expect(stdout).toContain('no answer that can be read');
  expect(stdout).toMatch(/its answer is not the status of this release/);
  for (const server of foreign) server.close();
});

test('a configuration file names its node; one without a fixed port is refused with the remedy', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-status-'));
  const write = async (name: string, rpc: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(
      path,
      `name = "mine"\ngenesis = "g.json"\ndata_dir = "data"\n[keys]\nnode = "n.json"\n[p2p]\nlisten = "/ip4/127.0.0.1/tcp/0"\n${rpc}\n[l1]\nurls = ["http://127.0.0.1:1"]\n`,
    );
    return path;
  };
  const good = await write('good.toml', `[rpc]\nhost = "0.0.0.0"\nport = ${servers[0]!.port}`);
  expect(await run(['--config', good])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(servers[0]!.url),
  });
  const none = await run(['--config', await write('none.toml', '')]);
  expect(none).toMatchObject({ code: 3, stderr: expect.stringMatching(/found no \[rpc\].*\n.*--rpc <url>/) });
  const nowhere = await run(['--data', join(folder, 'no-devnet')]);
  expect(nowhere).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('--rpc <url> or --config <file>'),
  });
  await rm(folder, { recursive: true, force: true });
});

test('what a node says cannot draw on the terminal, nor leave the width', () => {
  expect(wrap('a\x1b[31mb\u0007c')).toBe('a [31mb c');
  const lines = wrap(`${'x'.repeat(350)} ${'word '.repeat(60)}`, '  ').split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(WIDTH);
});
