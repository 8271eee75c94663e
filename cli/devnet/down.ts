/** `devnet down`: asks the running devnet to stop, then stops what is left of it; deletes its data on request. */
import { type DevnetLayout, purgeFolder } from '#cli/devnet/layout.ts';
import { liveProcesses } from '#cli/devnet/leftovers.ts';
import type { Io } from '#cli/io.ts';
import { readLiveRecord, stopProcess } from '#cli/processIdentity.ts';

/** The devnet stops seven nodes and the L1 in this time, or is killed. */
const DRIVER_GRACE_MS = 30_000;

export type DownReport = { readonly stopped: readonly string[]; readonly purged: boolean };

/** @throws CliError FOREIGN_FOLDER when asked to purge a folder that is not a devnet's */
export const devnetDown = async (layout: DevnetLayout, purge: boolean, io: Io): Promise<DownReport> => {
  const stopped: string[] = [];
  const driver = await readLiveRecord(layout.driverRecord);
  if (driver !== null) {
    io.progress(`Stopping the devnet (process ${driver.pid})`);
    await stopProcess(driver, DRIVER_GRACE_MS);
    stopped.push(driver.name);
  }
  const left = await liveProcesses(layout);
  await Promise.all(
    left.map(async (record) => {
      io.progress(`Stopping ${record.name} (process ${record.pid})`);
      await stopProcess(record);
      stopped.push(record.name);
    }),
  );
  return { stopped, purged: purge && (await purgeFolder(layout)) };
};
