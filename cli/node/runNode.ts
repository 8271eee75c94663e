/**
 * Runs one node, with or without a relayer beside it, until it is told to stop or must not go on.
 *
 * Owns the way from a configuration file to a running process: keys, genesis, wiring, the end. What a node is made
 * of is node/node.ts.
 */
import type { Relayer } from '#bridge/relayer/relayer.ts';
import { CliError, EXIT, type ExitCode } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { claimDataFolder } from '#cli/node/nodeProcess.ts';
import { createRelayerBeside } from '#cli/node/runRelayer.ts';
import { obtainPassphrase, type PassphraseSources } from '#cli/passphrase.ts';
import type { Signer } from '#consensus/signer.ts';
import { loadGenesis } from '#genesis/genesisFile.ts';
import { loadConfig, type NodeConfig, withStorageMode } from '#node/config.ts';
import { openKeystoreFile } from '#node/keys/keystoreFile.ts';
import { openSignerFile } from '#node/keys/signerFile.ts';
import { createNode, type NodeFault } from '#node/node.ts';
import type { StorageMode } from '#node/storage/mode.ts';
import { createLogger } from '#node/telemetry/logger.ts';

export type RunOptions = {
  readonly configPath: string;
  readonly role: 'node' | 'relayer';
  /** Instead of what the configuration says. */
  readonly mode?: StorageMode | undefined;
  readonly sources: PassphraseSources;
};

type RelayerConfig = NodeConfig & { readonly relayer: NonNullable<NodeConfig['relayer']> };

const isRelayerConfig = (config: NodeConfig): config is RelayerConfig => config.relayer !== null;

/** A relayer started as a plain node would sign nothing without a word, and the reverse. */
const requireRole = (config: NodeConfig, role: RunOptions['role']): void => {
  const found = isRelayerConfig(config) ? 'relayer' : 'node';
  if (found !== role)
    throw new CliError(
      `expected the configuration of a ${role} in ${config.path}, found that of a ${found}`,
      {
        code: 'WRONG_ROLE',
        exitCode: EXIT.config,
        hint: `Run it with: causeway ${found} run --config ${config.path}`,
      },
    );
  if (role === 'relayer' && config.keys.consensus !== null)
    throw new CliError(`expected no consensus key in the relayer's configuration ${config.path}, found one`, {
      code: 'WRONG_ROLE',
      exitCode: EXIT.config,
      hint: 'A relayer runs a full node of its own, never a validator: the two locks must not share a machine’s keys.',
    });
};

type Keys = {
  readonly nodeKeySeed: Uint8Array;
  readonly consensusSigner: Signer | null;
  readonly relayerSigner: Signer | null;
};

/** The options win over the configuration's pass phrase file. */
const openKeys = async ({ keys }: NodeConfig, sources: PassphraseSources, io: Io): Promise<Keys> => {
  const isGiven = sources.passphraseFile !== undefined || sources.passphraseFd !== undefined;
  const passphrase = await obtainPassphrase(
    isGiven ? sources : { ...sources, passphraseFile: keys.passphraseFile ?? undefined },
    io,
  );
  const openSigner = async (path: string | null): Promise<Signer | null> =>
    path === null ? null : openSignerFile(path, passphrase);
  const { secret: nodeKeySeed } = await openKeystoreFile(keys.node, 'ed25519', passphrase);
  return {
    nodeKeySeed,
    consensusSigner: await openSigner(keys.consensus),
    relayerSigner: await openSigner(keys.relayer),
  };
};

const FAULT_EXIT: Readonly<Record<string, ExitCode>> = {
  L1_CONTRADICTION: EXIT.verification,
  DIVERGED: EXIT.verification,
  DIVERGENCE: EXIT.verification,
  KEY_IN_USE: EXIT.guard,
};

const exitOfFault = (code: string): ExitCode =>
  code.startsWith('GUARD_') ? EXIT.guard : (FAULT_EXIT[code] ?? EXIT.internal);

const faultToError = ({ code, message }: NodeFault): CliError =>
  new CliError(message, {
    code,
    exitCode: exitOfFault(code),
    hint:
      code === 'UPGRADE_REQUIRED'
        ? 'Install the newer release and start the node again: it catches up by itself.'
        : 'The node stopped by itself and signs nothing more: find out why before it is started again.',
  });

const toldToStop = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** @throws ConfigError, KeyError, GenesisError, NodeError; CliError with the fault that ended the node */
export const runNode = async ({ configPath, role, mode, sources }: RunOptions, io: Io): Promise<void> => {
  const loaded = await loadConfig(configPath);
  const config = mode === undefined ? loaded : withStorageMode(loaded, mode);
  requireRole(config, role);
  const genesis = await loadGenesis(config.genesisPath);
  const keys = await openKeys(config, sources, io);
  const release = await claimDataFolder(config.dataDir, config.name);
  const logger = createLogger({ name: config.name, level: config.log.level });
  try {
    const ended = Promise.withResolvers<NodeFault | null>();
    io.signal.addEventListener('abort', () => ended.resolve(null), { once: true });
    if (io.signal.aborted) return;
    const node = await createNode(config, {
      genesis,
      consensusSigner: keys.consensusSigner,
      nodeKeySeed: keys.nodeKeySeed,
      logger,
      onFatal: ended.resolve,
    });
    let relayer: Relayer | null = null;
    try {
      await node.start();
      if (isRelayerConfig(config) && keys.relayerSigner !== null) {
        relayer = createRelayerBeside(node, config, keys.relayerSigner, logger);
        await relayer.start();
      }
      const fault = await ended.promise;
      // What was executed is still right: it stays readable until somebody stops the process to upgrade it.
      if (fault?.code === 'UPGRADE_REQUIRED') await toldToStop(io.signal);
      if (fault !== null) throw faultToError(fault);
    } finally {
      await relayer?.stop();
      await node.stop();
    }
  } finally {
    await release();
  }
};
