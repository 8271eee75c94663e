import { runCli } from '#cli/main.ts';
import type { KeptEvidence } from '#node/consensus/evidence/evidencePool.ts';
import { KEYS } from '#test/sim/cluster/samples.ts';
import { twoVotes } from '#test/unit/node/consensus/evidence/support.ts';
import { startServer } from '#test/unit/node/rpc/fakes/server.ts';

const run = async (...argv: string[]) => {
  let stdout = '';
  const streams = {
    stdout: {
      write: (text: string) => {
        stdout += text;
      },
    },
    stderr: { write: () => undefined },
    env: { NO_COLOR: '1' },
  };
  const code = await runCli(['evidence', ...argv], streams, new AbortController().signal);
  return { code, stdout };
};
const { address } = KEYS[0]!;
const kept = (item: KeptEvidence['item'], offenders: KeptEvidence['offenders']): KeptEvidence => ({
  item,
  atSeconds: 0n,
  key: '',
  slot: '',
  offenders,
});

test('a node that keeps none, and one that is away, end the command with a code of their own', async () => {
  const follower = await startServer();
  expect(await run('--rpc', follower.url)).toMatchObject({ code: 6 });
  await follower.stop();
  expect(await run('--rpc', follower.url)).toMatchObject({ code: 4 });
});

test('evidence is one line a piece, and whole with --json', async () => {
  const server = await startServer({ evidence: () => [kept(twoVotes({ height: 1n, round: 3 }), [address])] });
  server.append();
  expect((await run('--rpc', server.url)).stdout).toMatch(
    new RegExp(`^height 1 +round 3 +two precommits +${address}\n$`),
  );
  const { stdout } = await run('--rpc', server.url, '--json');
  expect(JSON.parse(stdout)).toEqual(await server.result('causeway_evidence'));
  expect((await run('--rpc', server.url, '--from-height', '2')).stdout).toBe('no evidence\n');
  await server.stop();
});
