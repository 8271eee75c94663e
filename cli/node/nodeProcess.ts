/**
 * The record that a running node keeps in its data folder, so that nobody starts it twice and `devnet down` finds it.
 */
import { join } from 'node:path';
import { CliError, EXIT } from '#cli/errors.ts';
import { readLiveRecord, removeRecord, writeRecord } from '#cli/processIdentity.ts';

export const nodeRecordPath = (dataDir: string): string => join(dataDir, 'process.json');

/** @returns a function that gives the record up. @throws CliError ALREADY_RUNNING */
export const claimDataFolder = async (dataDir: string, name: string): Promise<() => Promise<void>> => {
  const path = nodeRecordPath(dataDir);
  const running = await readLiveRecord(path);
  if (running !== null && running.pid !== process.pid)
    throw new CliError(
      `expected ${name} not to be running, found process ${running.pid} with its data ${dataDir}`,
      {
        code: 'ALREADY_RUNNING',
        exitCode: EXIT.config,
        hint: `Two processes with one key would double-sign: stop the other first (kill ${running.pid}).`,
      },
    );
  await writeRecord(path, name, process.pid, process.channel !== undefined);
  return () => removeRecord(path);
};
