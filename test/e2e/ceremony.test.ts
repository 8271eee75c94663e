/**
 * Five organisations, each with a folder and processes of its own and no network, make a genesis; the peg is deployed
 * and five validators and three relayers start from the sealed transcript alone; ETH crosses both ways; and no private
 * key is in any file, argument, environment or output on the way.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, startChild } from '#cli/devnet/child.ts';
import { type DevnetL1, startL1 } from '#cli/devnet/l1.ts';
import { rpcRequest } from '#cli/devnet/rpc.ts';
import { bytesToHex } from '#consensus/primitives.ts';
import { openKeystoreFile } from '#node/keys/keystoreFile.ts';
import { eventually, type Finished, heightOf, rpc } from '#test/e2e/support/devnet.ts';
import { SOFTHSM_MODULE } from '#test/unit/node/keys/softHsm.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const MAIN = join(ROOT, 'cli', 'main.ts');
const NAMES = ['acme', 'bolt', 'coda', 'dune', 'echo'] as const;
const RELAYING: readonly string[] = ['acme', 'bolt', 'coda'];
const ETHER = 10n ** 18n;

/** Where the kernel lets us, a member's process has no network at all. */
const OFFLINE = spawnSync('unshare', ['--net', 'true']).status === 0 ? ['unshare', '--net'] : [];

const root = mkdtempSync(join(tmpdir(), 'causeway-drill-'));
/** Two keep their governance and consensus keys in tokens, where softhsm2 is installed. */
const WITH_TOKEN: readonly string[] = SOFTHSM_MODULE === null ? [] : ['dune', 'echo'];
const tokenConfiguration = (name: string) => join(home(name), 'softhsm2.conf');
const tokenVariable = (name: string): string[] =>
  WITH_TOKEN.includes(name) ? ['env', `SOFTHSM2_CONF=${tokenConfiguration(name)}`] : [];

/** Everything that any process was given and said. */
const seen: string[] = [];

const run = (command: readonly string[]): Promise<Finished> =>
  new Promise((resolve, reject) => {
    const [program, ...args] = command;
    const child = spawn(program!, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      seen.push(command.join(' '), stdout, stderr);
      resolve({ code, stdout, stderr });
    });
  });

const answerOf = async (command: readonly string[]) => {
  const ran = await run([...command, '--json']);
  if (ran.code !== 0) throw new Error(`${command.join(' ')}: code ${ran.code}\n${ran.stdout}${ran.stderr}`);
  return JSON.parse(ran.stdout.trim().split('\n').at(-1)!);
};
const causeway = (...args: string[]) => answerOf([process.execPath, MAIN, ...args]);
/** A member's own step. */
const offline = (name: string, ...args: string[]) =>
  answerOf([...OFFLINE, ...tokenVariable(name), process.execPath, MAIN, ...args]);

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

const home = (name: string) => join(root, name);
const folderOf = (name: string) => join(home(name), 'ceremony');
const keysOf = (name: string) => join(home(name), 'keys');
const passphraseOf = (name: string) => join(home(name), 'passphrase');
const withPassphrase = (name: string) => ['--passphrase-file', passphraseOf(name)];
const carry = (from: string, to: string) => cp(from, to, { recursive: true });

type Ports = { readonly p2p: number; readonly exchange: number; readonly rpc: number };
const ports = new Map<string, Ports>();
const seatsOf = (name: string) => [
  `${name}-validator`,
  ...(RELAYING.includes(name) ? [`${name}-relayer`] : []),
];
const SEATS = NAMES.flatMap(seatsOf);
const ownerOf = (seat: string) => seat.split('-')[0]!;

const writePlan = (governance: ReadonlyMap<string, string>, user: string): string => {
  const path = join(root, 'plan.json');
  const plan = {
    name: 'drill',
    chainId: '42424',
    l1ChainId: '31337',
    timestamp: String(Math.floor(Date.now() / 1_000)),
    epochLength: '100',
    blockGasLimit: '30000000',
    importGas: '15000000',
    feePolicy: { mode: 'fixed', baseFeeWei: '1000000000' },
    fewValidators: 'no',
    relayerThreshold: '2',
    organisations: NAMES.map((name) => ({
      name,
      governanceKey: governance.get(name),
      validators: [{ name: `${name}-validator`, power: '1' }],
      relayers: RELAYING.includes(name) ? [{ name: `${name}-relayer` }] : [],
    })),
    deployer: 'acme',
    balances: [{ address: user, amountWei: String(5n * ETHER) }],
  };
  writeFileSync(path, JSON.stringify(plan));
  return path;
};

const enrol = (name: string) =>
  offline(
    name,
    ...['ceremony', 'enrol', '--folder', folderOf(name), '--organisation', name, '--keys', keysOf(name)],
    ...seatsOf(name).flatMap((seat) => ['--p2p', `${seat}=/ip4/127.0.0.1/tcp/${ports.get(seat)!.p2p}`]),
    ...(RELAYING.includes(name)
      ? ['--exchange', `${name}-relayer=http://127.0.0.1:${ports.get(`${name}-relayer`)!.exchange}`]
      : []),
    ...withPassphrase(name),
    '--light',
  );

const collect = (kind: 'enrolments' | 'approvals') =>
  causeway(
    ...['ceremony', 'collect', '--folder', folderOf('acme')],
    ...NAMES.slice(1).flatMap((name) => ['--in', join(folderOf(name), kind, `${name}.json`)]),
  );

const prepareToken = async (name: string): Promise<void> => {
  const tokens = join(home(name), 'tokens');
  mkdirSync(tokens);
  writeFileSync(tokenConfiguration(name), `directories.tokendir = ${tokens}\nlog.level = ERROR\n`);
  // softhsm2-util takes PINs as arguments only; the token's tool is not ours, so it is not among what was seen
  const pin = `pass phrase of ${name}`;
  const made = spawnSync(
    'softhsm2-util',
    ['--init-token', '--free', '--label', name, '--so-pin', 'security officer', '--pin', pin],
    { env: { ...process.env, SOFTHSM2_CONF: tokenConfiguration(name) } },
  );
  expect([name, made.status]).toEqual([name, 0]);
};

const newKey = async (name: string, file: string): Promise<string> => {
  const place = ['--module', SOFTHSM_MODULE ?? '', '--token', name, '--label', file];
  const { address } = await offline(
    name,
    ...['key', 'new', '--kind', 'signing', '--out', join(keysOf(name), `${file}.json`)],
    ...withPassphrase(name),
    ...(WITH_TOKEN.includes(name) ? place : ['--light']),
  );
  return address;
};

/** Each process that the drill starts gets folders of its own; the courier is this script. */
const holdCeremony = async (user: string): Promise<string> => {
  const governance = new Map<string, string>();
  for (const name of NAMES) {
    if (WITH_TOKEN.includes(name)) await prepareToken(name);
    governance.set(name, await newKey(name, 'governance'));
    // The consensus key of the others is made by enrol.
    if (WITH_TOKEN.includes(name)) await newKey(name, `${name}-validator`);
  }
  await causeway('ceremony', 'open', '--plan', writePlan(governance, user), '--folder', folderOf('acme'));
  for (const name of NAMES.slice(1)) await carry(folderOf('acme'), folderOf(name));
  for (const name of NAMES) await enrol(name);
  expect(await collect('enrolments')).toMatchObject({ stage: 'building', missingEnrolments: [] });
  await causeway('ceremony', 'build', '--folder', folderOf('acme'));
  for (const name of NAMES.slice(1)) await carry(folderOf('acme'), folderOf(name));
  const heard: string[][] = [];
  for (const name of NAMES)
    heard.push((await offline(name, 'ceremony', 'verify', '--folder', folderOf(name))).words);
  for (const [index, name] of NAMES.entries())
    await offline(
      name,
      ...['ceremony', 'approve', '--folder', folderOf(name), '--organisation', name, '--keys', keysOf(name)],
      // Each types what the next one reads aloud.
      ...['--words', heard[(index + 1) % NAMES.length]!.slice(0, 12).join(' '), ...withPassphrase(name)],
    );
  expect(await collect('approvals')).toMatchObject({ stage: 'sealing', missingApprovals: [] });
  const { transcript } = await causeway('ceremony', 'seal', '--folder', folderOf('acme'));
  return transcript;
};

describe('a ceremony of five, and the network that starts from it', () => {
  const stopMiner = new AbortController();
  const nodes = new Map<string, Child>();
  let l1: DevnetL1 | undefined;
  let mining: Promise<void> = Promise.resolve();
  let transcript: string;
  let genesisHash: string;
  let user: string;
  const userKey = join(root, 'user', 'key.json');
  const rpcUrl = (seat: string) => `http://127.0.0.1:${ports.get(seat)!.rpc}`;

  beforeAll(async () => {
    for (const seat of SEATS)
      ports.set(seat, { p2p: await freePort(), exchange: await freePort(), rpc: await freePort() });
    for (const name of [...NAMES, 'user']) {
      mkdirSync(home(name));
      writeFileSync(passphraseOf(name), `pass phrase of ${name}\n`, { mode: 0o600 });
    }
    const made = await causeway(
      ...['key', 'new', '--kind', 'signing', '--out', userKey, ...withPassphrase('user'), '--light'],
    );
    user = made.address;
  }, 60_000);

  const stopEverything = async (): Promise<void> => {
    await Promise.all([...nodes.values()].map((node) => node.stop()));
    stopMiner.abort();
    await mining;
    await l1?.child.stop();
  };
  afterAll(async () => {
    await stopEverything();
    rmSync(root, { recursive: true, force: true });
  }, 60_000);

  test('five members without network agree on one transcript, which each audits alone', async () => {
    transcript = await holdCeremony(user);
    const audits = [];
    for (const name of NAMES) {
      const own = join(home(name), 'transcript.jsonl');
      await carry(transcript, own);
      audits.push(await offline(name, 'ceremony', 'audit', own, '--report', join(home(name), 'minutes')));
    }
    expect(new Set(audits.map((audit) => audit.transcriptHash)).size).toBe(1);
    genesisHash = audits[0].genesisHash;
  }, 200_000);

  test('the peg is deployed from the transcript, and eight nodes start from it', async () => {
    l1 = await startL1({
      folder: join(root, 'l1'),
      port: await freePort(),
      logPath: join(root, 'logs', 'l1.log'),
      signal: stopMiner.signal,
    });
    const { deployer, relayers } = JSON.parse(
      readFileSync(join(folderOf('acme'), 'genesis.json'), 'utf8'),
    ).spec;
    for (const address of [
      deployer,
      user,
      ...relayers.map((relayer: { address: string }) => relayer.address),
    ])
      await rpcRequest(l1.url, 'anvil_setBalance', [address, `0x${(100n * ETHER).toString(16)}`]);
    mining = l1.miner.run(stopMiner.signal);
    for (const seat of SEATS) {
      const [name, out] = [ownerOf(seat), join(home(ownerOf(seat)), seat)];
      const { role, config } = await causeway(
        ...['init', '--transcript', join(home(name), 'transcript.jsonl'), '--seat', seat],
        ...['--keys', keysOf(name), '--out', out, '--l1-url', l1.url],
        ...['--rpc-port', String(ports.get(seat)!.rpc), ...withPassphrase(name)],
      );
      const group = role === 'validator' ? 'node' : 'relayer';
      nodes.set(
        seat,
        startChild(
          seat,
          [...tokenVariable(name), process.execPath, MAIN, group, 'run', '--config', config],
          join(root, 'logs', `${seat}.log`),
        ),
      );
    }
    const deployed = await causeway(
      ...['bridge', 'deploy', '--transcript', transcript, '--l1-url', l1.url],
      ...['--key', join(keysOf('acme'), 'deployer.json'), ...withPassphrase('acme')],
    );
    const { l1: predicted } = JSON.parse(readFileSync(join(folderOf('acme'), 'draft.json'), 'utf8')).genesis;
    expect(deployed.addresses).toEqual(predicted);
    for (const seat of SEATS)
      await eventually(`${seat} to commit`, async () => (await heightOf(rpcUrl(seat))) >= 2, 120_000);
    for (const seat of SEATS) {
      const block = await rpc<{ hash: string }>(rpcUrl(seat), 'eth_getBlockByNumber', ['0x0', false]);
      expect([seat, block.hash]).toEqual([seat, genesisHash]);
    }
  }, 240_000);

  test('ETH crosses both ways', async () => {
    const peg = [
      ...['--genesis', join(folderOf('acme'), 'genesis.json'), '--l1-url', l1!.url],
      ...['--rpc-url', rpcUrl('echo-validator'), '--key', userKey, ...withPassphrase('user')],
    ];
    await causeway('bridge', 'deposit', ...peg, '--amount', '1');
    expect(BigInt(await rpc<string>(rpcUrl('dune-validator'), 'eth_getBalance', [user, 'latest']))).toBe(
      6n * ETHER,
    );
    const { burnTx } = await causeway('bridge', 'withdraw', ...peg, '--amount', '0.5');
    const before = BigInt(await rpc<string>(l1!.url, 'eth_getBalance', [user, 'latest']));
    await causeway('bridge', 'claim', burnTx, ...peg);
    const after = BigInt(await rpc<string>(l1!.url, 'eth_getBalance', [user, 'latest']));
    expect(after - before).toBeGreaterThan(ETHER / 2n - ETHER / 100n);
  }, 240_000);

  test('no private key or pass phrase is in any file, argument, environment or output', async () => {
    for (const [seat, { pid }] of nodes)
      for (const part of ['cmdline', 'environ'])
        seen.push(`${seat} ${readFileSync(`/proc/${pid}/${part}`, 'latin1')}`);
    await stopEverything();
    const files = readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const keystores = files.filter((path) => {
      const text = readFileSync(path, 'latin1');
      return path.endsWith('.json') && text.includes('"ciphertext"');
    });
    const needles: [string, Buffer][] = [];
    for (const path of keystores) {
      const owner = path.slice(root.length + 1).split('/')[0]!;
      const kind = path.endsWith('-node.json') ? 'ed25519' : 'secp256k1';
      const passphrase = `pass phrase of ${owner}`;
      const secret = Buffer.from((await openKeystoreFile(path, kind, passphrase)).secret);
      const hex = bytesToHex(secret).slice(2);
      for (const form of [
        secret,
        ...[
          hex,
          hex.toUpperCase(),
          secret.toString('base64url').slice(0, 42),
          secret.toString('base64').slice(0, 42),
        ].map((text) => Buffer.from(text)),
        Buffer.from(BigInt(`0x${hex}`).toString()),
        Buffer.from(passphrase),
      ])
        needles.push([path, form]);
    }
    // 5 governance, 8 seats with a node each, the deployer, the user; less two in each token
    expect(keystores).toHaveLength(5 + 2 * 8 + 1 + 1 - 2 * WITH_TOKEN.length);
    const places: [string, Buffer][] = [
      ...files
        .filter((path) => !path.endsWith('/passphrase'))
        .map((path): [string, Buffer] => [path, readFileSync(path)]),
      ...seen.map((text, index): [string, Buffer] => [`output ${index}`, Buffer.from(text, 'latin1')]),
    ];
    const found = places.flatMap(([place, bytes]) =>
      needles.filter(([, needle]) => bytes.includes(needle)).map(([key]) => `${key} in ${place}`),
    );
    expect(found).toEqual([]);
    expect(places.length).toBeGreaterThan(100);
  }, 60_000);
});
