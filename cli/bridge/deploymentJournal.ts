/** The deployment's journal in a file: what was signed survives the process that signed it. */
import type { DeploymentIntent, DeploymentJournal } from '#bridge/deployment/deployPeg.ts';
import { openJournal } from '#bridge/relayer/journal.ts';

/** @throws JournalError DAMAGED */
export const withDeploymentJournal = async <T>(
  path: string,
  run: (journal: DeploymentJournal) => Promise<T>,
): Promise<T> => {
  const file = await openJournal<DeploymentIntent>(path);
  const intents = [...file.entries];
  try {
    return await run({
      load: async () => intents,
      save: async (intent) => {
        await file.append(intent);
        intents.push(intent);
      },
    });
  } finally {
    await file.close();
  }
};
