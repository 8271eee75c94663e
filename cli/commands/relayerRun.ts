/** `causeway relayer run`: a relayer and its own full node, in one process. */
import { defineCommand } from '#cli/command.ts';
import { configOption, modeOption, passphraseFdOption, passphraseFileOption } from '#cli/options.ts';

export const relayerRunCommand = defineCommand({
  path: ['relayer', 'run'],
  summary: 'run a relayer with its own full node',
  description:
    'Runs a full node that executes every block itself and the relayer beside it, which signs only what that node found. The configuration has a [relayer] section and keys.relayer. Runs until SIGTERM or Ctrl-C.',
  examples: ['relayer run --config relayer-1/node.toml'],
  options: {
    config: configOption,
    mode: modeOption,
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
  },
  run: async ({ config, mode, ...sources }, io) => {
    const { runNode } = await import('#cli/node/runNode.ts');
    await runNode({ configPath: config, mode, role: 'relayer', sources }, io);
    return null;
  },
});
