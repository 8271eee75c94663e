/**
 * One key, several memories: a second process with a copied folder, and folders restored from old copies, against a
 * running network. Every signature in any log or guard is collected all the while; no step may have two.
 */
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { devnetLayout, nodeFiles } from '#cli/devnet/layout.ts';
import type { Genesis } from '#genesis/spec.ts';
import {
  causeway,
  type Devnet,
  eventually,
  heightOf,
  rpc,
  startDevnet,
  VALIDATORS,
} from '#test/e2e/support/devnet.ts';
import { genesisOf } from '#test/e2e/support/peg.ts';
import { heightToTag } from '#test/e2e/support/recompute.ts';
import { collectSigned, conflictsIn, type Signed } from '#test/e2e/support/signed.ts';

type Checkpoint = {
  readonly certificate: { readonly signatures: readonly { readonly validator: string }[] };
};

const NAME = 'validator-2';
const OTHER = 2; // validator 3 is asked about the chain

describe('a validator whose key is used twice, or whose memory is old', () => {
  const signed: Signed = new Map();
  let devnet: Devnet;
  let genesis: Genesis;
  let watching: NodeJS.Timeout;

  const dataOf = (name: string): string => nodeFiles(devnetLayout(devnet.data), name).data;
  const domainOf = ({ spec, genesisHash }: Genesis) => ({ chainId: spec.chainId, genesisHash });
  const memberOf = (name: string) => genesis.spec.validators.find((member) => member.name === name)!;
  const collect = async (name: string): Promise<void> => {
    await collectSigned(join(dataOf(name), 'consensus'), memberOf(name).address, domainOf(genesis), signed);
  };
  const height = (): Promise<number> => heightOf(devnet.urls[OTHER]!);
  const grows = async (by: number): Promise<void> => {
    const from = await height();
    await eventually(`the chain ${by} above ${from}`, async () => (await height()) >= from + by);
  };
  const signsAbove = (from: number): Promise<boolean> =>
    eventually(`${NAME} signing above ${from}`, async () => {
      const newest = await height();
      if (newest <= from) return false;
      const { certificate } = await rpc<Checkpoint>(devnet.urls[OTHER]!, 'causeway_getCheckpoint', [
        heightToTag(newest),
      ]);
      return certificate.signatures.some(({ validator }) => validator === memberOf(NAME).address);
    });

  beforeAll(async () => {
    devnet = await startDevnet({ until: 'ETH crosses both ways' });
    genesis = await genesisOf(devnet);
    // Logs are kept for two heights: what goes over the wire is looked at while it is there.
    watching = setInterval(() => {
      for (const name of VALIDATORS)
        collect(name).catch(() => {
          // a log that was just removed, or is being written: the next look finds its successor
        });
    }, 250);
  }, 200_000);
  afterAll(async () => {
    clearInterval(watching);
    await devnet?.dispose();
  });

  test('is fenced, does not contradict itself from an old copy, and signs again', async () => {
    const data = dataOf(NAME);
    const old = join(devnet.data, 'old-copy');
    const second = join(devnet.data, 'second');
    await devnet.kill(NAME);
    for (const copy of [old, second]) cpSync(data, copy, { recursive: true });
    await devnet.restart(NAME);
    await signsAbove(await height());

    // The same key on "another host": a copied folder, other ports.
    const config = join(nodeFiles(devnetLayout(devnet.data), NAME).folder, 'second.toml');
    const toml = readFileSync(nodeFiles(devnetLayout(devnet.data), NAME).config, 'utf8')
      .replace(/^data_dir = .*$/m, `data_dir = ${JSON.stringify(second)}`)
      .replace(/^(listen = ".*\/tcp\/)\d+"$/m, (_, before) => `${before}0"`)
      .replace(/^port = \d+$/m, 'port = 0');
    writeFileSync(config, toml);
    const pid = await devnet.pidOf(NAME);
    const refused = await causeway(['node', 'run', '--config', config, '--json'], { boundMs: 60_000 });
    expect({ code: refused.code, stdout: refused.stdout }).toMatchObject({
      code: 8,
      stdout: expect.stringMatching(/"code":"KEY_IN_USE".*stop that one/),
    });
    expect(await devnet.pidOf(NAME)).toBe(pid);
    await signsAbove(await height());

    // On its own folder a second process does not even begin.
    const same = await causeway(
      ['node', 'run', '--config', nodeFiles(devnetLayout(devnet.data), NAME).config, '--json'],
      { boundMs: 60_000 },
    );
    expect([same.code, same.stdout]).toEqual([3, expect.stringMatching(/ALREADY_RUNNING/)]);

    // An old guard and old logs under a chain that went on.
    await devnet.kill(NAME);
    await collect(NAME);
    rmSync(join(data, 'consensus'), { recursive: true });
    cpSync(join(old, 'consensus'), join(data, 'consensus'), { recursive: true });
    await devnet.restart(NAME);
    await signsAbove(await height());

    // The whole folder from the old copy.
    await devnet.kill(NAME);
    await collect(NAME);
    renameSync(data, join(devnet.data, 'replaced'));
    cpSync(old, data, { recursive: true });
    await devnet.restart(NAME);
    await signsAbove(await height());
    await grows(2);

    const guard = await causeway(['guard', 'inspect', '--data', data, '--json']);
    expect([guard.code, JSON.parse(guard.stdout).validator]).toEqual([0, memberOf(NAME).address]);
    const log = await causeway(['wal', 'inspect', '--data', data, '--json']);
    expect([log.code, JSON.parse(log.stdout).damage?.kind ?? 'whole']).toEqual([
      0,
      expect.stringMatching(/whole|torn/),
    ]);

    clearInterval(watching);
    await devnet.killEverything();
    for (const name of VALIDATORS) await collect(name);
    const own = [...signed.keys()].filter((key) => key.startsWith(memberOf(NAME).address));
    expect(own.length).toBeGreaterThan(10);
    expect(conflictsIn(signed)).toEqual([]);
  }, 300_000);
});
