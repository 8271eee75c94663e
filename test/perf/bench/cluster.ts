/**
 * Four validators as real processes on a copy of a prepared chain, and what can be asked of them from outside.
 *
 * Owns their folder, ports, start and end. They run as an operator would run them, with the devnet's configuration; no
 * relayer and no L1 run beside them, for a chain past height 1 goes on without (its imports do not).
 */
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { devnetAccounts } from '#cli/devnet/accounts.ts';
import { type Child, startChild } from '#cli/devnet/child.ts';
import { devnetLayout, nodeFiles } from '#cli/devnet/layout.ts';
import { writeNodes } from '#cli/devnet/network.ts';
import { devnetPorts } from '#cli/devnet/ports.ts';
import { openFolderDisk } from '#node/consensus/disk.ts';
import { initialiseGuard, UNSIGNED } from '#node/consensus/guard.ts';
import { closeHeight } from '#node/consensus/guardChange.ts';
import { eventually, freePortBase, heightOf, VALIDATORS } from '#test/e2e/support/devnet.ts';
import { type BaseState, chainFolderOf } from './baseState.ts';
import { type ProcessSample, sampleProcess } from './procStats.ts';
import { parseStageMetrics, type StageSample } from './stageSample.ts';

const MAIN = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));

/** Samples are written at the end, all of them: more of them take a minute. */
const PROFILE_INTERVAL_US = 2_000;

export type Cluster = {
  readonly folder: string;
  readonly urls: readonly string[];
  sample(): readonly ProcessSample[];
  stages(): Promise<readonly StageSample[]>;
  /** @throws when one has ended by itself, with the end of its log */
  requireAlive(): void;
  stop(): Promise<void>;
  dispose(): void;
};

/** Tables of LevelDB never change, so a link is a copy; everything else is copied. */
const copyChain = (from: string, to: string): void => {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (name === 'LOCK') continue;
    const [source, target] = [join(from, name), join(to, name)];
    if (!name.endsWith('.ldb')) copyFileSync(source, target);
    else {
      try {
        linkSync(source, target);
      } catch {
        copyFileSync(source, target); // another file system
      }
    }
  }
};

export type ClusterOptions = {
  /** Processor profiles of every thread go here. */
  readonly profileFolder: string | null;
};

export const startCluster = async (base: BaseState, { profileFolder }: ClusterOptions): Promise<Cluster> => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-bench-'));
  const layout = devnetLayout(folder);
  const accounts = devnetAccounts();
  const ports = devnetPorts(await freePortBase());
  copyFileSync(devnetLayout(base.folder).genesis, layout.genesis);
  await writeNodes(layout, accounts, ports, `http://127.0.0.1:${ports.l1}`);
  mkdirSync(layout.logs, { recursive: true });
  const children: Child[] = [];
  let stopping = false;
  const stop = async (): Promise<void> => {
    stopping = true;
    await Promise.all(children.map((child) => child.stop(profileFolder === null ? 20_000 : 180_000)));
  };
  try {
    for (const { name, address } of accounts.validators) {
      const files = nodeFiles(layout, name);
      copyChain(chainFolderOf(base.folder), join(files.data, 'chain'));
      const guard = await initialiseGuard(
        await openFolderDisk(join(files.data, 'consensus')),
        { validator: address, genesisHash: base.genesis.genesisHash },
        closeHeight(UNSIGNED, BigInt(base.height)),
      );
      await guard.close();
      const profiling =
        profileFolder === null
          ? []
          : [
              '--cpu-prof',
              `--cpu-prof-interval=${PROFILE_INTERVAL_US}`,
              `--cpu-prof-dir=${join(profileFolder, name)}`,
            ];
      children.push(
        startChild(
          name,
          [process.execPath, ...profiling, MAIN, 'node', 'run', '--config', files.config],
          join(layout.logs, `${name}.log`),
        ),
      );
    }
    const urls = VALIDATORS.map((_, index) => `http://127.0.0.1:${ports.validatorRpc[index]}`);
    const requireAlive = (): void => {
      for (const { name, pid, logPath } of children) {
        try {
          process.kill(pid, 0);
        } catch {
          if (!stopping)
            throw new Error(`${name} ended by itself:\n${readFileSync(logPath, 'utf8').slice(-2_000)}`);
        }
      }
    };
    await eventually(
      'four validators that commit',
      async () => {
        requireAlive();
        return (await Promise.all(urls.map(heightOf))).every((height) => height > base.height);
      },
      120_000,
    );
    return {
      folder,
      urls,
      sample: () => children.map(({ pid }) => sampleProcess(pid)),
      stages: () =>
        Promise.all(urls.map(async (url) => parseStageMetrics(await (await fetch(`${url}/metrics`)).text()))),
      requireAlive,
      stop,
      dispose: () => rmSync(folder, { recursive: true, force: true }),
    };
  } catch (error) {
    await stop();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
};
