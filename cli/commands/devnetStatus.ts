/** `causeway devnet status`. */
import { defineCommand } from '#cli/command.ts';
import { devnetLayout } from '#cli/devnet/layout.ts';
import { dataOption } from '#cli/devnet/options.ts';
import { devnetStatus } from '#cli/devnet/status.ts';
import { formatTable } from '#cli/io.ts';

export const devnetStatusCommand = defineCommand({
  path: ['devnet', 'status'],
  summary: 'show who runs and how far the chains are',
  description: 'Shows every process of the devnet, whether it answers, and the heights of both chains.',
  examples: ['devnet status', 'devnet status --json'],
  options: { data: dataOption },
  run: async ({ data }) => {
    const status = await devnetStatus(devnetLayout(data));
    const rows = status.processes.map(({ name, pid, port, answers, height }) => [
      name,
      pid === null ? '-' : `pid ${pid}`,
      `port ${port}`,
      answers ? 'answers' : 'silent',
      height === null ? '' : `height ${height}`,
    ]);
    const head = status.up ? `up (process ${status.pid})` : 'not up';
    return { data: status, text: `${head}\n${formatTable(rows)}` };
  },
});
