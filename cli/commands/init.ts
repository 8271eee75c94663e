/** `causeway init`: a node or relayer on its own machine, from the sealed transcript alone. */
import { keysOption } from '#cli/ceremony/options.ts';
import { defineCommand } from '#cli/command.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import {
  optionalOption,
  parsePath,
  parsePort,
  parseUrl,
  repeatedOption,
  requiredOption,
} from '#cli/options.ts';

export const initCommand = defineCommand({
  path: ['init'],
  summary: 'prepare a node or relayer from a sealed transcript',
  description:
    'Audits the transcript, compares your keys with those that were enrolled for the seat, and writes genesis.json, node.toml and a copy of the transcript into a folder. Everybody else’s endpoints come from the transcript. Nothing that is there is overwritten.',
  examples: [
    'init --transcript transcript.jsonl --seat acme-validator --keys keys --out /var/lib/causeway --l1-url https://l1-a.example.org --l1-url https://l1-b.example.net',
    'init --transcript transcript.jsonl --seat acme-relayer --keys keys --out relayer --l1-url https://l1-c.example.com --json',
  ],
  options: {
    transcript: requiredOption('--transcript <file>', 'the sealed transcript', parsePath),
    seat: requiredOption('--seat <name>', 'the validator or relayer, as the plan names it', (text) => text),
    keys: keysOption,
    out: requiredOption('--out <dir>', 'the folder to prepare', parsePath),
    l1Urls: repeatedOption(
      '--l1-url <url>',
      'JSON-RPC endpoint of the L1; at least two in production',
      parseUrl,
    ),
    rpcPort: optionalOption('--rpc-port <port>', 'serve JSON-RPC on this port of 127.0.0.1', parsePort),
    passphraseFile: optionalOption(
      '--passphrase-file <file>',
      'the configuration’s pass phrase file; it is named there, not read',
      parsePath,
    ),
  },
  run: async ({ l1Urls = [], ...options }) => {
    const { prepareSeat } = await import('#cli/ceremony/init.ts');
    if (l1Urls.length === 0)
      throw new CliError('expected --l1-url, found none', {
        code: 'USAGE',
        exitCode: EXIT.usage,
        hint: 'Give the JSON-RPC endpoints of the L1, at least two of independent operators in production.',
      });
    const { seat, ...prepared } = await prepareSeat({ ...options, l1Urls });
    const group = seat.role === 'validator' ? 'node' : 'relayer';
    return {
      data: { seat: seat.name, organisation: seat.organisation, role: seat.role, ...prepared },
      text: [
        `${seat.role} ${seat.name} of ${seat.organisation}`,
        `genesis hash     ${prepared.genesisHash}`,
        `transcript hash  ${prepared.transcriptHash}`,
        `Look at ${prepared.config}, then: causeway ${group} run --config ${prepared.config}`,
      ].join('\n'),
    };
  },
});
