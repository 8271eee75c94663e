/** `causeway bridge withdraw`: ETH from the sidechain to the L1, up to the point where it can be claimed. */
import {
  genesisOption,
  journalOption,
  keyOption,
  l1UrlOption,
  noWaitOption,
  resumeOption,
  rpcUrlOption,
} from '#cli/bridge/options.ts';
import { defineCommand } from '#cli/command.ts';
import { formatEth } from '#cli/io.ts';
import {
  optionalOption,
  parseAddressOption,
  parseAmountWei,
  passphraseFdOption,
  passphraseFileOption,
  requiredOption,
} from '#cli/options.ts';
import { parseAddress } from '#consensus/primitives.ts';

export const bridgeWithdraw = defineCommand({
  path: ['bridge', 'withdraw'],
  summary: 'burn ETH on the sidechain, to claim it on the L1',
  description:
    'Burns ETH on the sidechain and waits until a checkpoint on the L1 covers the burn. Then anyone may claim it for the recipient: causeway bridge claim. When the command is interrupted, --resume completes it exactly once.',
  examples: [
    'bridge withdraw --genesis genesis.json --l1-url http://127.0.0.1:9545 --rpc-url http://127.0.0.1:8545 --key keys/user.json --amount 0.5',
  ],
  options: {
    genesis: genesisOption,
    l1Url: l1UrlOption,
    rpcUrl: rpcUrlOption,
    key: keyOption,
    amount: requiredOption('--amount <eth>', 'how much, in ETH, or in wei as "1000wei"', parseAmountWei),
    to: optionalOption('--to <address>', 'recipient on the L1; by default the sender', parseAddressOption),
    async: noWaitOption,
    journal: journalOption,
    resume: resumeOption,
    passphraseFile: passphraseFileOption,
    passphraseFd: passphraseFdOption,
  },
  run: async (
    { genesis, l1Url, rpcUrl, key, amount, to, async: noWait, journal, resume, ...sources },
    io,
  ) => {
    const { waitForClaim, withdrawEth } = await import('#bridge/user/withdrawal.ts');
    const { openAccount, openPeg, withRecordedCrossing } = await import('#cli/bridge/session.ts');
    const peg = await openPeg({ genesis, l1Url, rpcUrl });
    const account = await openAccount(key, sources, io);
    const request = {
      kind: 'withdrawal' as const,
      details: { amountWei: String(amount), recipient: to ?? account.address.toLowerCase() },
    };
    const burned = await withRecordedCrossing(
      journal ?? `${key}.crossings`,
      request,
      resume,
      ({ details, ...record }) =>
        withdrawEth(peg, {
          account,
          recipient: parseAddress(details.recipient),
          amountWei: BigInt(details.amountWei!),
          record,
          signal: io.signal,
        }),
    );
    const { burnTx, index, sidechainBlock, leaf } = burned;
    const data = { burnTx, index, sidechainBlock, recipient: leaf.recipient, amountWei: leaf.amount };
    io.progress(`burned ${formatEth(leaf.amount)} in ${burnTx}, withdrawal ${index}`);
    if (noWait) return { data: { ...data, claimable: false }, text: burnTx };
    await waitForClaim(peg, burnTx, { index, signal: io.signal });
    return {
      data: { ...data, claimable: true },
      text: `${formatEth(leaf.amount)} can be claimed for ${leaf.recipient}: causeway bridge claim ${burnTx}`,
    };
  },
});
