/** Which fault this process plays, and with whose key; set by byzantineNode.ts before the node is wired. */
import type { FaultName, FaultTools } from '#test/faults/fault.ts';

export type ByzantineSettings = {
  readonly fault: FaultName;
  readonly seed: number;
  readonly key: FaultTools['key'];
};

let current: ByzantineSettings | null = null;

export const setByzantine = (settings: ByzantineSettings): void => {
  current = settings;
};

export const byzantineSettings = (): ByzantineSettings => {
  if (current === null) throw new Error('expected the settings of a Byzantine validator, found none');
  return current;
};
