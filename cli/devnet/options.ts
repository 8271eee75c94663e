/** Options that the devnet's commands share. */
import { InvalidArgumentError } from 'commander';
import { DEFAULT_DATA } from '#cli/devnet/layout.ts';
import { PORT_COUNT } from '#cli/devnet/ports.ts';
import { defaultedOption, optionalOption, parsePath, parsePort } from '#cli/options.ts';

export const dataOption = defaultedOption(
  '--data <dir>',
  'the devnet’s folder',
  parsePath,
  parsePath(DEFAULT_DATA),
  'CAUSEWAY_DEVNET_DATA',
);

const parsePortBase = (text: string): number => {
  const base = parsePort(text);
  if (base < 1 || base + PORT_COUNT > 65_536)
    throw new InvalidArgumentError(`Expected a port with ${PORT_COUNT} ports from it on, found "${text}".`);
  return base;
};

export const portBaseOption = optionalOption(
  '--port-base <port>',
  `use the ${PORT_COUNT} ports from this one on, instead of the well-known ones`,
  parsePortBase,
  'CAUSEWAY_DEVNET_PORT_BASE',
);
