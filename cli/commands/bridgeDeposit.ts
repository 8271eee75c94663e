/** `causeway bridge deposit`: ETH from the L1 to the sidechain. */
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

export const bridgeDeposit = defineCommand({
  path: ['bridge', 'deposit'],
  summary: 'lock ETH on the L1 and receive it on the sidechain',
  description:
    'Deposits ETH into the vault on the L1 and waits until the sidechain has minted it. The transaction is recorded before it is broadcast; when the command is interrupted, --resume completes it exactly once.',
  examples: [
    'bridge deposit --genesis genesis.json --l1-url http://127.0.0.1:9545 --rpc-url http://127.0.0.1:8545 --key keys/user.json --amount 1.5',
    'bridge deposit --genesis genesis.json --l1-url http://127.0.0.1:9545 --rpc-url http://127.0.0.1:8545 --key keys/user.json --amount 1.5 --resume --json',
  ],
  options: {
    genesis: genesisOption,
    l1Url: l1UrlOption,
    rpcUrl: rpcUrlOption,
    key: keyOption,
    amount: requiredOption('--amount <eth>', 'how much, in ETH, or in wei as "1000wei"', parseAmountWei),
    to: optionalOption(
      '--to <address>',
      'recipient on the sidechain; by default the sender',
      parseAddressOption,
    ),
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
    const { depositEth, followDeposit } = await import('#bridge/user/deposit.ts');
    const { openAccount, openPeg, withRecordedCrossing } = await import('#cli/bridge/session.ts');
    const peg = await openPeg({ genesis, l1Url, rpcUrl });
    const account = await openAccount(key, sources, io);
    const request = {
      kind: 'deposit' as const,
      details: { amountWei: String(amount), recipient: to ?? account.address.toLowerCase() },
    };
    const deposited = await withRecordedCrossing(
      journal ?? `${key}.crossings`,
      request,
      resume,
      ({ details, ...record }) =>
        depositEth(peg, {
          account,
          recipient: parseAddress(details.recipient),
          amountWei: BigInt(details.amountWei!),
          record,
          signal: io.signal,
        }),
    );
    io.progress(
      `deposited ${formatEth(deposited.amountWei)} in ${deposited.l1Tx}, deposit ${deposited.nonce}`,
    );
    if (noWait) return { data: deposited, text: deposited.l1Tx };
    const arrived = await followDeposit(peg, deposited.l1Tx, { signal: io.signal });
    return {
      data: arrived,
      text: arrived.credited
        ? `${formatEth(arrived.amountWei)} minted for ${arrived.recipient} in ${arrived.sidechainTx}`
        : `${formatEth(arrived.amountWei)} parked for ${arrived.recipient}, which did not take it; it can withdraw it from the gateway`,
    };
  },
});
