/**
 * `npm run chaos`: kills, freezes, partitions, wiped disks and Byzantine processes on a real network.
 *
 * usage: main.ts [--seed N] [--kills N] [--faults a,b|none] [--links namespaces|proxies] [--recovery-ms N] [--json]
 * Exit code 0: nothing found; 1: findings; 2: usage.
 */
import { parseArgs } from 'node:util';
import { runDrill } from '#test/chaos/drill.ts';
import type { Links } from '#test/chaos/links.ts';
import { canMakeNamespaces, createNetnsLinks } from '#test/chaos/netnsLinks.ts';
import { createProxyLinks } from '#test/chaos/proxyLinks.ts';
import { type Devnet, startDevnet, VALIDATORS } from '#test/e2e/support/devnet.ts';
import type { FaultName } from '#test/faults/fault.ts';
import { FAULTS } from '#test/faults/faults.ts';

const USAGE =
  'usage: npm run chaos -- [--seed N] [--kills N] [--faults a,b|none] [--links namespaces|proxies] [--recovery-ms N] [--json]';

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const fail = (message: string): never => {
  say(`${message}\n${USAGE}`);
  process.exit(2);
};

const numberOf = (name: string, text: string): number =>
  /^\d{1,9}$/.test(text) ? Number(text) : fail(`expected a number for --${name}, found "${text}"`);

const faultsOf = (text: string): readonly FaultName[] => {
  if (text === 'none') return [];
  const names = text.split(',');
  const unknown = names.filter((name) => !Object.hasOwn(FAULTS, name));
  if (unknown.length > 0)
    fail(`expected faults out of ${Object.keys(FAULTS).join(', ')}, found ${unknown.join(', ')}`);
  return names as FaultName[];
};

const parseOptions = () => {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
        kills: { type: 'string', default: '100' },
        faults: { type: 'string', default: Object.keys(FAULTS).join(',') },
        links: { type: 'string' },
        'recovery-ms': { type: 'string', default: '10000' },
        json: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    return fail((error as Error).message);
  }
};

const createLinks = async (wanted: string | undefined, { ports }: Devnet): Promise<Links> => {
  const options = { validators: VALIDATORS.length, p2pPorts: ports.validatorP2p, l1Port: ports.l1 };
  const useNamespaces = wanted === undefined ? await canMakeNamespaces() : wanted === 'namespaces';
  if (!useNamespaces && wanted === undefined)
    say('No network namespaces here (they need root and iproute2): TCP proxies between the validators.');
  return useNamespaces ? createNetnsLinks(options) : createProxyLinks(options);
};

const main = async (): Promise<void> => {
  const values = parseOptions();
  const seed = numberOf('seed', values.seed);
  const kills = numberOf('kills', values.kills);
  const recoveryMs = numberOf('recovery-ms', values['recovery-ms']);
  const faults = faultsOf(values.faults);
  if (values.links !== undefined && values.links !== 'namespaces' && values.links !== 'proxies')
    fail(`expected namespaces or proxies for --links, found "${values.links}"`);
  say(`seed ${seed}: npm run chaos -- --seed ${seed} --kills ${kills} --faults ${values.faults}`);
  say('Starting a devnet for keys, genesis and L1…');
  const devnet = await startDevnet();
  let links: Links | null = null;
  try {
    links = await createLinks(values.links, devnet);
    const report = await runDrill(devnet, links, { seed, kills, faults, recoveryMs, say });
    if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    for (const finding of report.findings) say(`✗ ${finding}`);
    say(
      `${report.kills} kills, ${report.freezes} freezes, ${report.partitions} partitions (${report.links}), ${report.wipes} wiped, ` +
        `${report.faults.length} kinds of Byzantine: ${report.heights} heights, ${report.transfers} transfers, ` +
        `${report.signatures} steps signed, ${report.evidence} pieces of evidence, growing again ${report.recoveredMs} ms after the last healing; ` +
        `${report.findings.length} findings`,
    );
    process.exitCode = report.findings.length === 0 ? 0 : 1;
  } finally {
    await links?.close();
    await devnet.dispose();
  }
};

await main();
