/** `causeway status` on real processes: validators are killed, and everybody can say why the chain is stuck. */
import {
  causeway,
  createDataFolder,
  type Devnet,
  eventually,
  freePortBase,
  rpc,
  startDevnet,
  VALIDATORS,
} from '#test/e2e/support/devnet.ts';
import type { RpcObject } from '#test/e2e/support/recompute.ts';

describe('why the chain does not commit', () => {
  let devnet: Devnet;

  beforeAll(async () => {
    // The chain is all that is asked about: the first crossing goes on beside it.
    devnet = await startDevnet({
      data: createDataFolder(),
      portBase: await freePortBase(),
      until: 'Every node answers',
    });
  }, 180_000);
  afterAll(() => devnet?.dispose());

  const statusOf = (index: number): Promise<RpcObject> => rpc(devnet.urls[index]!, 'causeway_status');
  const look = (...args: string[]) => causeway(['status', '--data', devnet.data, ...args]);
  const words = (text: string): string => text.replaceAll(/\s+/g, ' ');

  test('one failure is survived and the next one halts it, with names; it goes on when one is back', async () => {
    await eventually('four validators alive, each with a latency', async () => {
      const { margin, validators } = await statusOf(0);
      const measured = validators.filter((each: RpcObject) => each.self || each.roundTripMs > 0);
      return margin.failuresTolerated === 1 && measured.length === 4;
    });
    await eventually('the chain committing', async () => (await look()).code === 0);

    await devnet.kill('validator-4');
    const one = await eventually('no further failure to be survived', async () => {
      const status = await statusOf(1);
      return status.margin.failuresTolerated === 0 && status;
    });
    expect(one.margin).toMatchObject({ failuresUntilHalt: 1, halted: false });
    expect(one.validators.find((each: RpcObject) => each.name === 'validator-4')).toMatchObject({
      connected: false,
      absence: 'disconnected',
      roundTripMs: null,
    });
    const shown = await eventually('the others committing', async () => {
      const said = await look();
      return said.code === 0 && said;
    });
    expect(words(shown.stdout)).toContain(
      'Survives 0 more failures: the next one halts the chain (3 of 4 power',
    );
    expect(shown.stdout).toMatch(/^validator-4 .* away$/m);
    expect(words(shown.stdout)).toMatch(/unreachable nothing listens there.* Start it: node .*validator-4/);

    await devnet.kill('validator-3');
    const halted = await eventually('the chain said to be halted', async () => {
      const said = await look('--json');
      const found = said.code === 10 ? JSON.parse(said.stdout) : null;
      return found?.code === 'QUORUM_LOST' && found;
    });
    expect(halted).toMatchObject({ state: 'stalled', exitCode: 10 });
    expect(halted.sentence).toMatch(
      /sees only 2 of 4 power, and a quorum is 3; missing .*validator-3 \(.*validator-4 \(/,
    );
    expect(halted.nodes[0].status.margin).toMatchObject({
      alivePower: '0x2',
      failuresUntilHalt: 0,
      halted: true,
    });
    expect(words((await look()).stdout)).toMatch(/^Not committing, .* Start the missing validators/);

    await devnet.restart('validator-3');
    await eventually('the chain committing again', async () => (await look()).code === 0);
    await devnet.restart('validator-4');
    await eventually('the margin back', async () => (await statusOf(0)).margin.failuresTolerated === 1);
    expect(words((await look()).stdout)).toContain('Survives 1 more failure');
  }, 120_000);

  test('nobody answers when all are dead: exit code 4, each with the command that starts it', async () => {
    for (const name of VALIDATORS) await devnet.kill(name);
    const { code, stdout } = await look();
    expect(code).toBe(4);
    expect(words(stdout)).toMatch(/^Unreachable: none of the nodes that were asked answers\..*validator-1/);
  }, 60_000);
});
