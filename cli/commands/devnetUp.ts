/** `causeway devnet up` (what `npm start` runs). */
import { defineCommand } from '#cli/command.ts';
import { devnetLayout } from '#cli/devnet/layout.ts';
import { dataOption, portBaseOption } from '#cli/devnet/options.ts';
import { switchOption } from '#cli/options.ts';

export const devnetUpCommand = defineCommand({
  path: ['devnet', 'up'],
  summary: 'bring the whole network up and show the first crossing',
  description:
    'Starts an L1, four validators and three relayers on this machine, deploys the peg, and sends ETH across in both directions. Then it stays up until Ctrl-C, which stops every process. A second run resumes the same chains; an interrupted crossing completes first. With --json the last line of stdout is one JSON object with the crossing’s transactions, times and books.',
  examples: ['devnet up', 'devnet up --exit --json', 'devnet up --data /tmp/other --port-base 20000'],
  options: {
    exit: switchOption('--exit', 'stop every process after the crossing; the data stays'),
    data: dataOption,
    portBase: portBaseOption,
  },
  run: async ({ exit, data, portBase }, io) => {
    const { devnetUp } = await import('#cli/devnet/up.ts');
    await devnetUp({ layout: devnetLayout(data), portBase: portBase ?? null, exit }, io);
    return null;
  },
});
