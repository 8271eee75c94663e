/** Organisations add a validator to a running network and take another one out: real processes, short epochs. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createPublicClient,
  createWalletClient,
  defineChain,
  http,
  type PrivateKeyAccount,
  toHex,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { devnetAccounts } from '#cli/devnet/accounts.ts';
import { devnetLayout, nodeFiles, saveMarker } from '#cli/devnet/layout.ts';
import { prepareGenesis } from '#cli/devnet/network.ts';
import { devnetPorts, HOST, PORT_COUNT } from '#cli/devnet/ports.ts';
import { EXIT } from '#cli/errors.ts';
import { privateKeyToAddress } from '#consensus/crypto/secp256k1.ts';
import type { Address } from '#consensus/primitives.ts';
import { governanceAbi } from '#genesis/contracts/artifacts/contracts.ts';
import { buildGenesis } from '#genesis/genesis.ts';
import { serialiseGenesis } from '#genesis/genesisFile.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import type { Genesis } from '#genesis/spec.ts';
import { specToJson } from '#genesis/specFile.ts';
import { LIGHT_COST } from '#node/keys/keystore.ts';
import { writeKeystoreFile } from '#node/keys/keystoreFile.ts';
import { seedToPeerId } from '#node/keys/nodeIdentity.ts';
import {
  causeway,
  createDataFolder,
  type Devnet,
  eventually,
  freePortBase,
  heightOf,
  rpc,
  startDevnet,
} from '#test/e2e/support/devnet.ts';
import { heightToTag } from '#test/e2e/support/recompute.ts';

const EPOCH_LENGTH = 5n;
const NEWCOMER = 'validator-5';
const accounts = devnetAccounts();
const consensusKey = new Uint8Array(32).fill(0x51);
const nodeSeed = new Uint8Array(32).fill(0x52);
const newcomer = privateKeyToAddress(consensusKey);

type Status = { readonly role: string; readonly observing: string | null; readonly anchoredHeight: string };
type Checkpoint = {
  readonly certificate: {
    readonly round: number | string;
    readonly signatures: readonly { readonly validator: Address }[];
  } | null;
};

/** An epoch is over in seconds; the bound is for a hang on a busy machine. */
const soon = <T>(what: string, probe: () => Promise<T | null | false | undefined>): Promise<T> =>
  eventually(what, probe, 180_000);

let devnet: Devnet;
let genesis: Genesis;
let newcomerUrl: string;

/** A devnet like every other, with epochs of a few blocks: its genesis is there before it begins. */
const prepare = async (data: string): Promise<Genesis> => {
  const layout = devnetLayout(data);
  await saveMarker(layout, {
    format: 'causeway-devnet-1',
    createdAt: new Date().toISOString(),
    portBase: null,
    deployed: false,
  });
  const { spec } = await prepareGenesis(layout, accounts);
  const short = await buildGenesis({ ...spec, epochLength: EPOCH_LENGTH });
  await writeFile(layout.spec, JSON.stringify(specToJson(short.spec)));
  await writeFile(layout.genesis, serialiseGenesis(short));
  return short;
};

/** The fifth member's machine: keys of its own, and validator-1's configuration with its own name and ports. */
const writeNewcomer = async (data: string, portBase: number): Promise<string> => {
  const layout = devnetLayout(data);
  const files = nodeFiles(layout, NEWCOMER);
  await mkdir(join(files.folder, 'keys'), { recursive: true });
  await writeFile(files.passphrase, 'devnet\n', { mode: 0o600 });
  await writeKeystoreFile(files.nodeKey, 'ed25519', nodeSeed, 'devnet', LIGHT_COST);
  await writeKeystoreFile(files.roleKey, 'secp256k1', consensusKey, 'devnet', LIGHT_COST);
  for (const [index, { privateKey }] of accounts.governors.entries())
    await writeKeystoreFile(
      join(files.folder, 'keys', `organisation-${index}.json`),
      'secp256k1',
      privateKey,
      'devnet',
      LIGHT_COST,
    );
  const [p2pPort, rpcPort] = [portBase + PORT_COUNT, portBase + PORT_COUNT + 1];
  const ports = devnetPorts(portBase);
  const first = await seedToPeerId(accounts.validators[0]!.nodeSeed);
  const toml = (await readFile(nodeFiles(layout, 'validator-1').config, 'utf8'))
    .replace('name = "validator-1"', `name = "${NEWCOMER}"`)
    .replace(
      `tcp/${ports.validatorP2p[0]}"`,
      `tcp/${p2pPort}"\n[[p2p.peers]]\npeer_id = "${first}"\naddress = "/ip4/${HOST}/tcp/${ports.validatorP2p[0]}"`,
    )
    .replace(`port = ${ports.validatorRpc[0]}`, `port = ${rpcPort}`);
  await writeFile(files.config, toml);
  return `http://${HOST}:${rpcPort}`;
};

beforeAll(async () => {
  const data = createDataFolder();
  genesis = await prepare(data);
  const portBase = await freePortBase();
  devnet = await startDevnet({ data, portBase, until: 'Every node answers' });
  newcomerUrl = await writeNewcomer(data, portBase);
}, 200_000);
afterAll(() => devnet?.dispose());

const url = (): string => devnet.urls[1]!;
const chain = () =>
  defineChain({
    id: Number(genesis.spec.chainId),
    name: 'devnet',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [url()] } },
  });
const reader = () => createPublicClient({ chain: chain(), transport: http(url()), pollingInterval: 200 });
const governors = accounts.governors.map(({ privateKey }) => privateKeyToAccount(toHex(privateKey)));

/** Sends and waits. @returns whether it succeeded */
const send = async (
  account: PrivateKeyAccount,
  call: { address: Address; abi: readonly unknown[]; functionName: string; args: readonly unknown[] },
): Promise<boolean> => {
  const wallet = createWalletClient({ account, chain: chain(), transport: http(url()) });
  const hash = await wallet.writeContract({ ...call, gas: 1_000_000n } as unknown as Parameters<
    typeof wallet.writeContract
  >[0]);
  return (await reader().waitForTransactionReceipt({ hash, timeout: 60_000 })).status === 'success';
};
const govern = (governor: number, functionName: string, args: readonly unknown[]): Promise<boolean> =>
  send(governors[governor]!, {
    address: PREDEPLOYS.governance,
    abi: governanceAbi,
    functionName,
    args,
  });
const decide = async (action: number, account: Address, value: bigint): Promise<void> => {
  const id = await reader().readContract({
    address: PREDEPLOYS.governance,
    abi: governanceAbi,
    functionName: 'proposalCount',
  });
  expect(await govern(0, 'propose', [{ action, account, value, height: 0n }])).toBe(true);
  expect(await Promise.all([govern(1, 'vote', [id]), govern(2, 'vote', [id])])).toEqual([true, true]);
  expect(await govern(3, 'execute', [id])).toBe(true);
};
/** A `validators` command as an organisation runs it. @returns its answer; null when it was refused */
const asOrganisation = async <T>(governor: number, ...args: readonly string[]): Promise<T | null> => {
  const { folder, passphrase } = nodeFiles(devnetLayout(devnet.data), NEWCOMER);
  const key = join(folder, 'keys', `organisation-${governor}.json`);
  const { code, stdout, stderr } = await causeway([
    'validators',
    ...args,
    ...['--key', key, '--passphrase-file', passphrase, '--rpc-url', url()],
    ...['--genesis', devnetLayout(devnet.data).genesis, '--json'],
  ]);
  if (code !== 0 && code !== EXIT.denied)
    throw new Error(`${args.join(' ')} ended with ${code}:\n${stderr}${stdout}`);
  if (code !== 0) console.log(`${args[0]} was refused: ${stderr}${stdout}`);
  return code === 0 ? (JSON.parse(stdout) as T) : null;
};
const approveNewcomer = async (): Promise<void> => {
  const proposed = await asOrganisation<{ id: string }>(0, 'propose-add', newcomer);
  const voted = await asOrganisation<{ executed: boolean }>(1, 'vote', proposed!.id);
  const decided = await asOrganisation<{ executed: boolean }>(2, 'vote', proposed!.id);
  expect([voted, decided]).toMatchObject([{ executed: false }, { executed: true }]);
};
const sayReady = () =>
  asOrganisation<{ validator: Address }>(
    3,
    ...['ready', '--consensus-key', nodeFiles(devnetLayout(devnet.data), NEWCOMER).roleKey],
  );
const statusOf = (of: string): Promise<Status> => rpc<Status>(of, 'causeway_status');
const certificateAt = async (height: number) =>
  (await rpc<Checkpoint>(url(), 'causeway_getCheckpoint', [heightToTag(height)])).certificate!;
const signersAt = async (height: number): Promise<readonly Address[]> =>
  (await certificateAt(height)).signatures.map(({ validator }) => validator);

test('a fifth validator joins and one of the first leaves, without a restart of anybody', async () => {
  const leaving = accounts.validators[0]!;

  await approveNewcomer();
  await devnet.restart(NEWCOMER);
  await soon(`${NEWCOMER} at the head`, async () => {
    const [own, head] = [await heightOf(newcomerUrl), await heightOf(url())];
    return own > 0 && own >= head - 1;
  });
  expect(await statusOf(newcomerUrl)).toMatchObject({ role: 'follower' });
  expect((await statusOf(newcomerUrl)).observing).toContain('not in the validator set');

  const joining = await soon('a ready that came in its own epoch', sayReady);
  expect(joining.validator).toBe(newcomer);
  const joined = await soon(`${NEWCOMER} signing`, async () => {
    const height = await heightOf(url());
    return (await signersAt(height)).includes(newcomer) && height;
  });
  expect(await statusOf(newcomerUrl)).toMatchObject({ role: 'validator' });

  await decide(1, leaving.address, 0n);
  const decided = await heightOf(url());
  await soon('validator-1 following', async () => (await statusOf(devnet.urls[0]!)).role === 'follower');
  const boundary = Math.ceil(decided / Number(EPOCH_LENGTH)) * Number(EPOCH_LENGTH);
  await soon('an epoch without it', async () => (await heightOf(url())) >= boundary + 6);
  for (let height = boundary + 1; height <= boundary + 6; height++)
    expect([height, (await signersAt(height)).includes(leaving.address)]).toEqual([height, false]);
  await soon('validator-1 keeping up', async () => (await heightOf(devnet.urls[0]!)) >= boundary + 6);

  const rounds: number[] = [];
  for (let height = joined; height <= boundary + 6; height++)
    rounds.push(Number((await certificateAt(height)).round));
  console.log(`rounds of heights ${joined} to ${boundary + 6}: ${rounds.join(' ')}`);

  // both hand-overs reach the L1, in order, and a checkpoint of the newest set is accepted there
  await soon(
    'a checkpoint of the new set on the L1',
    async () => Number((await statusOf(url())).anchoredHeight) > boundary,
  );
}, 900_000);
