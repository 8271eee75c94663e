/** What the commands on a node's data folder share: the option, and whether a node runs on it. */
import { nodeRecordPath } from '#cli/node/nodeProcess.ts';
import { parsePath, requiredOption } from '#cli/options.ts';
import { readLiveRecord } from '#cli/processIdentity.ts';

export const dataOption = requiredOption(
  '--data <dir>',
  'the node’s data folder (data_dir of its configuration)',
  parsePath,
  'CAUSEWAY_DATA',
);

/** Only looks: a lock taken for a moment could make a node fail that starts in that moment. */
export const runningPid = async (dataDir: string): Promise<number | null> =>
  (await readLiveRecord(nodeRecordPath(dataDir)))?.pid ?? null;

export const runningNote = (pid: number | null): readonly string[] =>
  pid === null
    ? []
    : [`process ${pid} runs on this folder: read as it was at this moment, nothing was changed`];
