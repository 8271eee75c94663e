import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { devnetAccounts } from '#cli/devnet/accounts.ts';
import { openBoundedLog } from '#cli/devnet/boundedLog.ts';
import { openL1Store } from '#cli/devnet/l1Store.ts';
import { devnetLayout, inspectFolder, nodeFiles, openFolder, purgeFolder } from '#cli/devnet/layout.ts';
import { prepareGenesis, writeNodes } from '#cli/devnet/network.ts';
import { devnetPorts } from '#cli/devnet/ports.ts';
import { loadConfig } from '#node/config.ts';

const zip = promisify(gzip);
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'causeway-devnet-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('the data folder', () => {
  test('a folder with somebody else’s files is refused, untouched, and never purged', async () => {
    await writeFile(join(root, 'thesis.tex'), 'x');
    const layout = devnetLayout(root);
    await expect(openFolder(layout, null)).rejects.toMatchObject({ code: 'FOREIGN_FOLDER' });
    await expect(purgeFolder(layout)).rejects.toMatchObject({ code: 'FOREIGN_FOLDER' });
    expect(await readdir(root)).toEqual(['thesis.tex']);
  });

  test('data of another format is refused with the remedy, and purged when asked', async () => {
    const layout = devnetLayout(root);
    await writeFile(layout.marker, JSON.stringify({ format: 'causeway-devnet-0' }));
    await expect(openFolder(layout, null)).rejects.toMatchObject({
      code: 'OTHER_FORMAT',
      hint: expect.stringContaining('causeway devnet down --purge'),
    });
    expect(await purgeFolder(layout)).toBe(true);
    expect(await purgeFolder(layout)).toBe(false);
  });

  test('a path that is a file is an unwritable folder, with the remedy', async () => {
    await writeFile(join(root, 'file'), '');
    await expect(openFolder(devnetLayout(join(root, 'file')), null)).rejects.toMatchObject({
      code: 'UNWRITABLE',
      hint: expect.stringContaining('--data'),
    });
  });

  test('a new folder is marked, an own one goes on and takes new ports', async () => {
    const layout = devnetLayout(join(root, 'new'));
    const first = await openFolder(layout, null);
    expect(first).toMatchObject({ deployed: false, portBase: null });
    expect(await openFolder(layout, 20_000)).toEqual({ ...first, portBase: 20_000 });
    expect(await inspectFolder(layout)).toMatchObject({ state: 'ours' });
  });
});

describe('L1 snapshots', () => {
  const dump = async (block: number) =>
    `0x${(await zip(JSON.stringify({ best_block_number: block, blocks: [] }))).toString('hex')}`;
  const blockOf = async (folder: string) => (await (await openL1Store(folder)).load())?.blockNumber ?? null;

  test('the newest that reads back is loaded: torn, empty or foreign files are passed over', async () => {
    const store = await openL1Store(root);
    expect(await store.load()).toBeNull();
    await store.save(7n, await dump(7));
    await store.save(8n, await dump(8));
    expect(await blockOf(root)).toBe(8n);
    const newest = join(root, 'state-000000000008.json.gz');
    await writeFile(newest, (await readFile(newest)).subarray(0, 20));
    expect(await blockOf(root)).toBe(7n);
    await writeFile(newest, await zip('[]'));
    await writeFile(join(root, 'state-000000000009.json.gz.0b5e.tmp'), 'half');
    expect(await blockOf(root)).toBe(7n);
  });

  test('two generations are kept', async () => {
    const store = await openL1Store(root);
    for (const block of [9, 10, 11]) await store.save(BigInt(block), await dump(block));
    expect((await readdir(root)).sort()).toEqual([
      'state-000000000010.json.gz',
      'state-000000000011.json.gz',
    ]);
  });
});

test('a log never outgrows its bound, one previous file included', async () => {
  const path = join(root, 'logs', 'x.log');
  const log = openBoundedLog(path, 100);
  for (let line = 0; line < 50; line++) log.write(Buffer.from(`line ${line}\n`));
  log.close();
  log.write(Buffer.from('after'));
  expect((await readFile(path)).length).toBeLessThanOrEqual(100);
  expect((await readFile(`${path}.1`)).length).toBeLessThanOrEqual(100);
  expect(await readFile(path, 'utf8')).toContain('line 49\n');
});

test('role keys are nobody else’s, and accounts 0–9 are the well-known ones', () => {
  const { users, deployer, validators, relayers, traveller, travellersFriend } = devnetAccounts();
  expect(users[0]).toBe('0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266');
  expect(users[9]).toBe('0xa0ee7a142d267c1f36714e4a8f75612f20a79720');
  const all = [deployer, ...validators, ...relayers, traveller, travellersFriend].map(
    ({ address }) => address,
  );
  expect(new Set([...all, ...users]).size).toBe(all.length + users.length);
  const seeds = [...validators, ...relayers].map(({ nodeSeed }) => Buffer.from(nodeSeed).toString('hex'));
  expect(new Set(seeds).size).toBe(seeds.length);
});

test('a devnet’s genesis is kept, and every node’s configuration is one that a node reads', async () => {
  const layout = devnetLayout(root);
  const accounts = devnetAccounts();
  const genesis = await prepareGenesis(layout, accounts);
  expect((await prepareGenesis(layout, accounts)).genesisHash).toBe(genesis.genesisHash);
  await mkdir(layout.logs, { recursive: true });
  await writeNodes(layout, accounts, devnetPorts(20_000), 'http://127.0.0.1:20000');
  const validator = await loadConfig(nodeFiles(layout, 'validator-1').config);
  expect(validator).toMatchObject({
    name: 'validator-1',
    genesisPath: layout.genesis,
    rpc: { host: '127.0.0.1', port: 20_001 },
    relayer: null,
  });
  expect(validator.p2p.peers).toHaveLength(6);
  const relayer = await loadConfig(nodeFiles(layout, 'relayer-3').config);
  expect(relayer).toMatchObject({ rpc: null, keys: { consensus: null } });
  expect(relayer.relayer?.peers).toHaveLength(2);
  // Moved ports, same keys.
  await writeNodes(layout, accounts, devnetPorts(null), 'http://127.0.0.1:9545');
  expect((await loadConfig(nodeFiles(layout, 'validator-1').config)).rpc?.port).toBe(8545);
});

test('a genesis that this release cannot rebuild is refused with the remedy', async () => {
  const layout = devnetLayout(root);
  await prepareGenesis(layout, devnetAccounts());
  const json = JSON.parse(await readFile(layout.genesis, 'utf8'));
  await writeFile(layout.genesis, JSON.stringify({ ...json, stateRoot: `0x${'00'.repeat(32)}` }));
  await expect(prepareGenesis(layout, devnetAccounts())).rejects.toMatchObject({
    code: 'OTHER_FORMAT',
    hint: expect.stringContaining('devnet down --purge'),
  });
});
