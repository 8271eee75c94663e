/** `causeway node run`: a validator, or without a consensus key a full node. */
import { defineCommand } from '#cli/command.ts';
import { configOption, passphraseFdOption, passphraseFileOption } from '#cli/options.ts';

export const nodeRunCommand = defineCommand({
  path: ['node', 'run'],
  summary: 'run a validator or full node',
  description:
    'Runs the node of a configuration file until SIGTERM or Ctrl-C. With a consensus key it votes; without one it follows by block sync. Logs are JSON lines on stderr.',
  examples: [
    'node run --config validator-1/node.toml',
    'node run --config node.toml --passphrase-fd 3 3< passphrase',
  ],
  options: {
    config: configOption,
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
  },
  run: async ({ config, ...sources }, io) => {
    const { runNode } = await import('#cli/node/runNode.ts');
    await runNode({ configPath: config, role: 'node', sources }, io);
    return null;
  },
});
