/**
 * Processes of an earlier run: found by their records, believed only if pid and start time agree.
 *
 * A devnet's own processes stop by themselves when it is gone; what is left nevertheless is stopped. A node that
 * somebody restarted by hand is that person's, so it is named and left alone.
 */
import { type DevnetLayout, nodeFiles } from '#cli/devnet/layout.ts';
import { RELAYER_COUNT, VALIDATOR_COUNT } from '#cli/devnet/ports.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { nodeRecordPath } from '#cli/node/nodeProcess.ts';
import { awaitExit, type ProcessRecord, readLiveRecord, stopProcess } from '#cli/processIdentity.ts';

export const nodeNames = (): string[] => [
  ...Array.from({ length: VALIDATOR_COUNT }, (_, index) => `validator-${index + 1}`),
  ...Array.from({ length: RELAYER_COUNT }, (_, index) => `relayer-${index + 1}`),
];

/** Nodes and L1 that live, whoever started them. */
export const liveProcesses = async (layout: DevnetLayout): Promise<ProcessRecord[]> => {
  const paths = [
    ...nodeNames().map((name) => nodeRecordPath(nodeFiles(layout, name).data)),
    layout.anvilRecord,
  ];
  return (await Promise.all(paths.map(readLiveRecord))).filter((record) => record !== null);
};

/** @throws CliError ALREADY_UP */
export const requireNotUp = async (layout: DevnetLayout): Promise<void> => {
  const driver = await readLiveRecord(layout.driverRecord);
  if (driver !== null)
    throw new CliError(`expected no devnet running in ${layout.root}, found one: process ${driver.pid}`, {
      code: 'ALREADY_UP',
      exitCode: EXIT.config,
      hint: 'See it with causeway devnet status, stop it with causeway devnet down, or run another with --data <dir> --port-base <port>.',
    });
};

const GONE_BY_THEMSELVES_MS = 3_000;

/** @throws CliError LEFT_OVER for a node that was started by hand */
export const clearLeftovers = async (layout: DevnetLayout, io: Io): Promise<void> => {
  const live = await liveProcesses(layout);
  const byHand = live.find(({ managed }) => !managed);
  if (byHand !== undefined)
    throw new CliError(
      `expected no node of this devnet running, found ${byHand.name} as process ${byHand.pid}, started by hand`,
      {
        code: 'LEFT_OVER',
        exitCode: EXIT.config,
        hint: `Stop it: kill ${byHand.pid}, or causeway devnet down for everything.`,
      },
    );
  await Promise.all(
    live.map(async (record) => {
      if (await awaitExit(record, GONE_BY_THEMSELVES_MS)) return;
      io.progress(`Stopping ${record.name}, left over from an earlier run (process ${record.pid})`);
      await stopProcess(record);
    }),
  );
};
