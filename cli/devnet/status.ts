/** `devnet status`: who runs, how far each chain is; asks nobody for anything that changes state. */

import { headOf, relayerAnswers } from '#cli/devnet/health.ts';
import { type DevnetLayout, inspectFolder, nodeFiles } from '#cli/devnet/layout.ts';
import { nodeNames } from '#cli/devnet/leftovers.ts';
import { devnetPorts } from '#cli/devnet/ports.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { nodeRecordPath } from '#cli/node/nodeProcess.ts';
import { readLiveRecord } from '#cli/processIdentity.ts';

export type ProcessStatus = {
  readonly name: string;
  readonly pid: number | null;
  readonly port: number;
  readonly answers: boolean;
  /** Of the L1 or a validator. */
  readonly height: bigint | null;
};

export type DevnetStatus = {
  readonly up: boolean;
  readonly pid: number | null;
  readonly processes: readonly ProcessStatus[];
};

/** @throws CliError NO_DEVNET, OTHER_FORMAT */
export const devnetStatus = async (layout: DevnetLayout): Promise<DevnetStatus> => {
  const found = await inspectFolder(layout);
  if (found.state === 'otherFormat')
    throw new CliError(`expected a devnet of this release in ${layout.root}, found another release's`, {
      code: 'OTHER_FORMAT',
      exitCode: EXIT.config,
      hint: 'Delete it and begin again: causeway devnet down --purge',
    });
  if (found.state !== 'ours')
    throw new CliError(`expected a devnet in ${layout.root}, found none that this release knows`, {
      code: 'NO_DEVNET',
      exitCode: EXIT.config,
      hint: 'Start one with causeway devnet up, or name its folder with --data <dir>.',
    });
  const ports = devnetPorts(found.marker.portBase);
  const driver = await readLiveRecord(layout.driverRecord);
  const anvil = await readLiveRecord(layout.anvilRecord);
  const l1Height = await headOf(ports.l1);
  const nodes = nodeNames().map(async (name, index): Promise<ProcessStatus> => {
    const record = await readLiveRecord(nodeRecordPath(nodeFiles(layout, name).data));
    const rpcPort = ports.validatorRpc[index];
    if (rpcPort !== undefined) {
      const height = await headOf(rpcPort);
      return { name, pid: record?.pid ?? null, port: rpcPort, answers: height !== null, height };
    }
    const port = ports.relayerExchange[index - ports.validatorRpc.length]!;
    return { name, pid: record?.pid ?? null, port, answers: await relayerAnswers(port), height: null };
  });
  return {
    up: driver !== null,
    pid: driver?.pid ?? null,
    processes: [
      { name: 'L1', pid: anvil?.pid ?? null, port: ports.l1, answers: l1Height !== null, height: l1Height },
      ...(await Promise.all(nodes)),
    ],
  };
};
