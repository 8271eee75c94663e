/** What the `db` commands have in common: sizes for people, and the options of the window. */
import { defaultedOption, parseWholeNumber } from '#cli/options.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export const formatBytes = (bytes: number): string => {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${UNITS[unit]!}`;
};

export const stateBlocksOption = defaultedOption(
  '--state-blocks <blocks>',
  'states to keep below the head',
  parseWholeNumber,
  1_024,
);
export const historyBlocksOption = defaultedOption(
  '--history-blocks <blocks>',
  'heights below the head whose transactions and receipts to keep; at least --state-blocks',
  parseWholeNumber,
  100_000,
);
