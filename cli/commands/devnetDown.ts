/** `causeway devnet down`. */
import { defineCommand } from '#cli/command.ts';
import { devnetDown } from '#cli/devnet/down.ts';
import { devnetLayout } from '#cli/devnet/layout.ts';
import { dataOption } from '#cli/devnet/options.ts';
import { switchOption } from '#cli/options.ts';

export const devnetDownCommand = defineCommand({
  path: ['devnet', 'down'],
  summary: 'stop the devnet and everything left of it',
  description:
    'Stops the devnet’s processes, nodes that were restarted by hand included. With --purge its data is deleted: the next start is a new chain.',
  examples: ['devnet down', 'devnet down --purge'],
  options: { purge: switchOption('--purge', 'delete the devnet’s data too'), data: dataOption },
  run: async ({ purge, data }, io) => {
    const report = await devnetDown(devnetLayout(data), purge, io);
    const stopped =
      report.stopped.length === 0 ? 'nothing was running' : `stopped ${report.stopped.join(', ')}`;
    return { data: report, text: report.purged ? `${stopped}; data deleted` : stopped };
  },
});
