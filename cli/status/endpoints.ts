/**
 * Which nodes to ask: those named by URL or configuration, otherwise the validators of the devnet.
 *
 * Owns the remedy for each that does not answer.
 */
import { type DevnetLayout, devnetLayout, inspectFolder } from '#cli/devnet/layout.ts';
import { devnetPorts, HOST } from '#cli/devnet/ports.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Endpoint } from '#cli/status/remote.ts';

export type EndpointOptions = {
  readonly rpc: readonly string[] | undefined;
  readonly config: readonly string[] | undefined;
  /** The devnet's folder. */
  readonly data: string;
};

const byUrl = (url: string): Endpoint => ({
  url,
  name: null,
  remedy: async () =>
    'Check that the node runs, and that host and port are those of [rpc] in its configuration.',
});

/** A node that listens on every address is asked on this machine's own. */
const reachableHost = (host: string): string => (host === '0.0.0.0' || host === '::' ? HOST : host);

/** @throws CliError NO_RPC; ConfigError */
const byConfig = async (path: string): Promise<Endpoint> => {
  const { loadConfig } = await import('#node/config.ts');
  const { name, rpc } = await loadConfig(path);
  if (rpc === null || rpc.port === 0)
    throw new CliError(
      `expected a fixed rpc.port in ${path}, found ${rpc === null ? 'no [rpc]' : 'port 0'}`,
      {
        code: 'NO_RPC',
        exitCode: EXIT.config,
        hint: 'Add [rpc] with host and port to the configuration, or name the node with --rpc <url>.',
      },
    );
  return {
    url: `http://${reachableHost(rpc.host)}:${rpc.port}`,
    name,
    remedy: async () => `Start it: causeway node run --config ${path}`,
  };
};

const ofDevnet = (layout: DevnetLayout, portBase: number | null): readonly Endpoint[] =>
  devnetPorts(portBase).validatorRpc.map((port, index) => {
    const name = `validator-${index + 1}`;
    return {
      url: `http://${HOST}:${port}`,
      name,
      remedy: async () => {
        const { restartCommand } = await import('#cli/devnet/table.ts');
        return `If it ended, its log in ${layout.logs} says why. Start it: ${restartCommand(layout, name)}`;
      },
    };
  });

/** @throws CliError NO_DEVNET, NO_RPC; ConfigError */
export const findEndpoints = async ({ rpc, config, data }: EndpointOptions): Promise<readonly Endpoint[]> => {
  if (rpc !== undefined || config !== undefined)
    return [...(rpc ?? []).map(byUrl), ...(await Promise.all((config ?? []).map(byConfig)))];
  const layout = devnetLayout(data);
  const found = await inspectFolder(layout);
  if (found.state !== 'ours')
    throw new CliError(`expected a devnet in ${layout.root}, found none that this release knows`, {
      code: 'NO_DEVNET',
      exitCode: EXIT.config,
      hint: 'Name the nodes to ask with --rpc <url> or --config <file>, or the devnet’s folder with --data <dir>.',
    });
  return ofDevnet(layout, found.marker.portBase);
};
