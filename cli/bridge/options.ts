/** Options that the bridge's commands share. */
import { optionalOption, parsePath, parseUrl, requiredOption, switchOption } from '#cli/options.ts';

export const genesisOption = requiredOption(
  '--genesis <file>',
  'the sidechain’s genesis file, which names the peg’s contracts',
  parsePath,
  'CAUSEWAY_GENESIS',
);
export const l1UrlOption = requiredOption(
  '--l1-url <url>',
  'JSON-RPC endpoint of the L1',
  parseUrl,
  'CAUSEWAY_L1_URL',
);
export const rpcUrlOption = requiredOption(
  '--rpc-url <url>',
  'JSON-RPC endpoint of a sidechain node',
  parseUrl,
  'CAUSEWAY_RPC_URL',
);
export const keyOption = requiredOption(
  '--key <file>',
  'keystore of the account that signs',
  parsePath,
  'CAUSEWAY_KEY',
);
export const journalOption = optionalOption(
  '--journal <file>',
  'where the crossing is recorded before it is broadcast; by default beside the key',
  parsePath,
);
export const resumeOption = switchOption(
  '--resume',
  'complete the crossing that an earlier run left unfinished',
);
export const noWaitOption = switchOption('--async', 'end as soon as the transaction is in a block');
