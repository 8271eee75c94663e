/**
 * `devnet up`: brings a whole network up on this machine, shows the first crossing, and holds it until it is told
 * to stop.
 *
 * Owns the order of things and the life of every child. The parts are the files beside this one.
 *
 *   folder, ports, left-overs → L1 (resumed or new) → genesis, keys, configurations → 4 + 3 nodes ∥ contracts
 *   → everybody answers → crossing → table → until Ctrl-C
 */
import { fileURLToPath } from 'node:url';
import { createPublicClient, http } from 'viem';
import { deployPeg } from '#bridge/deployment/deployPeg.ts';
import { createManifest } from '#bridge/deployment/manifest.ts';
import { createPeg } from '#bridge/user/peg.ts';
import { openCrossingJournal } from '#bridge/user/steps.ts';
import { withDeploymentJournal } from '#cli/bridge/deploymentJournal.ts';
import { type DevnetAccounts, devnetAccounts } from '#cli/devnet/accounts.ts';
import { type Child, startChild } from '#cli/devnet/child.ts';
import { type CrossingReport, runCrossing } from '#cli/devnet/crossing.ts';
import { awaitNodes } from '#cli/devnet/health.ts';
import { type DevnetL1, startL1 } from '#cli/devnet/l1.ts';
import {
  type DevnetLayout,
  type DevnetMarker,
  nodeFiles,
  openFolder,
  saveMarker,
} from '#cli/devnet/layout.ts';
import { clearLeftovers, liveProcesses, nodeNames, requireNotUp } from '#cli/devnet/leftovers.ts';
import { prepareGenesis, writeNodes } from '#cli/devnet/network.ts';
import {
  type DevnetPorts,
  devnetPorts,
  HOST,
  RELAYER_COUNT,
  requireFreePorts,
  VALIDATOR_COUNT,
} from '#cli/devnet/ports.ts';
import { rpcRequest } from '#cli/devnet/rpc.ts';
import { describeDevnet, restartCommand } from '#cli/devnet/table.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { type Io, toJson } from '#cli/io.ts';
import { removeRecord, writeRecord } from '#cli/processIdentity.ts';
import { genesisToPegInputs } from '#genesis/pegInputs.ts';
import type { Genesis } from '#genesis/spec.ts';
import { createLocalSigner } from '#node/keys/localSigner.ts';

export type UpOptions = {
  readonly layout: DevnetLayout;
  readonly portBase: number | null;
  /** Stop after the crossing; the data stays. */
  readonly exit: boolean;
};

const ETHER = 10n ** 18n;
const ROLE_GAS_WEI = 100n * ETHER;

/** Everything that must be stopped again, in reverse order of starting. */
type Running = {
  readonly children: Child[];
  readonly stopMiner: AbortController;
  mining: Promise<void>;
  l1: DevnetL1 | null;
};

export const devnetUp = async (options: UpOptions, io: Io): Promise<void> => {
  const { layout, portBase } = options;
  const ports = devnetPorts(portBase);
  await requireNotUp(layout);
  await clearLeftovers(layout, io);
  await requireFreePorts(ports);
  const marker = await openFolder(layout, portBase);
  await writeRecord(layout.driverRecord, 'devnet', process.pid, false);
  const running: Running = {
    children: [],
    stopMiner: new AbortController(),
    mining: Promise.resolve(),
    l1: null,
  };
  try {
    await bringUp(options, ports, marker, running, io);
  } catch (error) {
    if (!io.signal.aborted) throw error;
    throw new CliError('stopped before the devnet was up', {
      code: 'INTERRUPTED',
      exitCode: EXIT.interrupted,
      hint: 'Nothing is lost: the next start goes on from here.',
    });
  } finally {
    await stopAll(running, io);
    await nameNodesByHand(layout, io);
    await removeRecord(layout.driverRecord);
  }
};

const bringUp = async (
  { layout, exit }: UpOptions,
  ports: DevnetPorts,
  marker: DevnetMarker,
  running: Running,
  io: Io,
): Promise<void> => {
  const accounts = devnetAccounts();
  const genesis = await prepareGenesis(layout, accounts);
  const l1 = await startDevnetL1(layout, ports, marker, accounts, genesis, running, io);
  await writeNodes(layout, accounts, ports, l1.url);
  startNodes(layout, running, io);
  await deployContracts(layout, marker, accounts, genesis, l1, io);
  await awaitNodes(ports, running.children, io);
  const report = await crossOver(layout, ports, accounts, genesis, l1, io);

  if (io.json) io.out(toJson({ ...report, validators: VALIDATOR_COUNT, relayers: RELAYER_COUNT }));
  else io.out(describeDevnet({ layout, ports, accounts, genesis, staysUp: !exit }));
  if (exit) return;
  io.progress(io.style('dim', 'Everything is up. Ctrl-C stops it; the data stays.'));
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    else io.signal.addEventListener('abort', () => resolve(), { once: true });
  });
};

const startDevnetL1 = async (
  layout: DevnetLayout,
  ports: DevnetPorts,
  marker: DevnetMarker,
  accounts: DevnetAccounts,
  genesis: Genesis,
  running: Running,
  io: Io,
): Promise<DevnetL1> => {
  const l1 = await startL1({
    folder: layout.l1,
    port: ports.l1,
    logPath: `${layout.logs}/l1.log`,
    signal: io.signal,
  });
  running.l1 = l1;
  await writeRecord(layout.anvilRecord, 'L1', l1.anvilPid, true);
  if (l1.resumedAt === null) {
    if (marker.deployed)
      throw new CliError(`expected a snapshot of the L1 in ${layout.l1}, found none that reads back`, {
        code: 'L1_LOST',
        exitCode: EXIT.config,
        hint: 'The sidechain cannot go on without its L1. Delete both: causeway devnet down --purge',
      });
    await fund(l1.url, accounts, genesis);
    io.progress(`L1 is up at ${l1.url}, chain id ${genesis.spec.l1ChainId}`);
  } else io.progress(`L1 is up at ${l1.url}, resumed at block ${l1.resumedAt}`);
  running.mining = l1.miner.run(running.stopMiner.signal).catch((error: unknown) => {
    if (!l1.child.wasAsked() && !running.stopMiner.signal.aborted)
      io.progress(
        io.style('red', `The L1 makes no more blocks: ${(error as Error).message}. Log: ${l1.child.logPath}`),
      );
  });
  reportUnexpectedEnd(l1.child, 'Start the devnet again; it resumes.', io);
  return l1;
};

const fund = async (url: string, accounts: DevnetAccounts, genesis: Genesis): Promise<void> => {
  const { deployer, relayers, traveller } = accounts;
  const wanted: [string, bigint][] = [
    [deployer.address, genesis.backedWei + ROLE_GAS_WEI],
    ...relayers.map(({ address }): [string, bigint] => [address, ROLE_GAS_WEI]),
    [traveller.address, ROLE_GAS_WEI],
  ];
  for (const [address, wei] of wanted)
    await rpcRequest(url, 'anvil_setBalance', [address, `0x${wei.toString(16)}`]);
};

const startNodes = (layout: DevnetLayout, running: Running, io: Io): void => {
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  for (const name of nodeNames()) {
    const group = name.startsWith('relayer') ? 'relayer' : 'node';
    const { config } = nodeFiles(layout, name);
    const child = startChild(
      name,
      [process.execPath, main, group, 'run', '--config', config],
      `${layout.logs}/${name}.log`,
    );
    running.children.push(child);
    reportUnexpectedEnd(child, `Restart it: ${restartCommand(layout, name)}`, io);
  }
  io.progress(`Starting ${VALIDATOR_COUNT} validators and ${RELAYER_COUNT} relayers, a process each`);
};

const reportUnexpectedEnd = (child: Child, remedy: string, io: Io): void => {
  void child.exited.then(({ code, signal }) => {
    if (child.wasAsked()) return;
    const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
    io.progress(
      io.style('yellow', `${child.name} ended ${how}; the other processes go on. Log: ${child.logPath}`),
    );
    io.progress(`  ${remedy}`);
  });
};

const deployContracts = async (
  layout: DevnetLayout,
  marker: DevnetMarker,
  accounts: DevnetAccounts,
  genesis: Genesis,
  l1: DevnetL1,
  io: Io,
): Promise<void> => {
  if (marker.deployed) return;
  const deployed = await withDeploymentJournal(layout.deploymentJournal, (journal) =>
    deployPeg({
      manifest: createManifest(genesisToPegInputs(genesis)),
      publicClient: createPublicClient({ transport: http(l1.url), pollingInterval: 250, cacheTime: 0 }),
      signer: createLocalSigner(accounts.deployer.privateKey),
      journal,
      pollMs: 250,
      timeoutMs: 120_000,
      signal: io.signal,
    }),
  );
  await saveMarker(layout, { ...marker, deployed: true });
  io.progress(
    `Contracts deployed in L1 block ${deployed.deploymentBlock} and verified at finality; vault ${genesis.l1.vault}`,
  );
};

/** Any validator will do; when one goes away in the middle, the next one goes on from the journal. */
const crossOver = async (
  layout: DevnetLayout,
  ports: DevnetPorts,
  accounts: DevnetAccounts,
  genesis: Genesis,
  l1: DevnetL1,
  io: Io,
): Promise<CrossingReport> => {
  const journal = await openCrossingJournal(layout.crossingJournal);
  try {
    for (let attempt = 0; ; attempt++) {
      const port = ports.validatorRpc[attempt % VALIDATOR_COUNT];
      const peg = createPeg({
        l1Url: l1.url,
        sidechainUrl: `http://${HOST}:${port}`,
        l1ChainId: genesis.spec.l1ChainId,
        sidechainId: genesis.spec.chainId,
        addresses: genesis.l1,
        pollMs: 250,
      });
      try {
        return await runCrossing({ peg, accounts, journal, io });
      } catch (error) {
        if (io.signal.aborted || attempt >= 2 * VALIDATOR_COUNT || !isUnreachable(error)) throw error;
        io.progress(
          io.style('yellow', `Validator ${(attempt % VALIDATOR_COUNT) + 1} does not answer; asking the next`),
        );
      }
    }
  } finally {
    await journal.end();
  }
};

const isUnreachable = (error: unknown): boolean => {
  for (let current = error; current instanceof Error; current = current.cause)
    if (current.name === 'HttpRequestError' || current.name === 'TimeoutError') return true;
  return false;
};

/** The L1 last, and its newest snapshot finished. */
/** They are not ours to stop, and they keep their ports and data: whoever started them is told. */
const nameNodesByHand = async (layout: DevnetLayout, io: Io): Promise<void> => {
  const byHand = (await liveProcesses(layout)).filter(({ managed }) => !managed);
  if (byHand.length === 0) return;
  const names = byHand.map(({ name, pid }) => `${name} (process ${pid})`).join(', ');
  io.progress(io.style('yellow', `Still running, because started by hand: ${names}`));
  io.progress('  Stop everything: node cli/bin.mjs devnet down');
};

const stopAll = async ({ children, stopMiner, mining, l1 }: Running, io: Io): Promise<void> => {
  if (children.length + (l1 === null ? 0 : 1) === 0) return;
  io.progress(io.style('dim', 'Stopping every process…'));
  await Promise.all(children.map((child) => child.stop()));
  stopMiner.abort();
  await mining;
  await l1?.child.stop();
};
