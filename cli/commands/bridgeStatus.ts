/** `causeway bridge status`: one crossing by its transaction, or the peg’s books. */
import { genesisOption, l1UrlOption, rpcUrlOption } from '#cli/bridge/options.ts';
import { defineCommand } from '#cli/command.ts';
import { formatEth, formatTable } from '#cli/io.ts';
import { optionalOption, parseHashOption } from '#cli/options.ts';

export const bridgeStatus = defineCommand({
  path: ['bridge', 'status'],
  summary: 'where a crossing is, or whether the books balance',
  description:
    'With --tx, the hash of a deposit or of a burn: where each of its crossings is and what comes next. Without: what is locked on the L1, what circulates, and what is in flight.',
  examples: [
    'bridge status --genesis genesis.json --l1-url http://127.0.0.1:9545 --rpc-url http://127.0.0.1:8545',
    'bridge status --genesis genesis.json --l1-url http://127.0.0.1:9545 --rpc-url http://127.0.0.1:8545 --tx 0x… --json',
  ],
  options: {
    genesis: genesisOption,
    l1Url: l1UrlOption,
    rpcUrl: rpcUrlOption,
    tx: optionalOption('--tx <hash>', 'a deposit on the L1 or a burn on the sidechain', parseHashOption),
  },
  run: async ({ genesis, l1Url, rpcUrl, tx }) => {
    const { solvency } = await import('#bridge/user/solvency.ts');
    const { bridgeStatus: crossingStatus } = await import('#bridge/user/status.ts');
    const { openPeg } = await import('#cli/bridge/session.ts');
    const peg = await openPeg({ genesis, l1Url, rpcUrl });
    if (tx !== undefined) {
      const crossings = await crossingStatus(peg, tx);
      const text = crossings
        .map(
          ({ direction, nonce, amountWei, recipient, stage, next }) =>
            `${direction} ${nonce}: ${formatEth(amountWei)} to ${recipient}: ${stage}; ${next}`,
        )
        .join('\n');
      return { data: crossings, text };
    }
    const books = await solvency(peg);
    return {
      data: books,
      text: formatTable([
        ['locked on the L1', formatEth(books.lockedWei), `block ${books.l1Block}`],
        ['circulating', formatEth(books.circulatingWei), `block ${books.sidechainBlock}`],
        [
          'in flight',
          formatEth(books.inFlightWei),
          books.balanced ? 'the books balance' : 'THE BOOKS DO NOT BALANCE',
        ],
      ]),
    };
  },
});
