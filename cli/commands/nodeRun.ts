/** `causeway node run`: a validator, or without a consensus key a full node. */
import { defineCommand } from '#cli/command.ts';
import { configOption, modeOption, passphraseFdOption, passphraseFileOption } from '#cli/options.ts';

export const nodeRunCommand = defineCommand({
  path: ['node', 'run'],
  summary: 'run a validator or full node',
  description:
    'Runs the node of a configuration file until SIGTERM or Ctrl-C. With a consensus key it votes; without one it follows by block sync. An archive keeps every height; a pruned node deletes states and transactions behind a window, and its folder stays a pruned one. Logs are JSON lines on stderr.',
  examples: [
    'node run --config validator-1/node.toml',
    'node run --config node.toml --passphrase-fd 3 3< passphrase',
  ],
  options: {
    config: configOption,
    mode: modeOption,
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
  },
  run: async ({ config, mode, ...sources }, io) => {
    const { runNode } = await import('#cli/node/runNode.ts');
    await runNode({ configPath: config, mode, role: 'node', sources }, io);
    return null;
  },
});
